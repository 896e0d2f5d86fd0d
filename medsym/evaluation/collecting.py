"""Draws the subjects of an evaluation, scores every method on each, and keeps the rows.

Each subject is drawn once and all methods score it. Rows hold no maps: an evaluation of hundreds of
subjects needs the memory of one.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsym.evaluation.freezing import frozen_thresholds
from medsym.evaluation.healthy_images import (
    HealthyImages,
    HealthyMoments,
    load_images,
    save_images,
)
from medsym.evaluation.journal import Journal, Row
from medsym.evaluation.lesions import Truth
from medsym.evaluation.methods import Candidate, MethodMaps, method_maps, method_names
from medsym.evaluation.metrics import structure_dice
from medsym.evaluation.scoring import (
    finite_or_none,
    healthy_row,
    in_thresholds,
    lesion_facts,
    lesion_row,
    parity_row,
    retest_row,
    torque_row,
)
from medsym.evaluation.subjects import IMAGES, THRESHOLDS, Group, Subject, SubjectSource

#: Longest silence between two finished subjects, seconds.
REPORT_EVERY_S = 5.0
IMAGES_FILE = "healthy_images.safetensors"
Report = Callable[[str], None]


@dataclass(slots=True)
class Collector:
    """One evaluation under way.

    Attributes:
        source: draws subjects.
        candidates: models under test.
        journal: finished rows.
        report: told the progress.
        alpha: promised rate of false alarms.
        folder: for the reference images; None keeps them in memory alone.
        images: healthy reference images, after :meth:`freeze`.
        thresholds: frozen threshold of every method, after :meth:`freeze`.
    """

    source: SubjectSource
    candidates: Sequence[Candidate]
    journal: Journal
    report: Report
    alpha: float
    folder: Path | None = None
    images: HealthyImages | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def freeze(self, *, image_draws: int, threshold_draws: int) -> None:
        """Make the reference images, then the threshold of every method, on healthy subjects.

        Args:
            image_draws: healthy reference subjects behind the images.
            threshold_draws: others, whose largest scores give the thresholds.

        Raises:
            ConfigError: MS-380 too few subjects for alpha.
        """
        self.images = self._make_images(image_draws)
        rows = self.rows(THRESHOLDS, threshold_draws)
        peaks = {name: [row["methods"][name]["peak"] for row in rows] for name in self.method_names}
        self.thresholds = frozen_thresholds(peaks, alpha=self.alpha)

    @property
    def method_names(self) -> tuple[str, ...]:
        """Rows of the tables."""
        return method_names(self.candidates, with_images=True)

    def rows(self, group: Group, number: int) -> list[Row]:
        """The rows of the first subjects of a group; those that are missing are made."""
        rows, told = [], time.monotonic()
        for index in range(number):
            fresh = (group.name, index) not in self.journal
            make = functools.partial(self._row, group, index)
            rows.append(self.journal.row(group.name, index, make=make))
            is_due = index + 1 == number or time.monotonic() - told >= REPORT_EVERY_S
            if fresh and is_due:
                told = time.monotonic()
                self.report(f"{group.name}: {index + 1}/{number} subjects")
        return rows

    def _make_images(self, number: int) -> HealthyImages:
        path = None if self.folder is None else self.folder / IMAGES_FILE
        if path is not None and path.exists():
            return load_images(path)
        told = time.monotonic()
        moments = HealthyMoments(spacing_mm=self.source.canvas.spacing_mm)
        for index in range(number):
            scan = self.source.draw(IMAGES, index).scan
            moments.add(scan.image, scan.brain, kind=scan.kind)
            if index + 1 == number or time.monotonic() - told >= REPORT_EVERY_S:
                told = time.monotonic()
                self.report(f"{IMAGES.name}: {index + 1}/{number} healthy subjects")
        images = moments.finish()
        if path is not None:
            save_images(path, images)
        return images

    def _row(self, group: Group, index: int) -> Row:
        if group.task == "retest":
            return self._retest(group, index)
        subject = self.source.draw(group, index)
        found = self._methods(subject)
        if group.task == "threshold":
            return {"methods": {n: {"peak": float(m.max())} for n, m in found.maps.items()}}
        if group.lesions and not subject.lesion.any():
            return {"empty": True}
        if group.task == "mirror":
            return self._mirrored(subject, found)
        return self._scored(subject, found, curves=group.task == "score")

    def _methods(self, subject: Subject) -> MethodMaps:
        return method_maps(subject.scan, candidates=self.candidates, images=self.images)

    def _scored(self, subject: Subject, found: MethodMaps, *, curves: bool) -> Row:
        scan, truth = subject.scan, Truth.of(subject.lesion)
        spacing = scan.spacing_mm
        how: dict[str, Any] = {"brain": scan.brain, "spacing_mm": spacing, "curves": curves}
        methods: dict[str, Any] = {}
        for name, score in in_thresholds(found.maps, self.thresholds).items():
            diseased = bool(truth.sizes.size)
            row = lesion_row(score, truth=truth, **how) if diseased else healthy_row(score, **how)
            region = subject.torque_region
            methods[name] = row | torque_row(score, truth=truth, region=region, spacing_mm=spacing)
        facts = {"anatomy": subject.anatomy, "kind": scan.kind, "lesions": int(truth.sizes.size)}
        if truth.sizes.size:
            scored = scan.brain | subject.lesion
            facts |= lesion_facts(subject.lesion, spacing_mm=spacing)
            facts |= {"prevalence": float(subject.lesion[scored].mean())}
            facts |= {"contrast_sd": subject.contrast_sd}
        return {"facts": facts, "methods": methods, "models": self._models(subject, found)}

    def _models(self, subject: Subject, found: MethodMaps) -> dict[str, Any]:
        """What is measured of a model beside its maps."""
        models = {}
        for candidate in self.candidates:
            overlap = structure_dice(found.anatomy[candidate.name], subject.structures)
            beyond = found.beyond_bound[candidate.name][subject.lesion]
            models[candidate.name] = {
                "structure_dice": finite_or_none(overlap.tolist()),
                "beyond_bound": float(beyond.mean()) if beyond.size else None,
                "seconds": found.seconds[candidate.name],
            }
        return models

    def _mirrored(self, subject: Subject, found: MethodMaps) -> Row:
        """The subject and its mirrored copy, which really goes through every method again."""
        scan = subject.scan
        again = method_maps(scan.mirrored(), candidates=self.candidates, images=self.images)
        methods = {
            name: parity_row(values, again.maps[name], lesion=subject.lesion, brain=scan.brain)
            for name, values in found.maps.items()
        }
        return {"methods": methods}

    def _retest(self, group: Group, index: int) -> Row:
        first, second = self.source.sessions(group, index)
        maps = [in_thresholds(self._methods(s).maps, self.thresholds) for s in (first, second)]
        return {
            "methods": {
                name: retest_row(values, maps[1][name], brain=first.scan.brain)
                for name, values in maps[0].items()
            }
        }
