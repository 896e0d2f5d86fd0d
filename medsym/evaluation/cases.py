"""Evaluation on real scans: those with an expert mask, and those without a lesion.

Two rows of a table are comparable only on the same voxels: every method is scored on the scan's own
grid inside one mask, the brain that the first model found together with the truth, so that a lesion
cut off by the mask counts as missed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.errors import MedsymError
from medsym.evaluation.case_table import CaseEntry, read_case_table, read_mask
from medsym.evaluation.collecting import Report
from medsym.evaluation.columns import Numbers, proportion
from medsym.evaluation.lesions import Truth, match, outline, smallest_voxels
from medsym.evaluation.methods import Candidate, Scan, baseline_maps, method_names
from medsym.evaluation.metrics import auprc, best_dice, dice
from medsym.evaluation.run import Frozen
from medsym.inference.case import FALSE_ALARM_RATE, CaseResult, analyse_scan
from medsym.volumes.grid import to_scan_grid
from medsym.volumes.nifti import read_scan
from medsym.volumes.prepared import PreparedScan

BoolMap = NDArray[np.bool_]
Map = NDArray[np.float32]


def evaluate_cases(
    table: Path, candidates: Sequence[Candidate], *, report: Report, frozen: Frozen | None = None
) -> Numbers:
    """Score every method on the scans of a table.

    Args:
        table: as :func:`medsym.evaluation.case_table.read_case_table` reads it.
        candidates: the model under test first; its brain mask is used for all.
        report: told the progress.
        frozen: thresholds and reference images of an evaluation on synthesised subjects. The
            deviation of a model always has the threshold that the model was shipped with.

    Returns:
        cases (one entry per line of the table, those with a mask scored by method), healthy (by
        method, the share of people without a mask that are flagged, the worst scan of each) and
        failures (refused scans).

    Raises:
        ConfigError: MS-330 the table cannot be used.
    """
    entries = read_case_table(table)
    thresholds = case_thresholds(candidates, frozen=frozen)
    cases, failures = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            case = _evaluate_case(entry, candidates, frozen=frozen, thresholds=thresholds)
        except MedsymError as error:
            failures.append({"case": entry.case, "error": str(error)})
            report(f"[{number}/{len(entries)}] {entry.case}: {error}")
            continue
        cases.append(case)
        report(f"[{number}/{len(entries)}] {entry.case}: {_in_short(case, candidates[0])}")
    methods = method_names(candidates, with_images=frozen is not None)
    return {
        "alpha": FALSE_ALARM_RATE,
        "methods": list(methods),
        "thresholds": thresholds,
        "cases": cases,
        "healthy": _healthy(cases, methods=methods, thresholds=thresholds),
        "failures": failures,
    }


def case_thresholds(candidates: Sequence[Candidate], *, frozen: Frozen | None) -> dict[str, float]:
    """Thresholds by method: frozen ones, and of every deviation the one of its model folder."""
    thresholds = {} if frozen is None else dict(frozen.thresholds)
    for candidate in candidates:
        shipped = candidate.reference.threshold(FALSE_ALARM_RATE)
        if shipped is not None:
            thresholds[f"{candidate.name} deviation"] = shipped
    return thresholds


def _evaluate_case(
    entry: CaseEntry,
    candidates: Sequence[Candidate],
    *,
    frozen: Frozen | None,
    thresholds: Mapping[str, float],
) -> Numbers:
    scan = read_scan(entry.scan)
    truth = None if entry.mask is None else read_mask(entry.mask, scan=scan)
    limit = None if entry.brain is None else read_mask(entry.brain, scan=scan)
    results = {c.name: analyse_scan(scan, c.model, reference=c.reference) for c in candidates}
    first = results[candidates[0].name]
    if limit is None:
        limit = np.asarray(to_scan_grid(first.prepared, first.maps.brain, order=0), dtype=bool)
    case: Numbers = {"case": entry.case, "person": entry.person}
    case |= {"healthy": truth is None, "methods": {}}
    case["not_assessable"] = {name: list(found.reasons) for name, found in results.items()}
    if truth is not None:
        scored = limit | truth
        case |= {"prevalence": float(truth[scored].mean())}
        case |= {"lesions": int(Truth.of(truth).sizes.size)}
    for prepared, name, score in _all_maps(entry, candidates, results=results, frozen=frozen):
        threshold = thresholds.get(name)
        row = {"peak": None if threshold is None else float(score.max()) / threshold}
        if truth is not None:
            row |= _against_mask(score, prepared, threshold=threshold, truth=truth, brain=limit)
        case["methods"][name] = row
    return case


def _all_maps(
    entry: CaseEntry,
    candidates: Sequence[Candidate],
    *,
    results: Mapping[str, CaseResult],
    frozen: Frozen | None,
) -> list[tuple[PreparedScan, str, Map]]:
    """Every method's map on the symmetric grid that it was made on."""
    found = []
    for candidate in candidates:
        prepared = results[candidate.name].prepared
        scan = Scan(
            image=prepared.brain_image,
            brain=prepared.brain,
            coverage=prepared.coverage,
            kind=entry.contrast,
            spacing_mm=prepared.grid.spacing_mm,
        )
        if candidate is candidates[0]:
            images = None if frozen is None else frozen.images
            maps = baseline_maps(scan, images=images)
            found += [(prepared, name, values) for name, values in maps.items()]
        maps = candidate.maps_of(*candidate.compute(scan))
        found += [(prepared, name, maps[name]) for name in candidate.methods]
    return found


