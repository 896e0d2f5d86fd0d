"""The ablation as a whole: subjects, trainings, scores kept line by line, and the summary."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsym.benchmarks.ablation.clock import SharedClock
from medsym.benchmarks.ablation.settings import AblationSettings, Resources
from medsym.benchmarks.ablation.subjects import SubjectFiles, draw_missing
from medsym.benchmarks.ablation.summary import summarise
from medsym.benchmarks.ablation.training import Training, bfloat16_is_faster
from medsym.benchmarks.ablation.workers import Row, process_context, run_trainings
from medsym.benchmarks.machine import machine
from medsym.errors import ConfigError
from medsym.strict_json import finite

Report = Callable[[str], None]
RESULTS = "ablation.jsonl"
LAST_SECONDS = 6.0  # for the summary, after the last training


def run_ablation(
    settings: AblationSettings, resources: Resources, *, report: Report = lambda _line: None
) -> dict[str, Any]:
    """Train every arm with every seed on the same subjects, and compare them.

    A finished training is one line of ``ablation.jsonl`` in the folder, so the same command goes
    on where it was stopped.

    Args:
        settings: What is compared; the same settings and steps give the same numbers on one
            machine.
        resources: Processes, time and folder.
        report: Receives lines of progress.

    Returns:
        ``settings``, ``machine``, ``steps``, ``unfinished`` (names of trainings that the time did
        not allow) and what :func:`medsym.benchmarks.ablation.summary.summarise` returns.

    Raises:
        ConfigError: MS-395 an unknown arm, MS-396 a training failed, MS-397 not one training
            finished in time.
    """
    start = time.time()
    arms = settings.chosen()
    resources.out.mkdir(parents=True, exist_ok=True)
    files = SubjectFiles(resources.out, settings)
    context = process_context()
    draw_missing(files, context=context, processes=resources.processes, report=report)
    results = resources.out / RESULTS
    rows = _finished(results, settings, fixed=resources.minutes is None)
    mixed = _precision(settings, files, rows)
    every = [
        Training(arm=arm, seed=seed, place=0, mixed_precision=mixed)
        for seed in range(settings.seeds)
        for arm in arms
    ]
    missing = [training for training in every if training.name not in rows]
    waiting = [replace(training, place=place) for place, training in enumerate(missing)]
    clock = SharedClock.start(
        context,
        runs=max(len(waiting), 1),
        total=_steps(settings, rows, fixed=resources.minutes is None),
        deadline=_deadline(resources, start),
    )

    def keep(row: Row) -> None:
        row["key"] = settings.run_key()
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(row), allow_nan=False) + "\n")
        rows[row["run"]] = row
        report(_line(row, number=len(rows), total=len(every)))

    bits = "bfloat16" if mixed else "float32"
    report(f"{len(every)} trainings in {bits}, {len(every) - len(waiting)} done")
    if waiting:
        run_trainings(
            waiting,
            files=files,
            context=context,
            clock=clock,
            processes=resources.processes,
            keep=keep,
            report=report,
        )
    if not rows:
        raise _too_short(resources)
    wanted = {training.name: rows[training.name] for training in every if training.name in rows}
    return {
        "settings": settings.model_dump(mode="json"),
        "machine": machine(),
        "steps": next(iter(rows.values()))["steps"],
        "unfinished": sorted({t.name for t in every} - set(wanted)),
        "seconds": time.time() - start,
        **summarise(list(wanted.values()), settings=settings),
    }


def _deadline(resources: Resources, start: float) -> float:
    if resources.minutes is None:
        return math.inf
    return start + 60.0 * resources.minutes - LAST_SECONDS


def _finished(results: Path, settings: AblationSettings, *, fixed: bool) -> dict[str, Row]:
    """Trainings of these settings that are in the file, by name; all of the same steps."""
    if not results.is_file():
        return {}
    rows: dict[str, Row] = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # cut off when the run was killed
            continue
        if row["key"] != settings.run_key():
            continue
        if (row["steps"] == settings.optimiser.steps) if fixed else True:
            rows[row["run"]] = row
    last = max((row["steps"] for row in rows.values()), default=0)
    return {name: row for name, row in rows.items() if row["steps"] == last}


def _steps(settings: AblationSettings, rows: dict[str, Row], *, fixed: bool) -> int:
    """Steps that are known beforehand: configured, or those of the trainings that are done."""
    if fixed:
        return settings.optimiser.steps
    return int(next(iter(rows.values()))["steps"]) if rows else 0


def _precision(settings: AblationSettings, files: SubjectFiles, rows: dict[str, Row]) -> bool:
    """Whether the passes of a training run in bfloat16; as in the trainings that are done."""
    if rows:
        return bool(next(iter(rows.values()))["mixed_precision"])
    if settings.precision == "fastest":
        return bfloat16_is_faster(files)
    return settings.precision == "bfloat16"


def _line(row: Row, *, number: int, total: int) -> str:
    return (
        f"{number}/{total} {row['run']}: AUPRC {row['auprc']:.3f}, per subject "
        f"{row['subject_auprc']:.3f} (chance {row['prevalence']:.4f}), "
        f"structure Dice {row['dice']:.3f}, defect {row['defect']:.1e}, "
        f"{row['train_cpu_seconds']:.0f} s"
    )


def _too_short(resources: Resources) -> ConfigError:
    return ConfigError(
        code="MS-397",
        subject="--minutes",
        cause=f"{resources.minutes} minutes were not enough for one training",
        fix="give more minutes or processes; drawn subjects are kept",
    )
