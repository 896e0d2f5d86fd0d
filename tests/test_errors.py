"""Errors say file, cause, fix and code on one line, and survive a process border."""

import pickle

import pytest

from medsym.errors import (
    AnatomyError,
    ConfigError,
    GridError,
    MedsymError,
    ModelError,
    OutputError,
    ScanError,
    one_line,
)


@pytest.mark.parametrize(
    "kind", [AnatomyError, ConfigError, GridError, ModelError, OutputError, ScanError]
)
def test_errors_are_one_line_and_can_be_sent_between_processes(kind: type[MedsymError]) -> None:
    error = kind(code="MS-999", subject="a\nb.nii", cause="is\tbroken.", fix="Mend it")
    assert str(error) == "MS-999 a\\nb.nii: is\\tbroken. Fix: Mend it."
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.code, again.fix) == (str(error), "MS-999", "Mend it")


def test_undecodable_names_can_be_printed() -> None:
    assert one_line("a\udcffb").encode("utf-8") == b"a\\udcffb"
