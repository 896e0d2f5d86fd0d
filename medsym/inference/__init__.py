"""One scan in, one case out: evidence, asymmetry, bound, deviation, findings and reasons to abstain."""
