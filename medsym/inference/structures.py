"""Left and right volume of every paired structure, and where in the brain a voxel is."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from medsym.inference.maps import CaseMaps
from medsym.models.structures import STRUCTURES


@dataclass(frozen=True, kw_only=True, slots=True)
class StructurePair:
    """One row of the structure table.

    Attributes:
        name: structure without its side.
        left_ml: volume on the patient's left.
        right_ml: volume on the patient's right.
        laterality: (left - right) / (left + right) in [-1, 1], above 0 if left is larger; None if
            the structure was found on neither side.
        deviation_mean_left: mean deviation inside the left structure, SD; None if not found.
        deviation_mean_right: the same for the right.
    """

    name: str
    left_ml: float
    right_ml: float
    laterality: float | None
    deviation_mean_left: float | None
    deviation_mean_right: float | None

    def as_dict(self) -> dict[str, str | float | None]:
        """Plain values for case.json."""
        return asdict(self)


def laterality_index(left: float, right: float) -> float | None:
    """(left - right) / (left + right), None if both are 0."""
    total = left + right
    return (left - right) / total if total > 0 else None


def structure_table(maps: CaseMaps, *, voxel_ml: float) -> tuple[StructurePair, ...]:
    """Volumes and mean deviation of every left/right pair of the model's structures.

    Args:
        maps: maps of the case.
        voxel_ml: volume of one voxel of the symmetric grid, millilitres.
    """
    rows = []
    for entry in STRUCTURES:
        if entry.side != "left":
            continue
        left, right = maps.anatomy == entry.index, maps.anatomy == entry.mirror
        left_ml, right_ml = float(left.sum()) * voxel_ml, float(right.sum()) * voxel_ml
        rows.append(
            StructurePair(
                name=entry.name,
                left_ml=left_ml,
                right_ml=right_ml,
                laterality=laterality_index(left_ml, right_ml),
                deviation_mean_left=_mean_in(maps, left),
                deviation_mean_right=_mean_in(maps, right),
            )
        )
    return tuple(rows)


def _mean_in(maps: CaseMaps, mask: NDArray[np.bool_]) -> float | None:
    inside = mask & maps.domain
    return float(maps.deviation[inside].mean()) if inside.any() else None


def structure_names(anatomy: NDArray[np.integer], *, component: NDArray[np.bool_]) -> str:
    """Name of the structure that holds most of a component, the nearest one if it holds none.

    Side is left out: it comes from the mid-plane, not from the model's labels.
    """
    inside = anatomy[component]
    inside = inside[inside > 0]
    if inside.size:
        return STRUCTURES[int(np.bincount(inside).argmax())].name
    if not (anatomy > 0).any():
        return "brain"
    distance, nearest = distance_transform_edt(anatomy == 0, return_indices=True)
    at = np.unravel_index(int(np.where(component, distance, np.inf).argmin()), anatomy.shape)
    source = tuple(int(index[at]) for index in nearest)
    return STRUCTURES[int(anatomy[source])].name
