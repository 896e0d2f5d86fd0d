"""Where scans are screened: options that screen and bids share, and what they stand for."""

import argparse
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medsym.commands.arguments import count_or_none
from medsym.commands.console import say

if TYPE_CHECKING:
    from medsym.screening.progress import Progress
    from medsym.screening.shards import Shard
    from medsym.screening.workers.supervise import Fleet

EXECUTORS = ("local",)


def add_scaling(parser: argparse.ArgumentParser) -> None:
    """Options of whatever screens many scans."""
    parser.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="who does the work: processes of this machine (default), or a cluster",
    )
    parser.add_argument(
        "--workers",
        type=count_or_none,
        metavar="N",
        help="worker processes (default: as cores and free memory allow); 0: in this process",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="only part I of N; runs with the other parts may share the output folder",
    )


def shard_option(arguments: argparse.Namespace | None) -> "Shard | None":
    """Part of the scans that --shard asks for.

    Raises:
        ConfigError: MS-562 if it is no part of a whole.
    """
    from medsym.screening.shards import shard_of

    text = None if arguments is None else arguments.shard
    return None if text is None else shard_of(text)


@contextmanager
def fleet_of(
    arguments: argparse.Namespace | None, *, num_scans: int, progress: "Callable[[Progress], None]"
) -> "Iterator[Fleet | None]":
    """The workers that the options ask for, ended with the block; None is this process.

    Args:
        arguments: with the options of ``add_scaling``; without any, this process does the work.
        num_scans: scans of this run.
        progress: told what workers tell.
    """
    workers = 0 if arguments is None else arguments.workers
    with _local_fleet(workers, num_scans=num_scans, progress=progress) as fleet:
        yield fleet


@contextmanager
def _local_fleet(
    workers: int | None, *, num_scans: int, progress: "Callable[[Progress], None]"
) -> "Iterator[Fleet | None]":
    from medsym.screening.progress import Progress
    from medsym.screening.workers.pool import WorkerPool
    from medsym.screening.workers.sizing import default_workers
    from medsym.screening.workers.supervise import Fleet
    from medsym.screening.workers.work import screen_task

    if workers is None and num_scans > 1:
        workers, why = default_workers(num_scans)
        say(why)
    if not workers:
        yield None
        return
    told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def news() -> None:
        while not told.empty():
            progress(Progress(**told.get()))

    pool = WorkerPool(workers, listener=told.put)
    try:
        yield Fleet(executor=pool, work=screen_task, at_once=2 * workers, news=news)
    finally:
        pool.shutdown(cancel_futures=True)
