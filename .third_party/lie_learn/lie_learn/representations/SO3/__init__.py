"""Stand-in for lie_learn: only the function that escnn calls."""