def _against_mask(
    score: Map,
    prepared: PreparedScan,
    *,
    threshold: float | None,
    truth: BoolMap,
    brain: BoolMap,
) -> dict[str, Any]:
    """Scores on the scan's own grid."""
    scored = brain | truth
    native = np.asarray(to_scan_grid(prepared, score), dtype=np.float32)
    values, lesion = native[scored], truth[scored]
    area = auprc(values, lesion)
    row: dict[str, Any] = {
        "auprc": area,
        "times_prevalence": area / float(lesion.mean()),
        "oracle_dice": best_dice(values, lesion)[1],
    }
    if threshold is None:
        return row
    marked = outline(score, threshold).astype(np.float32)
    covered = np.asarray(to_scan_grid(prepared, marked)) >= 0.5
    voxel_ml = abs(float(np.linalg.det(prepared.scan.affine[:3, :3]))) / 1000.0
    found = match(covered, Truth.of(truth), smallest=smallest_voxels(voxel_ml))
    return row | {
        "dice": dice(covered[scored], lesion),
        "dice_peak": dice(values >= threshold, lesion),
        "found": int(found.found.sum()),
        "false": found.false,
    }


def _healthy(
    cases: Sequence[Numbers], *, methods: Sequence[str], thresholds: Mapping[str, float]
) -> Numbers:
    """People without a mask: how many reach the threshold of each method, by their worst scan."""
    healthy = [case for case in cases if case["healthy"]]
    found: Numbers = {}
    for name in methods:
        if not healthy or name not in thresholds:
            continue
        worst: dict[str, float] = {}
        for case in healthy:
            peak, person = case["methods"][name]["peak"], case["person"]
            worst[person] = max(peak, worst.get(person, peak))
        peaks = list(worst.values())
        flagged = proportion(sum(peak >= 1.0 for peak in peaks), len(peaks))
        found[name] = {"flagged": flagged, "largest": max(peaks), "median": float(np.median(peaks))}
    return found


def _in_short(case: Numbers, candidate: Candidate) -> str:
    """One progress line: how the first model did."""
    row = case["methods"][f"{candidate.name} deviation"]
    peak = "no threshold" if row["peak"] is None else f"peak {row['peak']:.2f} thresholds"
    if case["healthy"]:
        return f"deviation {peak}"
    return f"deviation AUPRC {row['auprc']:.3f}, chance {case['prevalence']:.4f}, {peak}"
