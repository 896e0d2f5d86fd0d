"""How good a model is: methods to compare with, scores, intervals and the tables of them."""
