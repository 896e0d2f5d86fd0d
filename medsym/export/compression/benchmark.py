"""Size, speed and accuracy of compressed networks, on the same synthetic subjects.

Every copy sees a subject before the next subject is drawn, so that a busy minute of the machine
falls on all of them. The bound of a copy is made as always, from its own two passes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medsym.benchmarks.machine import machine
from medsym.evaluation.methods import Candidate
from medsym.evaluation.metrics import auprc
from medsym.evaluation.subjects import IMAGES, LESIONS, Subject, SubjectSource
from medsym.export.compression.precisions import Copy, compressed_copies
from medsym.inference.maps import CaseMaps, compute_maps
from medsym.synthesis.settings import SynthesisConfig
from medsym.text_table import aligned
from medsym.upwards import bound_text

SEED = 20_261  # no training, validation or evaluation of this repository uses it
EXAMPLES = 4  # healthy subjects that set the scales of int8


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one copy made of one subject.

    Attributes:
        cpu_s: processor seconds of two passes and the maps.
        deviation_auprc: of the deviation map against the lesion, voxels of the brain.
        pathology_auprc: of the probability map.
        rounding: largest disagreement of the two passes, log-odds; part of the bound.
        bound: median bound over the brain, nats.
        excess: largest measured defect minus bound, nats; above 0 the bound does not hold.
        difference_sd: largest difference of the deviation to torch float32, SD.
    """

    cpu_s: float
    deviation_auprc: float
    pathology_auprc: float
    rounding: float
    bound: float
    excess: float
    difference_sd: float


def run_compression_benchmark(
    candidate: Candidate,
    synthesis: SynthesisConfig,
    *,
    number: int,
    folder: Path,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Measure every copy; returns "copies", "machine" and what was measured on, as plain values.

    Args:
        candidate: the model, on the CPU.
        synthesis: of a training configuration; its test anatomies are drawn from.
        number: of subjects with lesions.
        folder: gets the ONNX files.
        report: told the progress.

    Raises:
        ConfigError: MS-360, a package is not installed.
    """
    spacing_mm = candidate.model.network.settings.spacing_mm
    source = SubjectSource(synthesis, seed=SEED, spacing_mm=spacing_mm)
    healthy = [torch.from_numpy(source.draw(IMAGES, i).scan.image) for i in range(EXAMPLES)]
    copies = compressed_copies(candidate.model, folder, healthy=healthy)
    rows: dict[str, list[Row]] = {copy.name: [] for copy in copies}
    for index in range(number):
        found = _rows(copies, source.draw(LESIONS, index), candidate)
        for copy, row in zip(copies, found, strict=True):
            rows[copy.name].append(row)
        report(f"subject {index + 1} of {number}")
    return {
        "copies": [
            {"name": copy.name, "bytes": copy.num_bytes, **_summary(rows[copy.name])}
            for copy in copies
        ],
        "subjects": number,
        "spacing_mm": spacing_mm,
        "machine": machine(),
        "torch_threads": torch.get_num_threads(),
    }


def _rows(copies: Sequence[Copy], subject: Subject, candidate: Candidate) -> list[Row]:
    """All copies on one subject; the first is what the others are compared with."""
    found = [_run(copy, subject, candidate) for copy in copies]
    full = found[0][0].deviation
    rows = []
    for maps, rounding, cpu_s in found:
        inside = maps.brain & maps.domain
        truth = subject.lesion[inside]
        rows.append(
            Row(
                cpu_s=cpu_s,
                deviation_auprc=auprc(maps.deviation[inside], truth),
                pathology_auprc=auprc(maps.pathology[inside], truth),
                rounding=rounding,
                bound=float(np.median(maps.bound[inside])),
                excess=float((np.abs(maps.defect) - maps.bound).max()),
                difference_sd=float(np.abs(maps.deviation - full).max()),
            )
        )
    return rows


def _run(copy: Copy, subject: Subject, candidate: Candidate) -> tuple[CaseMaps, float, float]:
    """(maps, rounding, processor seconds)."""
    began = time.process_time()
    maps, parts = compute_maps(
        copy.network,
        subject.scan.image,
        request=candidate.request(subject.scan),
        reference=candidate.reference,
    )
    return maps, parts.rounding, time.process_time() - began


def _summary(rows: Sequence[Row]) -> dict[str, float]:
    """Means of the scores over subjects, the median of the time, the largest of the rest."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows])

    return {
        "cpu_s": float(np.median(column("cpu_s"))),
        "deviation_auprc": float(np.nanmean(column("deviation_auprc"))),
        "pathology_auprc": float(np.nanmean(column("pathology_auprc"))),
        "bound": float(np.median(column("bound"))),
        "rounding": float(column("rounding").max()),
        "excess": float(column("excess").max()),
        "difference_sd": float(column("difference_sd").max()),
    }


def format_compression(numbers: dict[str, Any]) -> str:
    """The copies as a table, and what a compressed one may be used for."""
    titles = ["network", "MB", "cpu s", "AUPRC dev.", "AUPRC path.", "rounding", "bound"]
    rows = [[*titles, "bound holds", "dev. differs"]]
    rows.extend(_cells(copy) for copy in numbers["copies"])
    return "\n".join(
        [
            *aligned(rows),
            "",
            f"{numbers['subjects']} synthetic subjects with lesions, {numbers['spacing_mm']:g} mm;",
            "processor seconds of two passes and the maps, median; rounding: largest disagreement",
            "of the two passes (log-odds), part of the bound; bound: median over the brain (nats)",
            "certified numbers need float32: 'medsym screen' runs no compressed network;",
            "a copy may serve previews, or to rank scans that are then screened in full",
            f"{numbers['machine']['processor']}, {numbers['torch_threads']} torch threads",
        ]
    )


def _cells(copy: dict[str, Any]) -> list[str]:
    return [
        copy["name"],
        f"{copy['bytes'] / 1e6:.2f}",
        f"{copy['cpu_s']:.2f}",
        f"{copy['deviation_auprc']:.3f}",
        f"{copy['pathology_auprc']:.3f}",
        f"{copy['rounding']:.2g}",
        bound_text(copy["bound"]),
        "yes" if copy["excess"] <= 0 else f"no, by {copy['excess']:.2g}",
        f"{copy['difference_sd']:.2g} SD",
    ]
