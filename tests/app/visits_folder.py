"""Builds a small result folder: two visits of one person, who lay differently, and another case."""

import json
from pathlib import Path

import numpy as np

from tests.app.result_folder import HEADER, LAS, MARKER_MM, SHAPE, write_case

NOW, THEN, OTHER = "sub-01_ses-2_T1w", "sub-01_ses-1_T1w", "sub-02_T1w"
PITCH_DEG, SHIFT_MM = 8.0, (6.0, -7.0, 9.0)
DAYS = {NOW: "2024-05-17T09:30:00", THEN: "2023-11-02T10:00:00"}


def motion_then() -> np.ndarray:
    """Where the head of the second visit lay at the first one: world to world, (4, 4)."""
    turn = np.radians(PITCH_DEG)
    moved = np.eye(4)
    moved[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    moved[:3, 3] = SHIFT_MM
    return moved


def marker_then() -> np.ndarray:
    """The marker's place at the first visit, mm."""
    return np.asarray((motion_then() @ [*MARKER_MM, 1.0])[:3])


def build_visits(root: Path) -> Path:
    """Write the folder; returns the folder of the results."""
    out = root / "out"
    rows, sources = [HEADER], {}
    plans = [(NOW, None), (THEN, motion_then()), (OTHER, None)]
    for place, (name, motion) in enumerate(plans):
        scan = root / "scans" / f"{name}.nii.gz"
        write_case(out, scan, shape=SHAPE, affine=LAS, assessable=True, motion=motion)
        if name in DAYS:
            sidecar = scan.with_name(f"{name}.json")
            sidecar.write_text(json.dumps({"AcquisitionDateTime": DAYS[name]}))
        sources[name] = str(scan)
        rows.append(
            f"{name}\t{scan.name}\ttrue\t2\t{8.0 + place}\tright\t1.4\t0.5\t3.0\t0.1\t0.2\t0.93"
            "\tn/a\t0.02\t0.02\tsite-a\n"
        )
    (out / "logs").mkdir()
    (out / "logs" / "sources.json").write_text(json.dumps(sources))
    (out / "screening.tsv").write_text("".join(rows))
    return out
