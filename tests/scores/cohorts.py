"""Made-up cohorts: case records with a known effect, as screening would have written them."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from medsym.models.structures import STRUCTURES
from medsym.screening.naming import CaseName
from medsym.screening.records import SCHEMA, plain, sealed
from medsym.volumes.writer import write_json

PAIRS = tuple(entry.name for entry in STRUCTURES if entry.side == "left")
MODEL = {"name": "made-up", "version": "1", "sha256": "a" * 64, "reference_sha256": "b" * 64}


def made_up_record(
    name: str, *, rng: np.random.Generator, session: str | None = None
) -> dict[str, Any]:
    """Record of a healthy person: sizes vary by 5 %, sides differ by 3 %, deviations by 0.3 SD."""
    size = float(np.exp(0.1 * rng.standard_normal()))
    pairs = []
    for number, pair in enumerate(PAIRS, start=1):
        ml = 4.0 * number * size * float(np.exp(0.05 * rng.standard_normal()))
        tilt, deviation = 0.03 * rng.standard_normal(), 0.3 * rng.standard_normal()
        pairs.append(
            {
                "name": pair,
                "left_ml": ml * (1 + tilt),
                "right_ml": ml * (1 - tilt),
                "deviation_mean_left": deviation + 0.05 * rng.standard_normal(),
                "deviation_mean_right": -deviation + 0.05 * rng.standard_normal(),
            }
        )
    summary = {
        "brain_ml": 1200.0 * size,
        "deviation_max": float(np.exp(1.5 + 0.3 * rng.standard_normal())),
        "deviation_side": str(rng.choice(["left", "right"])),
        "symmetric_score": float(np.exp(-4.5 + 0.3 * rng.standard_normal())),
        "pathology_ml": float(rng.exponential(0.2)),
    }
    label = f"sub-{name}" + (f"_ses-{session}" if session else "")
    record = {
        "schema": SCHEMA,
        "case": f"{label}_T1w",
        "subject": name,
        "session": session,
        "scan": {"file": f"{label}_T1w.nii.gz", "sha256": f"{rng.integers(2**62):064x}"},
        "assessable": True,
        "reasons": [],
        "summary": summary,
        "structures": pairs,
        "model": dict(MODEL),
        "software": {"medsym": "0.1.0"},
    }
    return plain(record)


def shrink(record: dict[str, Any], pair: str, *, side: str, by: float) -> None:
    """Take a share of a structure away on the left, on the right or on both sides."""
    row = next(row for row in record["structures"] if row["name"] == pair)
    for one in ("left", "right") if side == "both" else (side,):
        row[f"{one}_ml"] *= 1.0 - by


def mirrored(record: dict[str, Any]) -> dict[str, Any]:
    """What an exactly equivariant analysis says of the mirror image."""
    turned = copy.deepcopy(record)
    for row in turned["structures"]:
        for quantity in ("{}_ml", "deviation_mean_{}"):
            left, right = quantity.format("left"), quantity.format("right")
            row[left], row[right] = row[right], row[left]
    other = {"left": "right", "right": "left"}
    turned["summary"]["deviation_side"] = other[turned["summary"]["deviation_side"]]
    return turned


def epilepsy_cohort(
    persons: int, *, seed: int, effect: float = 0.15
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Half of the persons have one smaller hippocampus, in turn left and right."""
    rng = np.random.default_rng(seed)
    records, rows = [], []
    for number in range(persons):
        record = made_up_record(f"{number:03d}", rng=rng)
        sick, side = number % 2 == 1, "left" if number % 4 == 1 else "right"
        if sick:
            shrink(record, "hippocampus", side=side, by=effect)
        age = 20.0 + 60.0 * rng.random()
        rows.append(
            {
                "case": record["case"],
                "diagnosis": "epilepsy" if sick else "control",
                "onset": side if sick else "n/a",
                "age": f"{age:.1f}",
                "scanner": str(rng.choice(["A", "B"])),
            }
        )
        records.append(record)
    return records, rows


def write_results(folder: Path, records: list[dict[str, Any]]) -> Path:
    """An output folder with the records alone."""
    for record in records:
        name = CaseName(case=record["case"], subject=record["subject"], session=record["session"])
        place = folder.joinpath(*name.folder)
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / f"{record['case']}_case.json", sealed(record))
    return folder


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table with tabs."""
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
