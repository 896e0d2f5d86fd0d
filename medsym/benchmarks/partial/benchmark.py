"""What it saves to run the second pass on a part of the brain, and what it changes.

Every variant sees a subject before the next subject, so that a busy minute of the machine falls on
all of them. Compared are the maps of the pipeline, made of the variant's passes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medsym.benchmarks.machine import machine
from medsym.benchmarks.partial.variants import VARIANTS, BoolMap, Passes, Replayed, run_variant
from medsym.evaluation.methods import Candidate, Scan
from medsym.evaluation.subjects import HEALTHY, LESIONS, SubjectSource
from medsym.inference.case import FALSE_ALARM_RATE, analyse_scan
from medsym.inference.findings import DEFAULT_PEAK_SD, EXTENT_SHARE, beyond_bound
from medsym.inference.maps import CaseMaps, compute_maps
from medsym.models.asymmetry_net import NetworkOutput
from medsym.models.support import support_box
from medsym.synthesis.settings import SynthesisConfig
from medsym.volumes.nifti import read_scan

SEED = 20_262  # no training, validation or evaluation of this repository uses it
#: A place is in question if the first pass comes this near to a finding, SD.
SLACK_SD = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One variant on one subject, beside both passes on the whole brain.

    Attributes:
        variant: its name.
        subject: name of the subject.
        cpu_s: processor seconds of the passes, in units of both whole passes.
        share: of the voxels on which the second pass was run.
        difference_sd: largest difference of the deviation, SD.
        flagged: voxels that belong to findings.
        flagged_other: voxels that belong to findings in one of the two and not in the other.
        rounding: largest disagreement of the passes, log-odds; what the bound grows by.
        bound_holds: whether every measured defect is within its bound.
    """

    variant: str
    subject: str
    cpu_s: float
    share: float
    difference_sd: float
    flagged: int
    flagged_other: int
    rounding: float
    bound_holds: bool


def drawn_scans(
    candidate: Candidate, synthesis: SynthesisConfig, *, number: int
) -> Iterator[tuple[str, Scan]]:
    """Synthetic subjects that no training saw: with lesions, and half as many without."""
    spacing_mm = candidate.model.network.settings.spacing_mm
    source = SubjectSource(synthesis, seed=SEED, spacing_mm=spacing_mm)
    for group, count in ((LESIONS, number), (HEALTHY, (number + 1) // 2)):
        for index in range(count):
            yield f"{group.name} {index}", source.draw(group, index).scan


def prepared_scans(candidate: Candidate, paths: Sequence[Path]) -> Iterator[tuple[str, Scan]]:
    """Scan files as the pipeline compares them.

    Raises:
        ScanError: a file cannot be used.
    """
    for path in paths:
        prepared = analyse_scan(
            read_scan(path), candidate.model, reference=candidate.reference
        ).prepared
        yield (
            path.name,
            Scan(
                image=prepared.brain_image,
                brain=prepared.brain,
                coverage=prepared.coverage,
                kind="",
                spacing_mm=prepared.grid.spacing_mm,
            ),
        )


def run_partial_benchmark(
    candidate: Candidate, scans: Iterable[tuple[str, Scan]], *, report: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every variant; returns "rows", "machine" and limits as plain values.

    Args:
        candidate: the model, on the CPU.
        scans: name and scan.
        report: told the progress.
    """
    threshold = candidate.reference.threshold(FALSE_ALARM_RATE)
    peak = candidate.reference.strictest(DEFAULT_PEAK_SD) if threshold is None else threshold
    rows: list[Row] = []
    for name, scan in scans:
        rows += _rows(candidate, scan, name=name, peak_sd=peak)
        report(name)
    return {
        "rows": [asdict(row) for row in rows],
        "spacing_mm": candidate.model.network.settings.spacing_mm,
        "slack_sd": SLACK_SD,
        "machine": machine(),
        "torch_threads": torch.get_num_threads(),
    }


def _rows(candidate: Candidate, scan: Scan, *, name: str, peak_sd: float) -> list[Row]:
    network = candidate.model.network
    box = support_box(scan.image != 0, multiple=network.size_multiple)
    image = torch.from_numpy(np.ascontiguousarray(scan.image[box]))[None, None]

    def asks(first: NetworkOutput) -> BoolMap:
        request = replace(candidate.request(scan), mirrored=False)
        once = Replayed(first, like=network)
        maps, _ = compute_maps(once, scan.image, request=request, reference=candidate.reference)
        strength = np.abs(maps.deviation[box])
        if strength.max() < peak_sd - SLACK_SD:
            return np.zeros(strength.shape, dtype=bool)
        return np.asarray(strength >= EXTENT_SHARE * peak_sd - SLACK_SD)

    found = [
        run_variant(variant, network, image, asks=asks, spacing_mm=scan.spacing_mm)
        for variant in VARIANTS
    ]
    full, _ = _maps(candidate, scan, found[0])
    rows = []
    for variant, passes in zip(VARIANTS, found, strict=True):
        maps, rounding = _maps(candidate, scan, passes)
        ours, theirs = _flagged(maps, peak_sd), _flagged(full, peak_sd)
        rows.append(
            Row(
                variant=variant.name,
                subject=name,
                cpu_s=passes.cpu_s / found[0].cpu_s,
                share=passes.share,
                difference_sd=float(np.abs(maps.deviation - full.deviation).max()),
                flagged=int(theirs.sum()),
                flagged_other=int((ours != theirs).sum()),
                rounding=rounding,
                bound_holds=bool((np.abs(maps.defect) <= maps.bound).all()),
            )
        )
    return rows


def _maps(candidate: Candidate, scan: Scan, passes: Passes) -> tuple[CaseMaps, float]:
    replayed = Replayed(passes.first, passes.second, like=candidate.model.network)
    maps, parts = compute_maps(
        replayed, scan.image, request=candidate.request(scan), reference=candidate.reference
    )
    return maps, parts.rounding


def _flagged(maps: CaseMaps, peak_sd: float) -> BoolMap:
    """Voxels that can belong to a finding: strong enough, beyond the bound, a peak somewhere."""
    if maps.deviation.max() < peak_sd:
        return np.zeros(maps.deviation.shape, dtype=bool)
    return np.asarray((maps.deviation >= EXTENT_SHARE * peak_sd) & beyond_bound(maps))
