"""The command calibrate: nothing but a scan itself leaves a person out, and nothing is lost."""

import hashlib
import json
from itertools import count
from pathlib import Path

import pytest

from medsym.calibration.store import MANIFEST, PASSING
from medsym.errors import MedsymError, OutputError, ScanError
from medsym.screening import measuring
from medsym.screening.entry import ScanEntry
from medsym.screening.lock import case_lock
from tests.screening.calibrate_command import PEOPLE, Calibrate, calibrate
from tests.screening.workers.forked import forked
from tests.screening.workers.test_kill_points import count_changes, kill_at

__all__ = ["calibrate"]


def failing(error: Exception):
    def before(entry: ScanEntry) -> None:
        if entry.name.subject == "3":
            raise error

    return before


def error(kind: type[MedsymError], code: str) -> MedsymError:
    return kind(code=code, subject="sub-3", cause="a reason", fix="a remedy")


def test_a_calibration_is_written_once_and_then_left_alone(
    calibrate: Calibrate, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = calibrate.folder / "numbers.json"
    (calibrate.folder / "in" / "more.zip").touch()
    assert calibrate("--cross-validate", "2", "--json", str(numbers)) == 0
    assert json.loads(numbers.read_text())["calibration"]["counts"]["people"] == PEOPLE
    assert not (calibrate.out / PASSING).exists()
    assert sorted(path.name for path in calibrate.out.iterdir()) == sorted(
        [MANIFEST, "calibration.safetensors"]
    )
    made = calibrate.bytes()
    assert "1 ZIP files in the named folders are not read (more.zip" in capsys.readouterr().err
    assert calibrate() == 2
    assert "MS-506" in capsys.readouterr().err
    (calibrate.out / PASSING).mkdir()  # a run was killed while it removed this
    assert calibrate() == 2
    assert "holds a finished calibration" in capsys.readouterr().err
    assert not (calibrate.out / PASSING).exists()
    assert calibrate.bytes() == made
    assert calibrate.seen == []


@pytest.mark.parametrize(
    "failure",
    [
        error(OutputError, "MS-560"),
        error(OutputError, "MS-561"),
        error(ScanError, "MS-684"),
        error(ScanError, "MS-108"),
        MemoryError(),
    ],
    ids=str,
)
def test_a_failure_of_the_machine_leaves_nobody_out_and_loses_nothing(
    calibrate: Calibrate, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate() == 0
    whole = calibrate.bytes()
    calibrate.out = calibrate.folder / "again"
    calibrate.before = failing(failure)
    assert calibrate() == 75
    said = capsys.readouterr().err
    assert "no calibration was written: 1 of 5 scans" in said
    if isinstance(failure, MemoryError):
        trace = f"{PASSING}/logs/sub-3_T1w_error.txt"
        assert f"see {trace}" in said
        assert "MemoryError" in (calibrate.out / trace).read_text()
    assert not (calibrate.out / MANIFEST).exists()
    calibrate.before = lambda _: None
    assert calibrate() == 0
    assert calibrate.seen == ["3"]
    assert json.loads(calibrate.bytes()[0])["scan_sha256"] == json.loads(whole[0])["scan_sha256"]
    assert calibrate.bytes()[1] == whole[1]


def test_a_scan_that_is_refused_is_left_out(calibrate: Calibrate) -> None:
    calibrate.before = failing(error(ScanError, "MS-101"))
    assert calibrate() == 1
    assert calibrate.people() == PEOPLE - 1


def test_a_scan_that_changes_while_it_is_measured_is_neither_kept_nor_left_out(
    calibrate: Calibrate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hashes = count()
    monkeypatch.setattr(measuring, "source_hashes", lambda _: (f"hash {next(hashes)}", {}))
    assert calibrate() == 75
    assert "MS-742 sub-0_T1w.nii.gz: the scan changed" in capsys.readouterr().err
    assert not (calibrate.out / MANIFEST).exists()


def test_a_second_run_never_works_beside_one_that_measures_or_writes(
    calibrate: Calibrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsym.calibration import building

    build, codes = building.build_calibration, []

    def second(*_: object) -> None:
        calibrate.before = lambda _: None
        codes.append(calibrate())

    def build_late(*found: object, **settings: object):
        second()
        return build(*found, **settings)

    monkeypatch.setattr(building, "build_calibration", build_late)
    calibrate.before = second
    assert calibrate() == 0
    assert codes == [75, 75]
    assert calibrate.people() == PEOPLE


def test_a_late_worker_does_not_bring_a_removed_folder_back(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="MS-140"), case_lock(tmp_path / PASSING, "sub-1_T1w"):
        pass
    assert not (tmp_path / PASSING).exists()


def test_workers_with_another_python_count_and_each_scan_is_hashed_once(
    calibrate: Calibrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, asked, hashes = count(), [], measuring.source_hashes
    monkeypatch.setattr(measuring, "software", lambda: {"python": f"3.11.{next(versions)}"})

    def hashed(entry: ScanEntry):
        asked.append(entry.name.case)
        return hashes(entry)

    monkeypatch.setattr(measuring, "source_hashes", hashed)
    assert calibrate() == 0
    assert calibrate.people() == PEOPLE
    assert len(asked) == PEOPLE * 2  # the stand-in for reading hashes each scan, too


def test_a_measured_file_of_another_build_is_measured_again(calibrate: Calibrate) -> None:
    calibrate.before = failing(error(OutputError, "MS-560"))
    assert calibrate() == 75
    path = next((calibrate.out / PASSING).glob("sub-1*.measured"))
    body = b"nonsense" * 3
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    calibrate.before = lambda _: None
    assert calibrate() == 0
    assert calibrate.seen == ["1", "3"]


def test_a_calibration_killed_at_any_change_is_the_same_in_the_end(
    calibrate: Calibrate, tmp_path: Path
) -> None:
    calibrate.out = tmp_path / "whole" / "calibration"
    changes = count_changes(calibrate, tmp_path / "note")
    assert calibrate.people() == PEOPLE
    whole = calibrate.bytes()
    finished = set()
    for point in (2, changes // 3, changes // 2, *range(changes - 18, changes + 1, 2)):
        calibrate.out = tmp_path / f"killed at {point}" / "calibration"
        assert forked(lambda point=point: (kill_at(point), calibrate()))
        was_finished = (calibrate.out / MANIFEST).exists()
        finished.add(was_finished)
        assert calibrate() == (2 if was_finished else 0)
        assert calibrate.bytes() == whole
        assert not (calibrate.out / PASSING).exists()
    assert finished == {False, True}
