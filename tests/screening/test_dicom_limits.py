"""The converter may use so much and no more; what the machine does is not the scan's fault."""

import tracemalloc
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
    def run(command: list[str], *, timeout_s: float, out: Path) -> limited.Ended:
        return run_limited(command, timeout_s=timeout_s, out=out, limits=limits)

    monkeypatch.setattr(convert, "run_limited", run)


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr("dcm2niix.bin", str(path))


def test_the_program_gets_the_limits(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = f"(ulimit -n; ulimit -t; ulimit -f; ulimit -v; ulimit -c) > {out}"
    assert run_limited(["/bin/sh", "-c", words], timeout_s=60, out=tmp_path).code == 0
    files, seconds, blocks, kib, core = (int(word) for word in out.read_text().split())
    assert core == LIMITS["RLIMIT_CORE"] == 0
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


def test_what_the_program_says_takes_no_memory_and_its_end_is_read(tmp_path: Path) -> None:
    tracemalloc.start()
    words = f"head -c {32 * _MIB} /dev/zero; echo 'disk full'; exit 1"
    ended = run_limited(["/bin/sh", "-c", words], timeout_s=60, out=tmp_path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ended.machine == "finds no room to write"
    assert most < _MIB
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", ["exec sleep 60", "exit 0"])
def test_many_files_together_may_not_have_more_than_one(tmp_path: Path, end: str) -> None:
    words = f"for i in 1 2 3; do head -c {_MIB} /dev/zero > {tmp_path}/$i; done; {end}"
    most = {**LIMITS, "RLIMIT_FSIZE": 2 * _MIB}
    ended = run_limited(["/bin/sh", "-c", words], timeout_s=60, out=tmp_path, limits=most)
    assert ended.exceeded == "writes more than 0.002 GiB"


def test_a_disk_that_fills_up_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = limited.archives.LIMITS.reserve_bytes - 1
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(limited.shutil, "disk_usage", lambda _place: usage)
    ended = run_limited(["/bin/sh", "-c", "exec sleep 60"], timeout_s=60, out=tmp_path)
    assert ended.machine == "finds no room to write"


def test_a_series_whose_files_cannot_be_linked_leaves_nobody_out(
    series: DicomSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "_link", full)
    with pytest.raises(OutputError, match=r"MS-766.*No space left"):
        convert.read_series(series, read=read_scan)


def test_without_limits_of_the_system_scans_are_converted(
    series: DicomSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = limited.importlib.util.find_spec
    monkeypatch.setattr(
        limited.importlib.util,
        "find_spec",
        lambda name: None if name == "resource" else whole(name),
    )
    assert convert.read_series(series, read=read_scan).voxels.any()
    assert run_limited(["/bin/sh", "-c", "exit 3"], timeout_s=60, out=tmp_path).code == 3
    monkeypatch.undo()
    limit(monkeypatch, RLIMIT_OF_ANOTHER_SYSTEM=1)
    assert convert.read_series(series, read=read_scan).voxels.any()
