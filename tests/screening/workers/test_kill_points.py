"""A run may be killed between any two changes of its folder: twenty times, at points by chance.

Python announces every change (opening for writing, renaming, removing, making a folder), so that a
forked run can be killed just before the n-th. What writes nothing, analysis and drawing, is looked
up; the whole work, killed by the clock, is in ``test_same_results``.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsym.screening import outputs, runner
from medsym.screening.lock import LOCK_FILE
from medsym.volumes.output_file import TEMPORARY
from tests.screening.quick_run import run, store
from tests.screening.workers.forked import assert_nothing_is_half_written, forked
from tests.screening.workers.quick_work import results

KILLS = 20
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.truncate"}


def on_change(told: Callable[[int], None]) -> None:
    """Tell, from now on and in this process for ever, the number of every change of files."""
    seen = 0

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        writes = event == "open" and int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            seen += 1
            told(seen)

    sys.addaudithook(listen)


def count_changes(work: Callable[[], object], note: Path) -> int:
    """Number of changes that some work makes."""
    note.touch()
    descriptor = os.open(note, os.O_WRONLY | os.O_APPEND)

    def counted() -> None:
        on_change(lambda _: os.write(descriptor, b"x"))
        work()

    assert not forked(counted)
    os.close(descriptor)
    return note.stat().st_size


def kill_at(point: int) -> None:
    """From now on this process is to be killed just before a change."""
    on_change(lambda seen: os.kill(os.getpid(), signal.SIGKILL) if seen == point else None)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analysis and pictures are made once per scan and looked up from then on."""
    known: dict[tuple[str, str], Any] = {}

    def remember(module: Any, name: str, key: Callable[..., str]) -> None:
        make = getattr(module, name)

        def look_up(*args: Any, **more: Any) -> Any:
            place = (name, key(*args))
            if place not in known:
                known[place] = make(*args, **more)
            return known[place]

        monkeypatch.setattr(module, name, look_up)

    remember(runner, "analyse_scan", lambda scan, *_: str(scan.sha256))
    remember(outputs, "case_pictures", lambda result, *_: str(result.prepared.scan.sha256))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
@pytest.mark.usefixtures("known_plane", "looked_up")
def test_a_run_killed_before_any_change_of_its_folder_ends_as_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    model, whole, out = (tmp_path / name for name in ("model", "whole", "out"))
    sides = {"sub-1_T1w": {"lesion_mm": (-40.0, 10.0, 10.0)}, "sub-2_T1w": {"scale": 0.7}}
    scans = [store(tmp_path / "in" / f"{case}.nii.gz", **made) for case, made in sides.items()]
    run(scans, whole, model, spacing_mm=4.0)
    changes = count_changes(lambda: run(scans, out, model, spacing_mm=4.0), tmp_path / "note")
    assert results(out) == results(whole)
    shutil.rmtree(out)
    chance, kills = random.Random(3), 0

    def work(point: int) -> None:
        kill_at(point)
        run(scans, out, model, spacing_mm=4.0)

    while kills < KILLS:
        point = chance.randint(1, changes)
        if forked(lambda point=point: work(point)):
            kills += 1
            if out.is_dir():
                assert_nothing_is_half_written(out)
        else:
            assert results(out) == results(whole)
            shutil.rmtree(out)
    run(scans, out, model, spacing_mm=4.0)
    assert results(out) == results(whole)
    assert not list(out.rglob(TEMPORARY))
    assert not (out / LOCK_FILE).exists()
