"""Preparing a whole data set before training, so that every file is judged before the first step.

What cannot be used is named, counted and left out; too much of it stops the run. Which subjects a
run sees is then fixed, and subject i of a seed is the same after a restart.
"""

import logging
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from medsym.datasets.cache import Request, content_hash, is_cached, open_cache, prepared
from medsym.datasets.settings import DataSettings
from medsym.datasets.split import split_of
from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError, MedsymError, OutputError, ScanError
from medsym.volumes.frame import SymmetricGrid

logger = logging.getLogger(__name__)
Report = Callable[[str], None]
_SHOWN = 5
_MISPLACED = "MS-351"
_PROGRESS_PARTS = 10  # lines of progress in all


def requests_of(
    visits: Sequence[Visit], *, settings: DataSettings, grid: SymmetricGrid
) -> tuple[tuple[Visit, Request], ...]:
    """Every scan of the visits with what is asked of its preparation."""
    return tuple(
        (visit, request_of(visit, scan, settings=settings, grid=grid))
        for visit in visits
        for scan in visit.scans
    )


def request_of(
    visit: Visit, scan: VisitScan, *, settings: DataSettings, grid: SymmetricGrid
) -> Request:
    """What is asked of one scan's preparation."""
    return Request(
        scan=scan,
        grid=grid,
        labels=settings.lesion_labels,
        stated_side=visit.stated_side,
        restored=settings.masks_restored,
    )


def prepare_all(
    visits: Sequence[Visit],
    *,
    settings: DataSettings,
    grid: SymmetricGrid,
    workers: int = 0,
    start: float = 0.0,
    report: Report = logger.info,
) -> tuple[Visit, ...]:
    """Prepare every scan into the cache and leave out what cannot be used.

    Args:
        visits: as listed from the layout.
        settings: cache, labels, and the share of subjects that may be unusable.
        grid: lattice.
        workers: further processes that prepare; 0 works in this one.
        start: where in the list to begin, in [0, 1): processes that share a cache and begin at
            different places share the work.
        report: receives progress and one line per scan that is left out.

    Returns:
        The visits with the scans that can be used.

    Raises:
        ConfigError: MS-354 too many subjects have an unusable scan, MS-358 the cache cannot be
            used.
    """
    assert settings.cache is not None, "the settings demand a cache for every layout"
    folder = settings.cache
    open_cache(folder)
    asked = requests_of(visits, settings=settings, grid=grid)
    first = int(start * len(asked))
    missing = [job for job in asked[first:] + asked[:first] if not _is_there(job[1], folder)]
    jobs = [(request, folder) for _, request in missing]
    failed: dict[VisitScan, MedsymError] = {}
    outcomes = zip(missing, _run(jobs, workers=workers), strict=True)
    for done, ((visit, request), error) in enumerate(outcomes, start=1):
        if error is not None:
            failed[request.scan] = error
            report(f"left out: {visit.name} {request.scan.contrast}: {error}")
        elif done % max(len(missing) // _PROGRESS_PARTS, 1) == 0:
            report(f"prepared {done} of {len(missing)} scans")
    for visit in visits:
        _fail_with_mask(visit, failed, report=report)
    _judge_failures(visits, failed, settings=settings, report=report)
    usable = tuple(_without(visit, failed) for visit in visits)
    return tuple(visit for visit in usable if visit.scans)


def _is_there(request: Request, folder: Path) -> bool:
    try:
        return is_cached(request, folder=folder)
    except ScanError:
        return False  # its preparation says why


def _run(jobs: Sequence[tuple[Request, Path]], *, workers: int) -> Iterator[MedsymError | None]:
    """Outcome of every job, in order: None, or why the scan cannot be used."""
    if workers < 2 or len(jobs) <= workers:
        yield from map(_prepare_one, jobs)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_one_thread) as pool:
        yield from pool.map(_prepare_one, jobs)


def _one_thread() -> None:
    """The processes are the parallelism."""
    import torch

    torch.set_num_threads(1)


def _prepare_one(job: tuple[Request, Path]) -> MedsymError | None:
    """Prepare one scan into the cache; the error if it cannot be used."""
    request, folder = job
    try:
        prepared(request, folder=folder)
    except OutputError:
        raise
    except MedsymError as error:
        return error
    return None


def _fail_with_mask(visit: Visit, failed: dict[VisitScan, MedsymError], *, report: Report) -> None:
    """A mask that lies elsewhere than a scan with its voxels is wrong for all scans of the visit.

    Where the layout says that it was drawn on another scan, that one judges it.
    """
    misplaced = {
        scan.mask: failed[scan]
        for scan in visit.scans
        if scan in failed and failed[scan].code == _MISPLACED and scan.drawn_on is None
    }
    for scan in visit.scans:
        if scan.mask in misplaced and scan not in failed:
            failed[scan] = misplaced[scan.mask]
            report(f"left out: {visit.name} {scan.contrast}: {failed[scan]}")


def _without(visit: Visit, failed: dict[VisitScan, MedsymError]) -> Visit:
    return replace(visit, scans=tuple(scan for scan in visit.scans if scan not in failed))


def _judge_failures(
    visits: Sequence[Visit],
    failed: dict[VisitScan, MedsymError],
    *,
    settings: DataSettings,
    report: Report,
) -> None:
    """Say how many subjects have unusable scans, or stop when there are too many."""
    if not failed:
        return
    subjects = {visit.subject for visit in visits}
    hit = sorted({v.subject for v in visits if any(scan in failed for scan in v.scans)})
    cause = f"{len(failed)} scans of {len(hit)} of {len(subjects)} subjects cannot be used"
    if len(hit) < settings.unreadable_share * len(subjects):
        report(f"{cause} and are left out: {', '.join(hit[:_SHOWN])}")
        return
    first = next(iter(failed.values()))
    raise ConfigError(
        code="MS-354",
        subject=str(settings.folder),
        cause=f"{cause} (limit {100 * settings.unreadable_share:g} %); the first: {first.code} "
        f"{first.subject}: {first.cause}",
        fix="Repair or remove these files, or raise data.unreadable_share",
    )


def refuse_twins(visits: Sequence[Visit], *, settings: DataSettings) -> None:
    """Refuse one file under two names that the split parts: it would be trained and tested on.

    Raises:
        ConfigError: MS-356.
    """
    owners: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for visit in visits:
        for scan in visit.scans:
            try:
                owners[content_hash(scan)[0], scan.volume_index].add(visit.subject)
            except ScanError:
                continue  # named when it is prepared
    for names in owners.values():
        listed = ", ".join(sorted(names))
        if len({split_of(name, settings=settings) for name in names}) > 1:
            raise ConfigError(
                code="MS-356",
                subject=str(settings.folder),
                cause=f"one and the same scan belongs to several subjects: {listed}",
                fix="Remove the copies, or name these subjects in data.together",
            )
        if len(names) > 1:
            logger.warning("one and the same scan belongs to several subjects: %s", listed)
