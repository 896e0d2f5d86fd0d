"""Real scans of a table: those with an expert mask to show, healthy ones to count."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from medsym.errors import MedsymError
from medsym.evaluation.case_table import CaseEntry, read_case_table, read_mask
from medsym.evaluation.methods import Candidate
from medsym.inference.case import analyse_scan
from medsym.science.intervals import Numbers
from medsym.science.panels import Panel, panel_of_case
from medsym.volumes.nifti import read_scan

Report = Callable[[str], None]


@dataclass(slots=True)
class SeenCases:
    """What was made of a table.

    Attributes:
        panels: one per scan with a mask that could be assessed.
        healthy_scans: number of healthy scans that could be assessed.
        peaks: by person, the largest deviation of those scans, SD: the worst scan counts.
        not_assessable: case and reasons.
        failures: case and error of the scans that were refused.
    """

    panels: list[Panel] = field(default_factory=list)
    healthy_scans: int = 0
    peaks: dict[str, float] = field(default_factory=dict)
    not_assessable: list[Numbers] = field(default_factory=list)
    failures: list[Numbers] = field(default_factory=list)


def see_cases(table: Path, candidate: Candidate, *, report: Report) -> SeenCases:
    """Analyse the scans of a table.

    Args:
        table: as :func:`medsym.evaluation.case_table.read_case_table` reads it.
        candidate: the model.
        report: told the progress.

    Raises:
        ConfigError: MS-330 the table cannot be used.
    """
    entries = read_case_table(table)
    seen = SeenCases()
    for number, entry in enumerate(entries, start=1):
        try:
            said = _see(entry, candidate, into=seen)
        except MedsymError as error:
            reason = f"{error.code} {error.cause}. Fix: {error.fix}"  # without the file's path
            seen.failures.append({"case": entry.case, "error": reason})
            said = str(error)
        report(f"scan {number}/{len(entries)} {entry.case}: {said}")
    return seen


def _see(entry: CaseEntry, candidate: Candidate, *, into: SeenCases) -> str:
    """One scan; returns the progress line."""
    scan = read_scan(entry.scan)
    mask = None if entry.mask is None else read_mask(entry.mask, scan=scan)
    brain = None if entry.brain is None else read_mask(entry.brain, scan=scan)
    result = analyse_scan(scan, candidate.model, reference=candidate.reference)
    if not result.is_assessable:
        into.not_assessable.append({"case": entry.case, "reasons": list(result.reasons)})
        return f"not assessable: {'; '.join(result.reasons)}"
    if mask is None:
        into.healthy_scans += 1
        peak = result.summary.deviation_max
        into.peaks[entry.person] = max(peak, into.peaks.get(entry.person, peak))
        return f"no mask, largest deviation {peak:.2f} SD"
    panel = panel_of_case(entry.case, result, mask=mask, limit=brain)
    into.panels.append(panel)
    share = panel.numbers["mask_beyond_bound"]
    return "mask not compared" if share is None else f"{share:.0%} of the mask beyond the bound"
