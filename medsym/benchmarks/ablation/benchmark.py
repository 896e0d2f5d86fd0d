"""The ablation as a whole: subjects, trainings, scores and the summary."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
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
from medsym.benchmarks.ablation.unfinished import forget
from medsym.benchmarks.ablation.workers import run_trainings
from medsym.benchmarks.machine import machine
from medsym.errors import ConfigError
from medsym.volumes.output_file import writable_folder

Report = Callable[[str], None]
SEARCH_SEED = 1_000_003  # of the trainings that choose a rate; no other training has it
LAST_SECONDS = 6.0  # for the summary, after the last training


def run_ablation(
    settings: AblationSettings, resources: Resources, *, report: Report = lambda _line: None
) -> dict[str, Any]:
    """Train every arm with every seed on the same subjects, and compare them.

    Subjects, finished trainings and, every two minutes, unfinished ones stay in the folder, so the
    same command goes on where it was stopped.

    Args:
        settings: What is compared; the same settings and steps give the same numbers on one
            machine.
        resources: Processes, time and folder.
        report: Receives lines of progress.

    Returns:
        ``settings``, ``machine``, ``steps``, ``mixed_precision``, ``seconds``, ``unfinished``
        (names of trainings that the time did not allow), ``search`` (rows of the trainings that
        chose the rates) and what :func:`medsym.benchmarks.ablation.summary.summarise` returns.

    Raises:
        ConfigError: MS-395 an unknown arm, MS-396 a training failed, MS-397 not one training
            finished in time, MS-398 the time did not allow the search of rates.
    """
    start, measured_on = time.time(), machine()
    settings.chosen()  # refuses a wrong name before anything is drawn
    writable_folder(resources.out)
    context = process_context(resources.device)
    files = SubjectFiles(resources.out, settings, keep=resources.device != "cpu")
    draw_missing(files, context=context, processes=resources.processes, report=report)
    run = _Run(files=files, resources=resources, context=context, report=report, start=start)
    searched = run.search()
    numbers = run.compare(searched)
    return {**numbers, "machine": measured_on, "seconds": time.time() - start}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """The two parts of an ablation on drawn subjects: the search of rates, the comparison."""

    files: SubjectFiles
    resources: Resources
    context: BaseContext
    report: Report
    start: float

    @property
    def settings(self) -> AblationSettings:
        return self.files.settings

    @property
    def device(self) -> torch.device:
        return torch.device(self.resources.device)

    def search(self) -> list[Row]:
        """Rows of the short trainings; none without a search."""
        search = self.settings.search
        if search is None:
            return []
        results = Results(self.resources.out, self.settings, steps=search.steps, searching=True)
        mixed = _mixed(self.settings, self.files, results, self.device)
        trainings = [
            Training(
                arm=arm,
                seed=SEARCH_SEED,
                rate=rate,
                searching=True,
                mixed_precision=mixed,
                device=self.device,
            )
            for rate in search.rates
            for arm in self.settings.chosen()
        ]
        self._train(trainings, results, total=search.steps)
        if any(training.name not in results.rows for training in trainings):
            raise ConfigError(
                code="MS-398",
                subject="--minutes",
                cause=f"{self.resources.minutes} minutes were not enough to choose the rates",
                fix="give more minutes or processes, or fewer steps of the search",
            )
        return [results.rows[training.name] for training in trainings]

    def compare(self, searched: Sequence[Row]) -> dict[str, Any]:
        """Train every network with every seed, whole seeds first, and compare them."""
        settings, minutes = self.settings, self.resources.minutes
        steps = settings.optimiser.steps if minutes is None else None
        results = Results(self.resources.out, settings, steps=steps)
        mixed = _mixed(settings, self.files, results, self.device)
        rates = best_rates(searched)
        trainings = [
            Training(
                arm=arm,
                seed=seed,
                rate=rates.get(arm.name, settings.optimiser.learning_rate),
                mixed_precision=mixed,
                device=self.device,
            )
            for seed in range(settings.seeds)
            for arm in settings.chosen()
        ]
        self._train(trainings, results, total=steps or results.shared("steps") or 0)
        kept = ("arm", "rate", "steps", "auprc", "subject_auprc")
        return {
            **_summary(trainings, results, settings, self.resources),
            "search": [{name: row[name] for name in kept} for row in searched],
        }

    def _train(self, trainings: Sequence[Training], results: Results, *, total: int) -> None:
        """Do those that are not done, and keep each as soon as it is."""
        missing = [training for training in trainings if training.name not in results.rows]
        waiting = [replace(training, place=place) for place, training in enumerate(missing)]
        self.report(f"{len(trainings)} trainings, {len(trainings) - len(waiting)} done")
        clock = SharedClock.start(
            self.context,
            runs=max(len(waiting), 1),
            total=total,
            deadline=_deadline(self.resources, self.start),
        )

        def keep(row: Row) -> None:
            results.add(row)
            forget(self.resources.out, row["run"])
            done = sum(training.name in results.rows for training in trainings)
            self.report(f"{done}/{len(trainings)} {_line(row)}")

        run_trainings(
            waiting,
            files=self.files,
            context=self.context,
            clock=clock,
            processes=self.resources.processes,
            keep=keep,
            report=self.report,
        )


def best_rates(searched: Sequence[Row]) -> dict[str, float]:
    """Of every network the rate with the largest area on the subjects of the search."""
    best = {}
    for row in sorted(searched, key=lambda row: float(row["auprc"])):
        best[str(row["arm"])] = float(row["rate"])
    return best


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
