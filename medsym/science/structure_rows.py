"""Tolerance and natural asymmetry in each pair of structures, left beside right."""

from dataclasses import dataclass, field

import numpy as np

from medsym.models.structures import STRUCTURES, Structure
from medsym.science.intervals import (
    Numbers,
    mean_over_subjects,
    rank_correlations,
    subject_weights,
    with_interval,
)
from medsym.science.subjects import Seen

_LEFT: tuple[Structure, ...] = tuple(s for s in STRUCTURES if s.side == "left")
_COLUMNS = ("left", "right", "asymmetry", "torque_mm")


@dataclass(slots=True)
class StructureCollector:
    """Takes healthy subjects one by one; a structure is the true one, not what a model found."""

    rows: list[np.ndarray] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """Means of a subject inside every structure; undefined where it has none of it."""
        domain, structures = seen.maps.domain, seen.structures
        asymmetry, torque = seen.normal_asymmetry, seen.torque_mm
        row = np.full((len(_LEFT), len(_COLUMNS)), np.nan)
        for number, entry in enumerate(_LEFT):
            left = (structures == entry.index) & domain
            right = (structures == entry.mirror) & domain
            if not (left.any() and right.any()):
                continue
            both = left | right
            row[number] = (
                seen.maps.tolerance[left].mean(),
                seen.maps.tolerance[right].mean(),
                asymmetry[both].mean(),
                torque[both].mean(),
            )
        self.rows.append(row)

    def finish(self) -> Numbers:
        """rows, one per pair with intervals over subjects, and correlation over the pairs."""
        values = np.stack(self.rows)
        weights = subject_weights(len(values))
        means = np.stack(
            [
                np.stack([mean_over_subjects(values[:, s, c], weights) for s in range(len(_LEFT))])
                for c in range(len(_COLUMNS))
            ]
        )  # column, structure, resample
        present = np.asarray(np.isfinite(means[:, :, 0]).all(axis=0))
        both = (means[0] + means[1])[present].T / 2.0
        return {
            "rows": _rows(values, means, present=present, weights=weights),
            "correlation": {
                name: with_interval(rank_correlations(both, means[column][present].T))
                for column, name in ((2, "asymmetry"), (3, "torque_mm"))
            },
        }


def _rows(
    values: np.ndarray, means: np.ndarray, *, present: np.ndarray, weights: np.ndarray
) -> list[Numbers]:
    rows = []
    for number, (entry, known) in enumerate(zip(_LEFT, present, strict=True)):
        if not known:
            continue
        difference = values[:, number, 0] - values[:, number, 1]
        row: Numbers = {
            "name": entry.name,
            "subjects": int(np.isfinite(difference).sum()),
            "left_minus_right": with_interval(mean_over_subjects(difference, weights)),
        }
        row |= {name: with_interval(means[c, number]) for c, name in enumerate(_COLUMNS)}
        rows.append(row)
    return rows
