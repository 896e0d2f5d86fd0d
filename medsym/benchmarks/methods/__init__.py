"""Every method of soft mirror symmetry, trained alike and compared in one table."""
