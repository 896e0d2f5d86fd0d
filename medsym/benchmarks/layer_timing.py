"""Ratios of run times on a machine that others use too.

Both sides run in turn, A B B A A B B A ..., on one torch thread; what counts is the processor
time of this process, the ratio is taken within each turn, and the median over the turns is given
with the interval that holds the true median with 95 % (order statistics, no model).
"""

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

Step = Callable[[], object]


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """One torch thread and no garbage collection while open."""
    threads, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(1)
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if collecting:
            gc.enable()
        gc.collect()


def compare_times(steps: Mapping[str, Step], *, seconds: float) -> dict[str, dict[str, float]]:
    """Time several functions in turn and give each one's ratio to the first.

    Args:
        steps: Name -> function; the first one is what the others are compared with.
        seconds: Processor time to spend; at least 5 turns are run, at most 400.

    Returns:
        Name -> ``ratio`` (median over the turns), ``low`` and ``high`` (its 95 % interval),
        ``milliseconds`` (median) and ``turns``.
    """
    with single_threaded():
        for step in steps.values():
            step()
        start = time.process_time()
        first = {name: _seconds(step) for name, step in steps.items()}
        turns = int(np.clip(seconds / max(time.process_time() - start, 1e-6), 5, 400))
        times: dict[str, list[float]] = {name: [] for name in first}
        for turn in range(turns):
            for name in list(steps) if turn % 2 == 0 else reversed(list(steps)):
                times[name].append(_seconds(steps[name]))
    base = np.array(times[next(iter(steps))])
    return {name: _ratio(np.array(values), base) for name, values in times.items()}


def _seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _ratio(values: "np.ndarray[Any, Any]", base: "np.ndarray[Any, Any]") -> dict[str, float]:
    ratios = np.sort(values / np.maximum(base, 1e-9))
    count = len(ratios)
    rank = max(0, math.floor(count / 2 - 0.98 * math.sqrt(count)))  # 95 % of a binomial at 1/2
    return {
        "ratio": float(np.median(ratios)),
        "low": float(ratios[rank]),
        "high": float(ratios[count - 1 - rank]),
        "milliseconds": float(1e3 * np.median(values)),
        "turns": float(count),
    }
