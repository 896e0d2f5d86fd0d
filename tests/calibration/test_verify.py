"""The command verify on folders of calibrations."""

from pathlib import Path

import pytest

from medsym.calibration.store import PASSING, TENSORS, check_free, save_calibration
from medsym.cli import main
from medsym.errors import OutputError
from tests.calibration.test_store import calibration, small_maps

__all__ = ["small_maps"]


@pytest.mark.usefixtures("small_maps")
def test_verify_knows_calibrations_whole_altered_and_unfinished(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "c"
    save_calibration(folder, calibration())
    assert main(["verify", str(folder)]) == 0
    assert "hashes and maps agree" in capsys.readouterr().out
    (folder / PASSING).mkdir()
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
