"""Cases whose maps are made when a test allows it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.results import read_case
from app.viewer import preparing
from app.viewer.case_volumes import CaseFiles, case_files

PATIENCE_S = 60
FIRST, SECOND = "sub-01_T1w", "sub-02_FLAIR"


@contextmanager
def closed_gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Maps are made only when it is open."""
    opened, make = threading.Event(), preparing.map_volumes

    def wait(*arguments: object, **options: object) -> object:
        assert opened.wait(PATIENCE_S)
        return make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(preparing, "map_volumes", wait)
    yield opened
    opened.set()


def files_of(root: Path, name: str) -> CaseFiles:
    found = case_files(read_case(root, name))
    assert found is not None
    return found
