"""Ratios of run times on a machine that others use too.

What counts is the processor time of this process on one torch thread. Both sides run in turn, A B
B A A B B A ..., in several rounds, and every round builds its networks anew: where their tensors
happen to lie in memory can slow one of them by a tenth for as long as they live. Disturbances only
add time, so the ratio is that of the least times; the range over the rounds is given beside it.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping

import torch

Step = Callable[[], object]
Build = Callable[[], Mapping[str, Step]]
ROUNDS = 4
LEAST_TURNS = 3


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


def compare_times(build: Build, *, seconds: float) -> dict[str, dict[str, float]]:
    """Time several functions in turn and give each one's ratio to the first.

    Args:
        build: Makes name -> function; the first one is what the others are compared with. Called
            once per round.
        seconds: Processor time to spend, without building; at least three turns per round are run.

    Returns:
        Name -> ``ratio`` of the least times, ``low`` and ``high`` (the range of this ratio over
        the rounds), ``milliseconds`` (the least) and ``turns``.
    """
    with single_threaded():
        rounds = []
        for _ in range(ROUNDS):
            rounds.append(_round(build(), seconds=seconds / ROUNDS))
            gc.collect()  # the networks of this round
    base = next(iter(rounds[0]))
    return {name: _ratio(rounds, name, base) for name in rounds[0]}


def _round(steps: Mapping[str, Step], *, seconds: float) -> dict[str, list[float]]:
    """Times of every function, in turns."""
    for step in steps.values():
        step()
    start = time.process_time()
    times = {name: [_seconds(step)] for name, step in steps.items()}
    turns = max(LEAST_TURNS, int(seconds / max(time.process_time() - start, 1e-6)))
    for turn in range(1, turns):
        for name in list(steps) if turn % 2 == 0 else reversed(list(steps)):
            times[name].append(_seconds(steps[name]))
    return times


def _seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _ratio(rounds: list[dict[str, list[float]]], name: str, base: str) -> dict[str, float]:
    least = [(min(times[name]), max(min(times[base]), 1e-9)) for times in rounds]
    ratios = [ours / other for ours, other in least]
    fastest = min(ours for ours, _ in least)
    return {
        "ratio": fastest / min(other for _, other in least),
        "low": min(ratios),
        "high": max(ratios),
        "milliseconds": 1e3 * fastest,
        "turns": float(sum(len(times[name]) for times in rounds)),
    }
