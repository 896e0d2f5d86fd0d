"""Fixtures of the inference tests."""

from tests.screening.quick_run import known_plane

__all__ = ["known_plane"]
