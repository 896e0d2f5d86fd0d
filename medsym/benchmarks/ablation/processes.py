"""Processes that begin clean, and that see a GPU only where one is asked for."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

import torch

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def process_context(device: str) -> BaseContext:
    """How processes are started for work on a device, cpu or cuda.

    A fork of a process that has used torch may hang, and one of a process that has looked for a GPU
    fails at its first look for one, which torch's optimisers take on a CPU too: an ablation on the
    CPU of a machine with a GPU died of that. So on the CPU processes are forked, where the system
    can, from a server that was started without a view of any GPU; with a GPU each starts anew.
    """
    if device != "cpu" or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver  # not on every system

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["medsym.benchmarks.ablation.workers"])
    with _no_gpu():
        forkserver.ensure_running()
    return context


@contextmanager
def _no_gpu() -> Iterator[None]:
    """Processes that are started meanwhile see no GPU; this one goes on seeing what it saw."""
    before = os.environ.get(_VISIBLE)
    os.environ[_VISIBLE] = ""
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VISIBLE]
        else:
            os.environ[_VISIBLE] = before


def begin(device: str) -> None:
    """Start of every process: one thread, because the others need the cores; a GPU if asked for."""
    torch.set_num_threads(1)
    if device == "cpu":
        os.environ[_VISIBLE] = ""
