"""Synthetic training scans: random anatomy, contrast, lesions and scanners, with their labels."""
