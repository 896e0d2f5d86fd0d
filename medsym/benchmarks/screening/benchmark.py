"""What screening a scan costs from the command line: time by stage, memory, throughput.

Every measurement is a process of its own that does what a user's does. Rounds go over all scans
before a scan is measured again, so that a busy minute of the machine does not fall on one of them.
"""

import os
import re
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medsym.benchmarks.machine import machine
from medsym.benchmarks.screening.process import Cost, run_screen
from medsym.volumes.stored_scan import scan_files

#: Scans per worker in a quick measurement of throughput; with more, starting them counts less.
SCANS_PER_WORKER = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreeningPlan:
    """What is measured.

    Attributes:
        scans: NIfTI files.
        repeat: runs of each scan.
        workers: numbers of workers whose throughput is measured; empty leaves it out.
        scans_per_worker: scans of a measurement, for each of the largest number of workers.
        model: model folder; None is the shipped model.
    """

    scans: tuple[Path, ...]
    repeat: int = 1
    workers: tuple[int, ...] = ()
    scans_per_worker: int = SCANS_PER_WORKER
    model: Path | None = None


def run_screening_benchmark(
    plan: ScreeningPlan, *, report: Callable[[str], None]
) -> dict[str, Any]:
    """Measure; returns "scans", "throughput" and "machine" as plain values.

    Raises:
        OutputError: MS-630, a scan could not be screened.
    """
    costs: dict[int, list[Cost]] = {number: [] for number in range(len(plan.scans))}
    with tempfile.TemporaryDirectory(prefix="medsym-bench-") as name:
        folder = Path(name)
        for turn in range(plan.repeat):
            for number, scan in enumerate(plan.scans):
                cost = run_screen([scan], folder / "out", model=plan.model)
                costs[number].append(cost)
                report(f"round {turn + 1} of {plan.repeat}: {scan.name} {cost.seconds:.1f} s")
        throughput = _throughput(plan, folder, report=report)
    return {
        "scans": [
            {"scan": path.name} | _summary(costs[number]) for number, path in enumerate(plan.scans)
        ],
        "throughput": throughput,
        "machine": machine(),
        "processors": os.cpu_count(),
    }


def _summary(costs: Sequence[Cost]) -> dict[str, Any]:
    """Medians over the runs of one scan; the peak is the largest."""
    processor = [cost.cpu_s for cost in costs if cost.cpu_s is not None]
    peaks = [cost.peak_mib for cost in costs if cost.peak_mib is not None]
    return {
        "seconds": statistics.median(cost.seconds for cost in costs),
        "cpu_s": statistics.median(processor) if processor else None,
        "peak_mib": max(peaks, default=None),
        "stages": _medians([cost.stages for cost in costs]),
        "stages_cpu_s": _medians([cost.stages_cpu_s for cost in costs]),
        "runs": [asdict(cost) for cost in costs],
    }


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {stage: statistics.median(row[stage] for row in rows) for stage in rows[0]}


def _throughput(
    plan: ScreeningPlan, folder: Path, *, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Scans per hour by number of workers, on the same scans."""
    if not plan.workers:
        return []
    number = plan.scans_per_worker * max(plan.workers)
    copies = _copies(plan.scans, folder / "scans", number=number)
    rows: list[dict[str, Any]] = []
    for workers in plan.workers:
        cost = run_screen(copies, folder / "out", model=plan.model, workers=workers)
        rows.append(
            {
                "workers": workers,
                "scans": cost.scans,
                "scans_per_hour": 3600.0 * cost.scans / cost.seconds,
                "ratio": rows[0]["cost"]["seconds"] / cost.seconds if rows else 1.0,
                "cost": asdict(cost),
            }
        )
        report(f"{workers} workers: {rows[-1]['scans_per_hour']:.0f} scans an hour")
    return rows


def _copies(scans: Sequence[Path], folder: Path, *, number: int) -> list[Path]:
    """Links to the scans under names of their own, as many as asked for, in turn."""
    folder.mkdir()
    links = []
    for index in range(number):
        for file in scan_files(scans[index % len(scans)].resolve()):
            ending = re.search(r"\.(nii|hdr|img)(\.gz)?$", file.name, re.IGNORECASE)
            link = folder / f"sub-{index:03d}_scan{ending[0] if ending else file.suffix}"
            link.symlink_to(file)
        links.append(link)
    return links
