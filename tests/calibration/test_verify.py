"""The command verify on folders of calibrations."""

import json
from pathlib import Path

import pytest

from medsym.calibration.store import (
    MANIFEST,
    PASSING,
    TENSORS,
    check_free,
    load_calibration,
    save_calibration,
)
from medsym.cli import main
from medsym.errors import ConfigError, OutputError
from tests.calibration.test_store import calibration, restate, small_maps

__all__ = ["small_maps"]


@pytest.mark.usefixtures("small_maps")
def test_verify_knows_calibrations_whole_altered_and_unfinished(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "c"
    save_calibration(folder, calibration())
    assert main(["verify", str(folder)]) == 0
    assert "hashes and maps agree" in capsys.readouterr().out
    (folder / PASSING).mkdir()
    assert main(["verify", str(folder)]) == 0
    assert "is left over" in capsys.readouterr().err
    with pytest.raises(OutputError, match=r"MS-506 .* holds a finished calibration"):
        check_free(folder)
    (folder / MANIFEST).write_text("{")  # cut off before it was written
    assert main(["verify", str(folder)]) == 1
    assert "the same command again goes on" in capsys.readouterr().err
    check_free(folder)
    save_calibration(folder, calibration())  # as by the command that goes on
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="MS-506"):
        check_free(folder)
    (folder / PASSING).rmdir()
    (folder / TENSORS).write_bytes(b"")
    assert main(["verify", str(folder)]) == 2
    assert "MS-507" in capsys.readouterr().err


@pytest.mark.usefixtures("small_maps")
def test_a_calibration_of_an_older_format_has_to_be_made_again(tmp_path: Path) -> None:
    save_calibration(tmp_path / "c", calibration())
    text = json.loads((tmp_path / "c" / MANIFEST).read_text())
    restate(tmp_path / "c", {**text, "format": 2})
    with pytest.raises(ConfigError, match=r"MS-507 .* older medsym .* again"):
        load_calibration(tmp_path / "c")
