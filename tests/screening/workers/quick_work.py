"""Real work of a worker on phantoms, with a network made by formula and a known mid-plane."""

from pathlib import Path

import pytest

from medsym.screening.workers import work
from tests.builders_case import fake_model, flat_reference
from tests.screening.quick_run import patch_known_plane


def quick_task(text: str) -> str:
    """As ``screen_task``; what it replaces stays replaced in its process."""
    patch = pytest.MonkeyPatch()
    patch_known_plane(patch)
    patch.setattr(work, "load_model", lambda folder, **_: fake_model(folder))
    patch.setattr(work, "reference_of", lambda _: flat_reference())
    return work.screen_task(text)


def results(out: Path) -> dict[str, bytes]:
    """Every file of an output folder but the logs."""
    files = (path for path in out.rglob("*") if path.is_file())
    names = {path.relative_to(out).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if name[:5] != "logs/"}
