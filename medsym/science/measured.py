"""What a study measured of a model, kept beside its weights for whoever shows the model.

Two files: the numbers of the study without its single subjects, and the mean tolerance in brain
coordinates. They are read for the weights that they were measured on, and for no others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.strict_json import to_json
from medsym.volumes.output_file import write_atomically

MEASURED, TOLERANCE_ATLAS = "measured.json", "tolerance_atlas.safetensors"
#: Parts of a study's numbers that are kept; single subjects and scans are not.
KEPT = ("medsym", "model", "alpha", "synthetic", "tolerance", "softness", "reliability")
FALSE_ALARMS = "false_alarms"
#: Groups of healthy scans, as they are shown.
DRAWN_HEADS = "drawn healthy heads, unseen anatomies"
PEOPLE = "people without a stated lesion, worst scan of each"
SCANS = "real scans without a stated lesion, one person each"
TOLERANCE = "tolerance"  # tensor of the atlas


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A study of one model.

    Attributes:
        numbers: ``KEPT`` of the study, and ``FALSE_ALARMS``: (name of the group, curve) of each
            group of healthy scans.
        tolerance: ``REFERENCE_SHAPE`` mean tolerance in log-odds, x to the patient's right.
        brain: the same shape, bool: brain in at least half of the subjects.
    """

    numbers: dict[str, Any]
    tolerance: NDArray[np.float32]
    brain: NDArray[np.bool_]


def people_words(curve: Mapping[str, Any]) -> str:
    """What the curve over the healthy scans of a table counts.

    Args:
        curve: of a study's cases; "subjects" people with "scans" scans in all.
    """
    return PEOPLE if curve["scans"] > curve["subjects"] else SCANS


def keep_study(study: Path, folder: Path) -> None:
    """Write the two files from the folder that `medsym science --out` made.

    Args:
        study: result of `medsym science`.
        folder: of the model that was studied.
    """
    from safetensors.numpy import load, save

    from medsym.science.page import ATLAS, NUMBERS

    numbers = json.loads((study / NUMBERS).read_text(encoding="utf-8"))
    groups = [(DRAWN_HEADS, numbers["false_alarms"])]
    people = numbers["cases"].get("healthy")
    if people:
        groups.append((people_words(people), people))
    curves = [
        (name, {key: value for key, value in curve.items() if key != "peaks"})
        for name, curve in groups
    ]
    kept = {key: numbers[key] for key in KEPT} | {FALSE_ALARMS: curves}
    tensors = load((study / ATLAS).read_bytes())
    atlas = {TOLERANCE: tensors[TOLERANCE], "brain": tensors["brain"].astype(np.uint8)}
    kind = {"kind": "medsym tolerance atlas", "axes": "x to the patient's right, y front, z up"}
    write_atomically(folder / MEASURED, to_json(kept).encode())
    write_atomically(folder / TOLERANCE_ATLAS, save(atlas, metadata=kind))


def read_measured(folder: Path, *, sha256: str) -> Measured | None:
    """The study kept in a model's folder; None without one of these very weights.

    Args:
        folder: of a model.
        sha256: of its weights.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        numbers = json.loads((folder / MEASURED).read_text(encoding="utf-8"))
        if numbers["model"]["sha256"] != sha256:
            return None
        atlas = load((folder / TOLERANCE_ATLAS).read_bytes())
        tolerance, brain = atlas[TOLERANCE], atlas["brain"] > 0
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    if tolerance.shape != REFERENCE_SHAPE or brain.shape != REFERENCE_SHAPE:
        return None
    return Measured(numbers=numbers, tolerance=tolerance, brain=brain)
