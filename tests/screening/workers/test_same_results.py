"""Whoever does the work, and however often it is interrupted, the folder ends up the same."""

import os
import random
import time
from pathlib import Path

import pytest

from medsym.errors import ConfigError, OutputError
from medsym.screening import batch
from medsym.screening.batch import screen
from medsym.screening.journal import read_journal
from medsym.screening.lock import LOCK_FILE, output_lock
from medsym.screening.shards import Shard, shard_lock, shard_of
from medsym.screening.workers.pool import WorkerPool
from medsym.screening.workers.supervise import Fleet
from medsym.volumes.output_file import TEMPORARY
from tests.builders_case import fake_model, flat_reference
from tests.screening.quick_run import run, store
from tests.screening.workers.forked import assert_nothing_is_half_written, forked
from tests.screening.workers.quick_work import quick_task, results

pytestmark = pytest.mark.usefixtures("known_plane")


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """Two with results, two that are not assessable, one refused; all quick."""
    folder = tmp_path / "in"
    bad = folder / "sub-00_T1w.nii.gz"
    good = [store(folder / f"sub-0{n}_T1w.nii.gz", lesion_mm=(s, 10.0, 10.0)) for n, s in SIDES]
    withheld = [store(folder / f"sub-1{n}_T1w.nii.gz", scale=0.7 + n / 100) for n in range(2)]
    bad.write_text("<html>")
    return [bad, *good, *withheld]


SIDES = ((1, -40.0), (2, 40.0))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_run_killed_at_random_times_ends_as_an_undisturbed_one(scans, tmp_path: Path) -> None:
    model, whole, out = (tmp_path / name for name in ("model", "whole", "out"))
    begun = time.monotonic()
    run(scans, whole, model)
    length, chance = time.monotonic() - begun, random.Random(7)
    for _ in range(6):
        forked(lambda: run(scans, out, model), kill_after=chance.uniform(0.1, 0.8) * length)
        if out.is_dir():
            assert_nothing_is_half_written(out)
    outcome = run(scans, out, model)
    assert len(outcome.records) == 4
    assert results(out) == results(whole)
    assert not list(out.rglob(TEMPORARY))
    assert not (out / LOCK_FILE).exists()
    events = [event["event"] for event in read_journal(out)]
    assert events.count("run begins") > events.count("run ends")


@pytest.mark.slow
def test_workers_give_the_same_files_as_one_process(scans, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "model"
    run(scans, tmp_path / "one", folder)
    monkeypatch.setattr(batch, "reference_of", lambda _: flat_reference())
    stages: list[tuple[int, str]] = []
    with WorkerPool(2) as pool:
        outcome = screen(
            scans,
            tmp_path / "two",
            model=fake_model(folder),
            fleet=Fleet(executor=pool, work=quick_task, at_once=4),
            progress=lambda progress: stages.append((progress.number, progress.stage)),
        )
    assert results(tmp_path / "one") == results(tmp_path / "two")
    assert sorted(stages) == [
        *[(1, "refused"), (2, "done"), (3, "done")],
        *[(4, "not assessable"), (5, "not assessable")],
    ]
    sides = [record["findings"][0]["side"] for record in outcome.records if record["findings"]]
    assert sides == ["left", "right"]
    costs = [event for event in read_journal(tmp_path / "two") if event["event"] == "done"]
    assert len(costs) == 2
    assert all(event["peak_mib"] > 50 and event["seconds"]["compare"] > 0 for event in costs)


def test_the_last_of_all_shards_writes_the_tables_of_a_whole_run(scans, tmp_path: Path) -> None:
    model, whole, out = (tmp_path / name for name in ("model", "whole", "out"))
    run(scans[3:], whole, model)
    number = 3
    waiting = set(range(1, number + 1))
    for index in (2, 3, 1):
        shard = Shard(index=index, count=number)
        outcome = run(scans[3:], out, model, shard=shard)
        waiting -= {index}
        assert set(outcome.missing) == waiting
        assert (out / "screening.tsv").exists() == (not waiting)
    assert results(out) == results(whole)
    assert len(outcome.records) == 2


def test_shards_are_disjoint_whole_and_even() -> None:
    cases = [f"sub-{number:05}_T1w" for number in range(4000)]
    parts = [{c for c in cases if Shard(index=i, count=4).has(c)} for i in (1, 2, 3, 4)]
    assert set.union(*parts) == set(cases)
    assert sum(map(len, parts)) == len(cases)
    assert all(900 < len(part) < 1100 for part in parts)
    assert shard_of("2/4") == Shard(index=2, count=4)
    for wrong in ("0/4", "5/4", "1", "1/0", "a/b", "-1/2", ""):
        with pytest.raises(ConfigError, match="MS-562"):
            shard_of(wrong)


def test_shards_exclude_whole_runs_other_splits_and_themselves(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("medsym.screening.shards._WAIT_S", 0.0)
    (tmp_path / "logs").mkdir()
    first, second = shard_of("1/2"), shard_of("2/2")
    with shard_lock(tmp_path, first), shard_lock(tmp_path, second):
        with pytest.raises(OutputError, match="MS-151"), shard_lock(tmp_path, first):
            pass
        with pytest.raises(OutputError, match="MS-563"), shard_lock(tmp_path, shard_of("1/3")):
            pass
        with pytest.raises(OutputError, match="MS-151"):
            run([], tmp_path, tmp_path / "model")
    refused = pytest.raises(OutputError, match="MS-151")
    with output_lock(tmp_path), refused, shard_lock(tmp_path, first):
        pass
    with shard_lock(tmp_path, shard_of("1/3")):
        pass
    assert not list(tmp_path.glob(".medsym*"))


def test_what_is_in_memory_only_is_not_given_to_workers(tmp_path: Path) -> None:
    fleet = Fleet(executor=WorkerPool(1), work=quick_task, at_once=1)
    with pytest.raises(ConfigError, match="MS-564"):
        run([], tmp_path / "out", tmp_path / "model", fleet=fleet)
