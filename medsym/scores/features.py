"""Numbers of a case record that either stay or change sign when the scan is mirrored, nothing else.

A pair of structures has a left and a right value, l and r. The mirror exchanges them, so l + r and
|l - r| stay (*even*) and l - r changes sign (*odd*). Sums and differences of two floating point
numbers obey this to the last bit, so whatever is computed from even features alone is the same for
a scan and its mirror image, and a sum of odd features times constants changes sign exactly.

The mean deviation of both sides is left out: deviation is an asymmetry, the two sides cancel.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Name of what belongs to no pair of structures.
WHOLE_BRAIN = "whole brain"
#: Quantity of the whole brain, even; the odd one adds "is left".
LARGEST_DEVIATION = "largest deviation"
#: Added to the symmetric score before its logarithm: the score of a healthy scan is about 0.01.
_SCORE_FLOOR = 1e-3
EVEN, ODD = 1, -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One number of a case.

    Attributes:
        region: structure without its side, or ``WHOLE_BRAIN``.
        quantity: what is measured there.
        parity: ``EVEN`` stays under the mirror, ``ODD`` changes sign.
        is_bilateral: no difference of the two sides enters it.
    """

    region: str
    quantity: str
    parity: int
    is_bilateral: bool = False

    @property
    def name(self) -> str:
        """Unique name."""
        return f"{self.region}: {self.quantity}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureTable:
    """Features of n cases.

    Attributes:
        features: f columns.
        values: (n, f), NaN where a structure was not found.
    """

    features: tuple[Feature, ...]
    values: Array

    def selected(self, kept: Sequence[bool]) -> "FeatureTable":
        """Some of the columns."""
        pairs = zip(self.features, kept, strict=True)
        return FeatureTable(
            features=tuple(feature for feature, keep in pairs if keep),
            values=np.ascontiguousarray(self.values[:, np.asarray(kept, dtype=bool)]),
        )

    def even(self) -> "FeatureTable":
        """Columns for questions that the side has nothing to do with."""
        return self.selected([feature.parity == EVEN for feature in self.features])

    def odd(self) -> "FeatureTable":
        """Columns for the question left or right."""
        return self.selected([feature.parity == ODD for feature in self.features])

    def bilateral(self) -> "FeatureTable":
        """Columns that know of no difference of the sides."""
        return self.selected([feature.is_bilateral for feature in self.features])


def feature_table(records: Sequence[Mapping[str, Any]]) -> FeatureTable:
    """Features of assessable cases of one model.

    Args:
        records: as ``medsym.screening.records.read_record`` gives them, at least one.
    """
    rows = [_features(record) for record in records]
    values = [[value for _, value in row] for row in rows]
    return FeatureTable(
        features=tuple(feature for feature, _ in rows[0]),
        values=np.asarray(values, dtype=np.float64),
    )


def _features(record: Mapping[str, Any]) -> list[tuple[Feature, float]]:
    brain = float(record["summary"]["brain_ml"])
    found = [item for pair in record["structures"] for item in _of_pair(pair, brain_ml=brain)]
    return found + _of_brain(record["summary"], brain_ml=brain)


def _of_pair(pair: Mapping[str, Any], *, brain_ml: float) -> list[tuple[Feature, float]]:
    region = str(pair["name"])
    left, right = float(pair["left_ml"]), float(pair["right_ml"])
    size = (left - right) / (left + right) if left + right > 0 else math.nan
    deviation = _half_difference(pair["deviation_mean_left"], pair["deviation_mean_right"])
    share = math.log((left + right) / brain_ml) if left + right > 0 else math.nan
    return [
        (Feature(region=region, quantity="size", parity=EVEN, is_bilateral=True), share),
        (Feature(region=region, quantity="size difference", parity=EVEN), abs(size)),
        (Feature(region=region, quantity="deviation", parity=EVEN), abs(deviation)),
        (Feature(region=region, quantity="left larger", parity=ODD), size),
        (Feature(region=region, quantity="left deviates", parity=ODD), deviation),
    ]


def _half_difference(left: float | None, right: float | None) -> float:
    return math.nan if left is None or right is None else (left - right) / 2.0


def _of_brain(summary: Mapping[str, Any], *, brain_ml: float) -> list[tuple[Feature, float]]:
    largest = math.log1p(float(summary["deviation_max"]))
    sign = 1.0 if summary["deviation_side"] == "left" else -1.0
    even = {
        "volume": (math.log(brain_ml), True),
        "pathology on both sides": (
            math.log(float(summary["symmetric_score"]) + _SCORE_FLOOR),
            True,
        ),
        "pathology volume": (math.log1p(float(summary["pathology_ml"])), False),
        LARGEST_DEVIATION: (largest, False),
    }
    found = [
        (Feature(region=WHOLE_BRAIN, quantity=name, parity=EVEN, is_bilateral=both), value)
        for name, (value, both) in even.items()
    ]
    side = Feature(region=WHOLE_BRAIN, quantity=f"{LARGEST_DEVIATION} is left", parity=ODD)
    return [*found, (side, sign * largest)]
