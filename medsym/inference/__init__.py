"""One scan in, one case out: evidence, bound, deviation, findings, reasons to abstain."""
