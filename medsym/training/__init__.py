"""Training: synthetic subjects, losses, the run, and what it writes."""
