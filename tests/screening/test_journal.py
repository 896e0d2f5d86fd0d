"""The journal: every event is one line, a torn line costs itself only, equal runs differ here."""

import json
import threading
from pathlib import Path

import pytest

from medsym.screening.journal import append, journal_path, read_journal
from tests.screening.quick_run import run, store


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def test_events_are_read_in_the_order_they_were_written(out: Path) -> None:
    for number in range(3):
        append(out, "done", case=f"sub-{number}", seconds={"read": 0.5})
    events = list(read_journal(out))
    assert [event["case"] for event in events] == ["sub-0", "sub-1", "sub-2"]
    assert all(event["seconds"] == {"read": 0.5} and event["host"] for event in events)


@pytest.mark.parametrize(
    "torn", [b'{"event": "do', b"\xff\xfe", b"[1]\n", b'{"event": 3}\n', b"\n"]
)
def test_a_torn_line_costs_nothing_but_itself(out: Path, torn: bytes) -> None:
    append(out, "done", case="sub-1")
    with journal_path(out).open("ab") as stream:
        stream.write(torn)
    append(out, "done", case="sub-2")
    assert [event["case"] for event in read_journal(out)] == ["sub-1", "sub-2"]


def test_lines_of_many_writers_do_not_mix(out: Path) -> None:
    def write(writer: int) -> None:
        for number in range(50):
            append(out, "done", case=f"{writer}-{number}", text="x" * 5000)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = journal_path(out).read_text().splitlines()
    assert len({json.loads(line)["case"] for line in lines}) == len(lines) == 400


def test_a_folder_without_logs_loses_the_journal_only(tmp_path: Path) -> None:
    append(tmp_path, "done")
    assert list(read_journal(tmp_path)) == []


@pytest.mark.usefixtures("known_plane")
def test_a_run_says_what_every_scan_cost(tmp_path: Path) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_text("<html>")
    out = tmp_path / "out"
    for _ in range(2):
        run([scan, bad], out, tmp_path / "model")
    events = list(read_journal(out))
    assert [event["event"] for event in events] == [
        *("run begins", "not assessable", "refused", "run ends"),
        *("run begins", "refused", "run ends"),
    ]
    first = events[1]
    assert first["case"] == "sub-01_T1w"
    assert next(iter(first["seconds"])) == "read"
    assert list(first["seconds"])[-1] == "page"
    assert first["total_s"] >= sum(first["seconds"].values()) - 0.01
    assert first["cpu_s"] > 0
    assert list(first["stages_cpu_s"]) == list(first["seconds"])
    assert 0 < sum(first["stages_cpu_s"].values()) <= first["cpu_s"] + 0.01
    assert first["peak_mib"] > 50
    assert events[2]["code"].startswith("MS-1")
    assert events[-1]["scans"] == {"resumed": 1, "refused": 1}


@pytest.mark.usefixtures("known_plane")
def test_equal_runs_give_equal_files_outside_the_journal(tmp_path: Path) -> None:
    bad = tmp_path / "sub-00_T1w.nii.gz"
    bad.write_text("<html>")
    scans = [bad, store(tmp_path / "sub-01_T1w.nii.gz"), store(tmp_path / "b.nii", scale=0.7)]
    for out, order in (("one", scans), ("two", scans[::-1])):
        run(order, tmp_path / out, tmp_path / "model")
    first, second = (
        {
            path.relative_to(out): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and path != journal_path(out)
        }
        for out in (tmp_path / "one", tmp_path / "two")
    )
    assert first == second
