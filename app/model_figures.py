"""What was measured of a model, as pictures and sentences: nothing is computed but the drawing."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.model_card import WEIGHTS
from medsym.science.measured import FALSE_ALARMS, Measured, read_measured

#: First part of a layer's name, and what that part of the network is.
PARTS = {
    "levels": "Encoder",
    "exchanges": "Exchange with the other side",
    "ascents": "Decoder",
    "anatomy": "Anatomy head",
    "pathology": "Pathology head",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A figure and what it shows.

    Attributes:
        title: above it.
        png: content of the file; b"" where words say all there is.
        words: sentences; they say what the figure shows.
    """

    title: str
    png: bytes
    words: tuple[str, ...]


def model_measured(sha256: str, *, folder: Path = WEIGHTS) -> Measured | None:
    """What was measured of these weights; None if this installation does not know them."""
    return read_measured(folder, sha256=sha256)


@functools.lru_cache(maxsize=2)
def tolerance_picture(sha256: str) -> Picture | None:
    """The learned tolerance over the average head."""
    measured = model_measured(sha256)
    if measured is None:
        return None
    from medsym.science.drawing.sheet import as_png, styled
    from medsym.science.drawing.tolerance import draw_tolerance
    from medsym.science.words import tolerance_words

    numbers = measured.numbers
    with styled():
        title = f"{numbers['model']['name']}: learned tolerance"
        png = as_png(draw_tolerance(measured.tolerance, measured.brain, title=title))
    soft_head = numbers["model"]["softness"] in ("head", "both")
    said = tolerance_words(numbers["tolerance"], soft_head=soft_head)
    cut = f"Cut through the largest value; mean of {numbers['tolerance']['subjects']} drawn heads."
    return Picture(title="Learned tolerance atlas", png=png, words=(*said, cut))


@functools.lru_cache(maxsize=2)
def calibration_pictures(sha256: str) -> tuple[Picture, ...]:
    """Promised against observed false alarms, and how far probabilities can be believed."""
    measured = model_measured(sha256)
    if measured is None:
        return ()
    from medsym.science.drawing.curves import draw_false_alarms, draw_reliability
    from medsym.science.drawing.sheet import as_png, styled
    from medsym.science.words import alarm_words, reliability_words

    numbers, name = measured.numbers, measured.numbers["model"]["name"]
    groups = [(str(group), curve) for group, curve in numbers[FALSE_ALARMS]]
    with styled():
        alarms = as_png(draw_false_alarms(groups, title=f"{name}: promised and observed rate"))
        reliable = as_png(draw_reliability(numbers["reliability"], title=f"{name}: probabilities"))
    said = [alarm_words(group, curve, alpha=numbers["alpha"]) for group, curve in groups]
    return (
        Picture(title="False alarms: promised and observed", png=alarms, words=tuple(said)),
        Picture(
            title="Probability of pathology: stated and observed",
            png=reliable,
            words=tuple(reliability_words(numbers["reliability"])),
        ),
    )


def softness_rows(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Softness by part of the network: number of weights, smallest and largest, whether learned.

    Args:
        numbers: "softness" of a study.
    """
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for layer in numbers["layers"]:
        first = str(layer["path"]).split(".")[0]
        parts.setdefault(PARTS.get(first, first), []).append(layer)
    return [
        {
            "Part": part,
            "Weights": len(layers),
            "Smallest softness": min(layer["low"] for layer in layers),
            "Largest softness": max(layer["high"] for layer in layers),
            "Learned": "yes" if any(layer["learned"] for layer in layers) else "no",
        }
        for part, layers in parts.items()
    ]


def cross_validation_rows(judged: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Promised rates beside observed shares; rates that too few people could keep are left out.

    Args:
        judged: "cross_validation" of the calibration that a case names.
    """
    return [
        {
            "Promised rate": row["alpha"],
            "Observed share": row["share"],
            "As promised": row["alpha"],
            "Flagged": row["flagged"],
            "People judged": row["judged"],
        }
        for row in judged["rows"]
        if row["share"] is not None
    ]
