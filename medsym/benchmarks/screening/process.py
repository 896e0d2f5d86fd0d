"""One run of ``medsym screen`` in a fresh process, as a user starts it, and what it cost."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsym.errors import OutputError
from medsym.screening.journal import read_journal

#: Everything before the first scan and after the last: Python, packages, model, tables.
START = "start and end"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a run cost.

    Attributes:
        seconds: wall clock of the whole process.
        cpu_s: processor seconds of the process and its workers, user and system; None where the
            system does not count them.
        stages: wall clock by stage, summed over the scans, in the order of the pipeline.
        stages_cpu_s: processor seconds by stage; what other programs do disturbs them less.
        peak_mib: largest resident memory of a process that analysed a scan; None as above.
        scans: number of scans that were finished.
    """

    seconds: float
    cpu_s: float | None
    stages: dict[str, float]
    stages_cpu_s: dict[str, float]
    peak_mib: float | None
    scans: int


def run_screen(
    scans: Sequence[Path],
    out: Path,
    *,
    model: Path | None = None,
    workers: int | None = None,
    keep: bool = False,
) -> Cost:
    """Screen scans in a process of its own.

    Args:
        scans: with different names.
        out: folder for the results; must not exist.
        model: model folder; None is the shipped model.
        workers: processes that analyse at the same time; None leaves it to the command.
        keep: leave the results where they are; they are removed otherwise.

    Raises:
        OutputError: MS-630, the run did not finish every scan.
    """
    command = [sys.executable, "-m", "medsym", "screen", *map(str, scans), "--out", str(out)]
    command += [] if model is None else ["--model", str(model)]
    command += [] if workers is None else ["--workers", str(workers)]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - began, os.times()
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise OutputError(
            code="MS-630",
            subject="medsym screen",
            cause=f"ended with code {done.returncode} ({' '.join(last)})",
            fix="run 'medsym screen' on the same scans and see what it says",
        )
    used = after.children_user - before.children_user
    used += after.children_system - before.children_system
    try:
        return _cost(out, seconds=seconds, cpu_s=used or None, alone=len(scans) == 1)
    finally:
        if not keep:
            shutil.rmtree(out)


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for stage, spent in more.items():
        total[stage] = total.get(stage, 0.0) + spent


def _cost(out: Path, *, seconds: float, cpu_s: float | None, alone: bool) -> Cost:
    """Cost of a finished run, with the stages from its journal."""
    stages: dict[str, float] = {}
    processor: dict[str, float] = {}
    peaks: list[float] = []
    finished = 0
    for event in read_journal(out):
        if "seconds" not in event:
            continue
        finished += 1
        peaks += [event["peak_mib"]] if event.get("peak_mib") else []
        _add(stages, event["seconds"])
        _add(processor, event["stages_cpu_s"])
    if alone:  # stages of several scans may overlap: their sum is no part of the wall clock
        stages[START] = seconds - sum(stages.values())
    if cpu_s is not None:
        processor[START] = cpu_s - sum(processor.values())
    return Cost(
        seconds=seconds,
        cpu_s=cpu_s,
        stages=stages,
        stages_cpu_s=processor,
        peak_mib=max(peaks, default=None),
        scans=finished,
    )
