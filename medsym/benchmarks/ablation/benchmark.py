"""The ablation as a whole: subjects, trainings, scores and the summary."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from medsym.benchmarks.ablation.clock import SharedClock
from medsym.benchmarks.ablation.drawing import draw_missing
from medsym.benchmarks.ablation.processes import process_context
from medsym.benchmarks.ablation.results import Results, Row
from medsym.benchmarks.ablation.settings import AblationSettings, Resources
from medsym.benchmarks.ablation.subjects import SubjectFiles
from medsym.benchmarks.ablation.summary import summarise
from medsym.benchmarks.ablation.training import Training, bfloat16_is_faster
from medsym.benchmarks.ablation.workers import run_trainings
from medsym.benchmarks.machine import machine
from medsym.errors import ConfigError

Report = Callable[[str], None]
LAST_SECONDS = 6.0  # for the summary, after the last training


def run_ablation(
    settings: AblationSettings, resources: Resources, *, report: Report = lambda _line: None
) -> dict[str, Any]:
    """Train every arm with every seed on the same subjects, and compare them.

    Subjects and finished trainings stay in the folder, so the same command goes on where it was
    stopped.

    Args:
        settings: What is compared; the same settings and steps give the same numbers on one
            machine.
        resources: Processes, time and folder.
        report: Receives lines of progress.

    Returns:
        ``settings``, ``machine``, ``steps``, ``mixed_precision``, ``seconds``, ``unfinished``
        (names of trainings that the time did not allow) and what
        :func:`medsym.benchmarks.ablation.summary.summarise` returns.

    Raises:
        ConfigError: MS-395 an unknown arm, MS-396 a training failed, MS-397 not one training
            finished in time.
    """
    start, measured_on = time.time(), machine()
    settings.chosen()  # refuses a wrong name before anything is drawn
    resources.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(resources.device)
    files = SubjectFiles(resources.out, settings, keep=device.type != "cpu")
    context = process_context(resources.device)
    draw_missing(files, context=context, processes=resources.processes, report=report)
    steps = settings.optimiser.steps if resources.minutes is None else None
    results = Results(resources.out, settings, steps=steps)
    mixed = _mixed(settings, files, results, device)
    trainings = _trainings(settings, mixed=mixed, device=device)
    waiting = _still_to_do(trainings, results)
    report(f"{len(trainings)} trainings, {len(trainings) - len(waiting)} done")
    clock = SharedClock.start(
        context,
        runs=max(len(waiting), 1),
        total=steps or results.shared("steps") or 0,
        deadline=_deadline(resources, start),
    )

    def keep(row: Row) -> None:
        results.add(row)
        report(f"{len(results.rows)}/{len(trainings)} {_line(row)}")

    run_trainings(
        waiting,
        files=files,
        context=context,
        clock=clock,
        processes=resources.processes,
        keep=keep,
        report=report,
    )
    numbers = _summary(trainings, results, settings, resources)
    return {**numbers, "machine": measured_on, "seconds": time.time() - start}


def _trainings(settings: AblationSettings, *, mixed: bool, device: torch.device) -> list[Training]:
    """All of them, whole seeds first."""
    return [
        Training(arm=arm, seed=seed, place=0, mixed_precision=mixed, device=device)
        for seed in range(settings.seeds)
        for arm in settings.chosen()
    ]


def _still_to_do(trainings: list[Training], results: Results) -> list[Training]:
    missing = [training for training in trainings if training.name not in results.rows]
    return [replace(training, place=place) for place, training in enumerate(missing)]


def _mixed(
    settings: AblationSettings, files: SubjectFiles, results: Results, device: torch.device
) -> bool:
    """Whether the passes of a training run in bfloat16; as in the trainings that are done."""
    if results.rows:
        return bool(results.shared("mixed_precision"))
    if settings.precision == "fastest":
        return bfloat16_is_faster(files, device)
    return settings.precision == "bfloat16"


def _deadline(resources: Resources, start: float) -> float:
    if resources.minutes is None:
        return math.inf
    return start + 60.0 * resources.minutes - LAST_SECONDS


def _line(row: Row) -> str:
    return (
        f"{row['run']}: AUPRC {row['auprc']:.3f}, per subject "
        f"{row['subject_auprc']:.3f} (chance {row['prevalence']:.4f}), "
        f"structure Dice {row['dice']:.3f}, defect {row['defect']:.1e}, "
        f"{row['train_cpu_seconds']:.0f} s"
    )


def _summary(
    trainings: list[Training], results: Results, settings: AblationSettings, resources: Resources
) -> dict[str, Any]:
    names = [training.name for training in trainings]
    rows = [results.rows[name] for name in names if name in results.rows]
    if not rows:
        raise ConfigError(
            code="MS-397",
            subject="--minutes",
            cause=f"{resources.minutes} minutes were not enough for one training",
            fix="give more minutes or processes; drawn subjects are kept",
        )
    return {
        "settings": settings.model_dump(mode="json"),
        "steps": results.shared("steps"),
        "mixed_precision": results.shared("mixed_precision"),
        "unfinished": [name for name in names if name not in results.rows],
        **summarise(rows, settings=settings),
    }
