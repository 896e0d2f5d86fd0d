"""The evaluation on synthesised subjects: from a plan to the numbers of every table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from medsym.calibration.conformal import fewest_cases
from medsym.errors import ConfigError
from medsym.evaluation.collecting import Collector, Report
from medsym.evaluation.columns import Columns, Numbers
from medsym.evaluation.healthy_images import HealthyImages
from medsym.evaluation.journal import Journal
from medsym.evaluation.leakage import refuse_leakage
from medsym.evaluation.methods import MIRROR_DIFFERENCE, Candidate
from medsym.evaluation.strata import summarise_strata
from medsym.evaluation.subject_tables import write_subject_tables
from medsym.evaluation.subjects import (
    CONDITIONS,
    HEALTHY,
    LESIONS,
    MIRRORED,
    RETEST,
    TORQUE,
    Group,
    SubjectSource,
    condition_groups,
)
from medsym.evaluation.summary import (
    summarise_condition,
    summarise_methods,
    summarise_models,
    summarise_pairs,
    summarise_torque,
)
from medsym.inference.case import FALSE_ALARM_RATE, grid_of
from medsym.synthesis.settings import SynthesisConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to draw.

    Attributes:
        synthesis: of a training configuration; its test and reference anatomies are drawn from.
        seed: of the draws; another one than training used.
        number: subjects with lesions, and as many healthy ones.
        robustness: of either in every condition, for the mirrored copies and the second sessions;
            0 leaves these tables out; at most ``number``.
        reference_draws: healthy reference subjects: half give the reference images, half the
            thresholds, but never fewer than alpha needs.
        alpha: promised rate of healthy scans with a false alarm.
    """

    synthesis: SynthesisConfig
    seed: int
    number: int
    robustness: int
    reference_draws: int
    alpha: float = FALSE_ALARM_RATE

    @property
    def threshold_draws(self) -> int:
        """Healthy subjects behind the thresholds."""
        return max(self.reference_draws // 2, fewest_cases(self.alpha))


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """What real scans are compared with: reference images and thresholds of every method."""

    images: HealthyImages
    thresholds: Mapping[str, float]


def evaluate_synthetic(
    plan: Plan,
    candidates: Sequence[Candidate],
    *,
    report: Report,
    device: torch.device,
    folder: Path | None = None,
) -> tuple[Numbers, Frozen]:
    """Score every method on synthesised test subjects.

    Args:
        plan: what to draw.
        candidates: the model under test first, then those to compare with.
        report: told the progress.
        device: where subjects are drawn.
        folder: keeps finished subjects, to go on after a kill, and gets the tables of subjects.

    Returns:
        (numbers of all tables, what was frozen).

    Raises:
        ConfigError: MS-380 too few reference subjects, MS-381 another evaluation is in the folder,
            MS-383 a model was trained on the test set, MS-384 the models need different grids.
    """
    remarks = refuse_leakage(plan.synthesis.source, candidates)
    spacing_mm = _common_spacing(candidates)
    source = SubjectSource(plan.synthesis, seed=plan.seed, spacing_mm=spacing_mm, device=device)
    journal = Journal(folder, stated=_stated(plan, candidates, spacing_mm=spacing_mm))
    collector = Collector(
        source=source,
        candidates=candidates,
        journal=journal,
        report=report,
        alpha=plan.alpha,
        folder=folder,
    )
    for remark in remarks:
        report(f"note: {remark}")
    if len(journal):
        report(f"{len(journal)} finished subjects in {folder} are used again")
    collector.freeze(
        image_draws=max(plan.reference_draws // 2, 2), threshold_draws=plan.threshold_draws
    )
    rows = _collect(collector, plan)
    numbers = _summarise(rows, collector, plan=plan) | {"remarks": remarks}
    if folder is not None:
        write_subject_tables(folder, rows)
    assert collector.images is not None
    return numbers, Frozen(images=collector.images, thresholds=collector.thresholds)


def _common_spacing(candidates: Sequence[Candidate]) -> float:
    spacings = {c.name: grid_of(c.model).spacing_mm for c in candidates}
    if len(set(spacings.values())) > 1:
        raise ConfigError(
            code="MS-384",
            subject="models",
            cause="need different grids: "
            + ", ".join(f"{name} {mm:g} mm" for name, mm in spacings.items()),
            fix="compare models of one spacing on synthesised subjects, or give --cases alone",
        )
    return next(iter(spacings.values()))


def _stated(plan: Plan, candidates: Sequence[Candidate], *, spacing_mm: float) -> dict[str, Any]:
    """Everything that a finished row depends on; more subjects may be asked for later."""
    return {
        "medsym": version("medsym"),
        "seed": plan.seed,
        "alpha": plan.alpha,
        "reference_draws": plan.reference_draws,
        "spacing_mm": spacing_mm,
        "synthesis": plan.synthesis.model_dump(mode="json", exclude={"source": {"cache"}}),
        "models": {
            c.name: [c.model.manifest.get("sha256"), c.model.manifest.get("reference_sha256")]
            for c in candidates
        },
    }


def _collect(collector: Collector, plan: Plan) -> dict[str, list[dict[str, Any]]]:
    wanted: list[tuple[Group, int]] = [(LESIONS, plan.number), (HEALTHY, plan.number)]
    few = min(plan.robustness, plan.number)
    if few:
        wanted += [(group, few) for group in (MIRRORED, RETEST, *condition_groups())]
    return {group.name: collector.rows(group, number) for group, number in wanted}


def _summarise(
    rows: Mapping[str, Sequence[dict[str, Any]]], collector: Collector, *, plan: Plan
) -> Numbers:
    candidates, methods = collector.candidates, collector.method_names
    lesions, healthy = Columns.of(rows[LESIONS.name]), Columns.of(rows[HEALTHY.name])
    rivals = [MIRROR_DIFFERENCE, *(c.main_method for c in candidates[1:])]
    rival = rivals[1] if len(rivals) > 1 else rivals[0]
    assert collector.images is not None
    numbers: Numbers = {
        "candidates": [c.name for c in candidates],
        "alpha": plan.alpha,
        "rival": rival,
        "reference": {
            "images": dict(collector.images.scans),
            "threshold_draws": plan.threshold_draws,
            "split": collector.source.split_of(Group(name="", split="reference")),
        },
        "thresholds": dict(collector.thresholds),
        "main": summarise_methods(lesions, healthy, methods=methods, rivals=rivals),
        "strata": summarise_strata(lesions, methods=methods, rival=rival),
        "models": summarise_models(
            lesions,
            healthy,
            models=_parameters(candidates),
            shipped=_shipped(candidates, collector.thresholds, alpha=plan.alpha),
        ),
    }
    if MIRRORED.name in rows:
        numbers |= _robustness(rows, methods=methods, candidates=candidates)
    return numbers


def _robustness(
    rows: Mapping[str, Sequence[dict[str, Any]]],
    *,
    methods: Sequence[str],
    candidates: Sequence[Candidate],
) -> Numbers:
    def group(condition: str, standard: Group) -> Sequence[dict[str, Any]]:
        return rows[f"{condition}, {standard.name}"]

    few = len(rows[MIRRORED.name])
    strict = next((c for c in candidates if c.is_strict), candidates[0])
    return {
        "pairs": summarise_pairs(
            Columns.of(rows[MIRRORED.name]), Columns.of(rows[RETEST.name]), methods=methods
        ),
        "conditions": {
            name: summarise_condition(
                Columns(tuple(group(name, LESIONS))),
                Columns.of(group(name, HEALTHY)),
                standard=rows[LESIONS.name][:few],
                standard_healthy=rows[HEALTHY.name][:few],
                methods=methods,
            )
            for name in CONDITIONS
        },
        "torque": summarise_torque(
            Columns.of(group(TORQUE, LESIONS)),
            Columns.of(group(TORQUE, HEALTHY)),
            methods=methods,
            reference=f"{strict.name} deviation",
        ),
    }


def _parameters(candidates: Sequence[Candidate]) -> dict[str, int]:
    return {c.name: sum(p.numel() for p in c.model.network.parameters()) for c in candidates}


def _shipped(
    candidates: Sequence[Candidate], thresholds: Mapping[str, float], *, alpha: float
) -> dict[str, float | None]:
    """Threshold in each model's folder over the one that was frozen here."""
    found = {c.name: c.reference.threshold(alpha) for c in candidates}
    return {
        name: None if value is None else value / thresholds[f"{name} deviation"]
        for name, value in found.items()
    }
