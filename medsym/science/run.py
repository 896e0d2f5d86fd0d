"""From a model and a configuration to the numbers and figures of the report."""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError
from medsym.evaluation.leakage import refuse_leakage
from medsym.evaluation.methods import Candidate
from medsym.inference.case import FALSE_ALARM_RATE
from medsym.inference.findings import DEFAULT_PEAK_SD
from medsym.science.atlas import Atlas, AtlasCollector
from medsym.science.cases import SeenCases, see_cases
from medsym.science.false_alarms import calibration_curve
from medsym.science.intervals import Numbers
from medsym.science.layers import softness_of
from medsym.science.panels import Panel, panel_of_subject
from medsym.science.reliability import ReliabilityCollector
from medsym.science.sides import SideEnergy
from medsym.science.structure_rows import StructureCollector
from medsym.science.subjects import Drawing, Report, seen_by

#: Synthesised subjects whose maps are shown.
SHOWN_SUBJECTS = 4
#: Resampling subjects needs more than one.
FEWEST_SUBJECTS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """What is measured, and on what.

    Attributes:
        candidate: the model.
        drawing: where synthesised subjects come from.
        number: healthy subjects, and as many drawn as in training.
        cases: table of real scans; None leaves them out.
    """

    candidate: Candidate
    drawing: Drawing
    number: int
    cases: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Everything that the report shows.

    Attributes:
        numbers: plain values.
        atlas: mean maps.
        subjects, cases: what is drawn of synthesised and of real cases.
        peak_sd: deviation that a finding has to reach.
    """

    numbers: Numbers
    atlas: Atlas
    subjects: tuple[Panel, ...]
    cases: tuple[Panel, ...]
    peak_sd: float


@dataclass(slots=True)
class _Healthy:
    """What is collected from the healthy subjects."""

    atlas: AtlasCollector = field(default_factory=AtlasCollector)
    structures: StructureCollector = field(default_factory=StructureCollector)
    peaks: list[float] = field(default_factory=list)
    anatomies: dict[str, int] = field(default_factory=dict)


def run_study(study: Study, *, report: Report) -> Findings:
    """Measure everything.

    Args:
        study: what to measure.
        report: told the progress.

    Raises:
        ConfigError: MS-400 too few subjects, MS-330 the table cannot be used, MS-383 the model was
            trained on the subjects.
    """
    _refuse_few(study.number)
    candidate = study.candidate
    remarks = refuse_leakage(study.drawing.synthesis.source, [candidate])
    energy = SideEnergy()
    with energy.watching(candidate.model.network):
        healthy = _see_healthy(study, energy=energy, report=report)
        reliability, panels = _see_diseased(study, energy=energy, report=report)
    cases = SeenCases()
    if study.cases is not None:
        cases = see_cases(study.cases, candidate, report=report)
    atlas = healthy.atlas.finish()
    numbers: Numbers = {
        "medsym": version("medsym"),
        "model": model_facts(candidate),
        "alpha": FALSE_ALARM_RATE,
        "synthetic": {
            "healthy_subjects": study.number,
            "subjects_as_in_training": study.number,
            "seed": study.drawing.seed,
            "anatomies": healthy.anatomies,
            "remarks": remarks,
        },
        "tolerance": atlas.numbers,
        "structures": healthy.structures.finish(),
        "softness": softness_of(candidate.model.folder),
        "reliability": reliability.finish(),
        "false_alarms": calibration_curve(candidate.reference, healthy.peaks),
        "sides": energy.finish(),
        "subjects": [{"case": p.name} | p.numbers for p in panels],
        "cases": _case_numbers(cases, candidate),
    }
    return Findings(
        numbers=numbers,
        atlas=atlas,
        subjects=tuple(panels),
        cases=tuple(cases.panels),
        peak_sd=peak_of(candidate),
    )


def _refuse_few(number: int) -> None:
    if number < FEWEST_SUBJECTS:
        raise ConfigError(
            code="MS-400",
            subject="--number",
            cause=f"{number} subjects give no interval",
            fix=f"draw at least {FEWEST_SUBJECTS}",
        )


def peak_of(candidate: Candidate) -> float:
    """Deviation that a finding has to reach, as ``analyse_scan`` decides it."""
    threshold = candidate.reference.threshold(FALSE_ALARM_RATE)
    return candidate.reference.strictest(DEFAULT_PEAK_SD) if threshold is None else threshold


def model_facts(candidate: Candidate) -> Numbers:
    """Which model this was."""
    manifest, settings = candidate.model.manifest, candidate.model.network.settings
    return {
        "name": candidate.name,
        "version": manifest.get("version"),
        "sha256": manifest.get("sha256"),
        "reference_sha256": manifest.get("reference_sha256"),
        "softness": settings.softness,
        "spacing_mm": settings.spacing_mm,
        "parameters": sum(p.numel() for p in candidate.model.network.parameters()),
    }


def _see_healthy(study: Study, *, energy: SideEnergy, report: Report) -> _Healthy:
    found = _Healthy()
    for seen in _subjects(study, healthy=True, report=report):
        found.atlas.add(seen)
        found.structures.add(seen)
        found.peaks.append(float(abs(seen.maps.deviation).max()))
        found.anatomies[seen.case.anatomy] = found.anatomies.get(seen.case.anatomy, 0) + 1
        energy.keep("healthy")
    return found


def _see_diseased(
    study: Study, *, energy: SideEnergy, report: Report
) -> tuple[ReliabilityCollector, list[Panel]]:
    prior = study.candidate.model.network.settings.pathology_prior
    reliability, panels = ReliabilityCollector(prior=prior), list[Panel]()
    for number, seen in enumerate(_subjects(study, healthy=False, report=report), start=1):
        reliability.add(seen)
        if not seen.lesion.any():
            continue
        energy.keep("with lesion")
        if len(panels) < SHOWN_SUBJECTS:
            name = f"synthetic {number}"
            panels.append(panel_of_subject(name, seen, peak_sd=peak_of(study.candidate)))
    return reliability, panels


def _subjects(study: Study, *, healthy: bool, report: Report) -> Any:
    return seen_by(
        study.candidate,
        drawing=study.drawing,
        number=study.number,
        healthy=healthy,
        report=report,
    )


def _case_numbers(cases: SeenCases, candidate: Candidate) -> Numbers:
    found: Numbers = {
        "shown": [{"case": panel.name} | panel.numbers for panel in cases.panels],
        "not_assessable": cases.not_assessable,
        "failures": cases.failures,
        "healthy": None,
    }
    if cases.peaks:
        curve = calibration_curve(candidate.reference, list(cases.peaks.values()))
        found["healthy"] = curve | {"scans": cases.healthy_scans}
    return found
