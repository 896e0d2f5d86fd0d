"""What it brings that freed memory stays with the process: drawing and training, with and without.

Every measurement runs in a process of its own, because an allocator is told once; processes with
and without take turns, so that both meet the same machine.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from medsym.allocator import VARIABLES, is_glibc
from medsym.benchmarks.machine import machine
from medsym.benchmarks.throughput import Speed, measure_drawing, measure_training
from medsym.errors import ConfigError
from medsym.screening.journal import process_cost
from medsym.text_table import aligned
from medsym.training.settings import TrainSettings

SECONDS = 10.0  # that each speed is measured for, after a warm-up
WHAT = ("draw", "train")

Row = dict[str, Any]


def run_memory_benchmark(
    settings: TrainSettings,
    *,
    repeat: int,
    report: Callable[[str], None],
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Measure drawing and training on one core, with freed memory kept and handed back.

    Args:
        settings: Of the run whose speed is of interest; drawn and trained on the CPU.
        repeat: Processes of each kind.
        report: Receives a line per measurement.
        seconds: That each speed is measured for.

    Returns:
        "rows" (one per measurement: "what", "kept", "subjects_per_second", "peak_mib"), "gains"
        (per part of the work: "ratio" of the median speeds, both speeds, both median peaks in MiB),
        "spacing_mm", "batch" and "machine".

    Raises:
        ConfigError: MS-813, the allocator of this system does not take the settings.
    """
    if not is_glibc():
        raise ConfigError(
            code="MS-813",
            subject="bench memory",
            cause="the C library of this system is not glibc, whose allocator is measured",
            fix="measure on Linux with glibc; elsewhere nothing is changed",
        )
    settings = settings.model_copy(update={"device": "cpu", "threads": 1})
    rows: list[Row] = []
    for _ in range(repeat):
        for what in WHAT:
            for kept in (False, True):
                rows.append(_in_a_process(what, kept=kept, settings=settings, seconds=seconds))
                report(_line(rows[-1]))
    return {
        "rows": rows,
        "gains": [_gain(rows, what) for what in WHAT],
        "spacing_mm": settings.model.spacing_mm,
        "batch": settings.optimiser.batch,
        "machine": machine(),
    }


def _in_a_process(what: str, *, kept: bool, settings: TrainSettings, seconds: float) -> Row:
    spawn = multiprocessing.get_context("spawn")
    with _environment(kept=kept), ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_measure, what, kept, settings, seconds).result()


@contextmanager
def _environment(*, kept: bool) -> Iterator[None]:
    """Processes that start meanwhile keep freed memory, or do not."""
    before = {name: os.environ.pop(name, None) for name in VARIABLES}
    os.environ.update(VARIABLES if kept else {})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def _measure(what: str, kept: bool, settings: TrainSettings, seconds: float) -> Row:
    torch.set_num_threads(1)
    speed: Speed
    if what == "draw":
        speed = measure_drawing(settings, workers=0, seconds=seconds)
    else:
        speed = measure_training(settings, seconds=seconds)
    return {
        "what": what,
        "kept": kept,
        "subjects_per_second": speed.subjects_per_second,
        "peak_mib": process_cost()["peak_mib"],
    }


def _gain(rows: Sequence[Row], what: str) -> Row:
    """How much faster the work is with freed memory kept, and the peaks of both."""
    speed, peak = (
        [
            median(row[name] for row in rows if row["what"] == what and row["kept"] is kept)
            for kept in (False, True)
        ]
        for name in ("subjects_per_second", "peak_mib")
    )
    return {
        "what": what,
        "ratio": speed[1] / speed[0],
        "speed_handed_back": speed[0],
        "speed_kept": speed[1],
        "peak_mib_handed_back": peak[0],
        "peak_mib_kept": peak[1],
    }


def _line(row: Row) -> str:
    how = "kept" if row["kept"] else "handed back"
    return (
        f"{row['what']}, freed memory {how}: {row['subjects_per_second']:.2f} subjects/s, "
        f"at most {row['peak_mib']} MiB"
    )


def format_memory(numbers: dict[str, Any]) -> str:
    """The gains as a table, and what they were measured on."""
    head = ["", "handed back/s", "kept/s", "ratio", "MiB handed back", "MiB kept"]
    rows = [
        [
            gain["what"],
            f"{gain['speed_handed_back']:.2f}",
            f"{gain['speed_kept']:.2f}",
            f"{gain['ratio']:.2f}",
            f"{gain['peak_mib_handed_back']:.0f}",
            f"{gain['peak_mib_kept']:.0f}",
        ]
        for gain in numbers["gains"]
    ]
    processor = numbers["machine"]["processor"]
    return "\n".join(
        [
            *aligned([head, *rows]),
            "",
            f"subjects of {numbers['spacing_mm']:g} mm, batches of {numbers['batch']}",
            f"one thread of {processor}",
        ]
    )
