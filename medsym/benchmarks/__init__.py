"""Measurements of accuracy and speed that anyone can repeat on their own machine."""
