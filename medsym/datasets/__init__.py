"""Scans and expert masks that a user keeps on disk, in five layouts, as one list of visits."""
