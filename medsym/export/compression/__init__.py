"""Smaller and faster copies of a network, measured beside the full one."""
