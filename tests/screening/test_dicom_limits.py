"""The converter may use so much and no more; what the machine does is not the scan's fault."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from medsym.errors import OutputError, ScanError
from medsym.screening.calibrating import _is_about_scan
from medsym.screening.dicom import convert, limited
from medsym.screening.dicom.limited import LIMITS, run_limited
from medsym.screening.dicom.series import DicomSeries, find_series
from medsym.volumes.nifti import read_scan
from tests.builders_dicom import few_slices, write_series

_MIB = 1024**2


@pytest.fixture
def series(tmp_path: Path) -> DicomSeries:
    (found,) = find_series(write_series(tmp_path / "scan", few_slices()))
    return found


def limit(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    def run(command: list[str], *, timeout_s: float) -> limited.Ended:
        return run_limited(command, timeout_s=timeout_s, limits=limits)

    monkeypatch.setattr(convert, "run_limited", run)


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr("dcm2niix.bin", str(path))


def test_the_program_gets_the_limits(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = f"(ulimit -n; ulimit -t; ulimit -f; ulimit -v) > {out}"
    assert run_limited(["/bin/sh", "-c", words], timeout_s=60).code == 0
    files, seconds, blocks, kib = (int(word) for word in out.read_text().split())
    assert files <= LIMITS["RLIMIT_NOFILE"]
    assert seconds <= LIMITS["RLIMIT_CPU"]
    assert blocks * 512 <= LIMITS["RLIMIT_FSIZE"]
    assert kib * 1024 <= LIMITS["RLIMIT_AS"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"RLIMIT_AS": 12 * _MIB}, "breaks off"),
        ({"RLIMIT_FSIZE": 4096}, "writes more than"),
        ({"RLIMIT_CPU": 0}, "processor time"),
    ],
)
def test_a_scan_that_needs_more_than_it_may_is_refused(
    series: DicomSeries, limits: Mapping[str, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **limits)
    with pytest.raises(ScanError, match=words) as refused:
        convert.read_series(series, read=read_scan)
    assert refused.value.code == "MS-767"
    assert _is_about_scan(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sleep 60", "did not end in"),
        ("kill -9 $$", "ended by another program"),
        ("echo 'Unable to write (disk full?)'; exit 1", "no room"),
    ],
)
def test_what_the_machine_did_leaves_nobody_out(
    series: DicomSeries, tmp_path: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, text)
    monkeypatch.setattr(convert, "TIME_LIMIT_S", 2.0)
    with pytest.raises(OutputError, match=words) as failed:
        convert.read_series(series, read=read_scan)
    assert failed.value.code == "MS-766"
    assert not _is_about_scan(failed.value)


def test_a_series_whose_files_cannot_be_linked_leaves_nobody_out(
    series: DicomSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "_link", full)
    with pytest.raises(OutputError, match=r"MS-766.*No space left"):
        convert.read_series(series, read=read_scan)


def test_without_limits_of_the_system_scans_are_converted(
    series: DicomSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = limited.importlib.util.find_spec
    monkeypatch.setattr(
        limited.importlib.util,
        "find_spec",
        lambda name: None if name == "resource" else whole(name),
    )
    assert convert.read_series(series, read=read_scan).voxels.any()
    assert run_limited(["/bin/sh", "-c", "exit 3"], timeout_s=60).code == 3
    monkeypatch.undo()
    limit(monkeypatch, RLIMIT_OF_ANOTHER_SYSTEM=1)
    assert convert.read_series(series, read=read_scan).voxels.any()
