"""How well the mid-plane is found on brains whose plane is known.

The angle is between the true and the found normal, the offset is the distance of the found plane
from the true centre, the time is the processor's for estimate_midplane alone on one torch thread,
which other programs hardly change. A gross failure is more than 5 degrees or 5 mm off.
"""

import time
from typing import Any

import numpy as np
import torch

from medsym.benchmarks.alignment_heads import (
    WARP_RMS_MM,
    Template,
    load_head_template,
    make_hard_head,
)
from medsym.volumes.midplane import METHOD, estimate_midplane

GROSS_DEG, GROSS_MM = 5.0, 5.0
WARPS_MM = (WARP_RMS_MM, WARP_RMS_MM * 3.0**0.5)
"""The two strengths that are reported: 2.5 mm in length, and 2.5 mm along every axis."""


def run_alignment_benchmark(
    *, trials: int = 40, seed: int = 0, warp_rms_mm: float = WARP_RMS_MM
) -> dict[str, Any]:
    """Measure the mid-plane's angle, offset and time on made heads with one large lesion each.

    Args:
        trials: number of heads.
        seed: of the first head; trial k uses seed + k.
        warp_rms_mm: root mean square length of the heads' smooth displacement.

    Returns:
        Settings, gross failures, median, 95th percentile and maximum of angle_deg, offset_mm and
        cpu_seconds, and the single trials; lower is better everywhere.
    """
    template = load_head_template()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [_trial(template, seed=seed + k, warp_rms_mm=warp_rms_mm) for k in range(trials)]
    finally:
        torch.set_num_threads(threads)
    gross = sum(r["angle_deg"] > GROSS_DEG or r["offset_mm"] > GROSS_MM for r in rows)
    measured = {
        name: _spread([row[name] for row in rows])
        for name in ("angle_deg", "offset_mm", "cpu_seconds")
    }
    settings = {
        "method": METHOD,
        "trials": trials,
        "seed": seed,
        "warp_rms_mm": warp_rms_mm,
        "torch_threads": 1,
    }
    return {"settings": settings, "gross_failures": gross, **measured, "per_trial": rows}


def _trial(template: Template, *, seed: int, warp_rms_mm: float) -> dict[str, float]:
    head = make_hard_head(template, seed=seed, warp_rms_mm=warp_rms_mm)
    start = time.process_time()
    plane = estimate_midplane(head.volume)
    seconds = time.process_time() - start
    cosine = float(np.clip(plane.normal @ head.normal, -1.0, 1.0))
    return {
        "seed": seed,
        "angle_deg": float(np.degrees(np.arccos(cosine))),
        "offset_mm": abs(float(plane.normal @ head.centre_mm) - plane.offset_mm),
        "cpu_seconds": seconds,
        "score": plane.score,
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
        "max": float(np.max(values)),
    }


def format_alignment(result: dict[str, Any]) -> str:
    """The result of run_alignment_benchmark as a small Markdown table."""
    settings = result["settings"]
    heads = f"{settings['trials']} heads warped by {settings['warp_rms_mm']:.2f} mm rms"
    lines = [
        f"{heads}, {result['gross_failures']} gross failures",
        "",
        "| | median | 95 % | max |",
        "|---|---|---|---|",
    ]
    for name, title in (
        ("angle_deg", "angle, degrees"),
        ("offset_mm", "offset, mm"),
        ("cpu_seconds", "processor time, s"),
    ):
        spread = result[name]
        lines.append(
            f"| {title} | {spread['median']:.2f} | {spread['p95']:.2f} | {spread['max']:.2f} |"
        )
    return "\n".join(lines)
