"""Scans on disk and in memory: reading, checking, aligning to the symmetric grid, writing back."""
