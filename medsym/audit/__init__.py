"""The equivariance report of any network: where it loses the mirror, how much, and at what cost."""
