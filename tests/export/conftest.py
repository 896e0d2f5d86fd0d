"""Fixtures of the export tests."""

from tests.export.small_model import model_folder
from tests.screening.quick_run import known_plane

__all__ = ["known_plane", "model_folder"]
