"""Where scans are screened: options that screen and bids share, and what they stand for."""

import argparse
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.commands.arguments import count, count_or_none
from medsym.commands.console import say
from medsym.errors import ConfigError

if TYPE_CHECKING:
    from medsym.screening.progress import Progress
    from medsym.screening.shards import Shard
    from medsym.screening.workers.supervise import Fleet

EXECUTORS = ("local", "slurm", "dask")
#: Tasks of a cluster that are handed in and not finished.
_HANDED_IN = 1000
#: Scans of a Slurm job: enough that starting it, about 10 s, does not count.
_SCANS_PER_JOB = 20
_RETRIES_AT_ONCE = 8


def add_scaling(parser: argparse.ArgumentParser, *, shards: bool = True) -> None:
    """Options of whatever analyses many scans; shards share an output folder."""
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
        help="processes (default: as cores and free memory allow; 0: this process), or how many "
        "jobs of a cluster at a time",
    )
    if shards:
        parser.add_argument(
            "--shard",
            metavar="I/N",
            help="only part I of N; runs with the other parts may share the output folder",
        )
    parser.add_argument("--address", metavar="URL", help="dask: scheduler, tcp://host:8786")
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="slurm: options of sbatch, such as partition=short time=02:00:00 mem=4G",
    )
    parser.add_argument(
        "--scans-per-job",
        type=count,
        default=_SCANS_PER_JOB,
        metavar="N",
        help=f"slurm: scans of one job (default {_SCANS_PER_JOB})",
    )


def shard_option(arguments: argparse.Namespace | None) -> "Shard | None":
    """Part of the scans that --shard asks for.

    Raises:
        ConfigError: MS-562 if it is no part of a whole.
    """
    from medsym.screening.shards import shard_of

    text = None if arguments is None else arguments.shard
    return None if text is None else shard_of(text)


def model_device(arguments: argparse.Namespace, *, num_scans: int) -> str:
    """Where this process loads the model: if workers run the network, it needs no GPU itself.

    Args:
        arguments: with the options of ``add_scaling`` and the device.
        num_scans: scans of this run.

    Raises:
        ModelError: MS-316 workers of this machine would find no such device.
    """
    from medsym.models.store import check_device

    device, is_local = str(arguments.device), arguments.executor == "local"
    if is_local:
        check_device(device)
    workers = (num_scans > 1) if arguments.workers is None else arguments.workers > 0
    return "cpu" if workers or not is_local else device


@contextmanager
def fleet_of(
    arguments: argparse.Namespace | None,
    out: Path,
    *,
    num_scans: int,
    progress: "Callable[[Progress], None]",
) -> "Iterator[Fleet | None]":
    """The workers that the options ask for, ended with the block; None is this process.

    Args:
        arguments: with the options of ``add_scaling``; without any, this process does the work.
        out: output folder; logs of a cluster's jobs go there.
        num_scans: scans of this run.
        progress: told what workers tell.

    Raises:
        ConfigError: MS-566 to MS-569, what a cluster lacks.
    """
    if arguments is not None:
        _refuse_options_of_others(arguments)
    if arguments is None or arguments.executor == "local":
        workers = 0 if arguments is None else arguments.workers
        device = "cpu" if arguments is None else str(arguments.device)
        with _local_fleet(workers, num_scans=num_scans, progress=progress, device=device) as fleet:
            yield fleet
    elif arguments.executor == "slurm":
        with _slurm_fleet(arguments, out) as fleet:
            yield fleet
    else:
        from medsym.screening.workers.dask_cluster import dask_executor
        from medsym.screening.workers.supervise import Fleet
        from medsym.screening.workers.work import screen_task

        with dask_executor(arguments.address) as executor:
            at_once = arguments.workers or _HANDED_IN
            stop = partial(executor.shutdown, wait=False)  # a scan that has begun goes on there
            yield Fleet(executor=executor, work=screen_task, at_once=at_once, stop=stop)


def _refuse_options_of_others(arguments: argparse.Namespace) -> None:
    engine = arguments.executor
    wrong = "--slurm" if arguments.slurm and engine != "slurm" else None
    wrong = "--address" if arguments.address and engine != "dask" else wrong
    if wrong or (engine == "dask" and not arguments.address):
        raise ConfigError(
            code="MS-569",
            subject=wrong or "--executor dask",
            cause=f"has no meaning with --executor {engine}" if wrong else "needs an --address",
            fix="give --executor slurm with --slurm, or --executor dask with --address",
        )


@contextmanager
def _slurm_fleet(arguments: argparse.Namespace, out: Path) -> "Iterator[Fleet]":
    from medsym.screening.folder import open_folder
    from medsym.screening.workers.slurm import SlurmExecutor
    from medsym.screening.workers.supervise import Fleet
    from medsym.screening.workers.work import screen_job

    at_once = arguments.workers or _HANDED_IN
    pairs = [text.partition("=") for text in arguments.slurm]
    executor = SlurmExecutor(
        open_folder(out) / "logs" / "slurm",
        parameters={key: value for key, _, value in pairs},
        at_once=at_once,
    )
    try:
        yield Fleet(
            executor=executor,
            work=screen_job,
            at_once=at_once,
            scans_per_task=arguments.scans_per_job,
            retries_at_once=min(at_once, _RETRIES_AT_ONCE),
        )
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _local_fleet(
    workers: int | None,
    *,
    num_scans: int,
    progress: "Callable[[Progress], None]",
    device: str,
) -> "Iterator[Fleet | None]":
    from medsym.screening.progress import Progress
    from medsym.screening.workers.pool import WorkerPool
    from medsym.screening.workers.sizing import default_workers
    from medsym.screening.workers.supervise import Fleet
    from medsym.screening.workers.work import screen_task

    if workers is None and num_scans > 1:
        workers, why = default_workers(num_scans, device=device)
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
