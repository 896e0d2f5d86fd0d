"""The key numbers of a case."""

from dataclasses import asdict, dataclass

import numpy as np

from medsym.inference.findings import beyond_bound, to_world
from medsym.inference.maps import CaseMaps
from medsym.volumes.prepared import PreparedScan

#: The symmetric score averages over this volume, so that a single voxel cannot make it.
SYMMETRIC_SCORE_ML = 1.0
#: Probability above which a voxel counts into the pathology volume.
PATHOLOGY_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Key numbers of one case.

    Attributes:
        pathology_ml: volume with a pathology probability above one half.
        deviation_max: largest deviation anywhere, SD: it need not be a finding, where the bound
            covers it or the place is too small.
        deviation_max_mm: world coordinates of it.
        deviation_side: patient's side of it, "left" or "right".
        p_value: probability that a healthy scan deviates as far anywhere; None where the
            calibration cannot say.
        bound_max: largest bound, nats.
        measured_defect_max: largest measured defect, nats; None if not measured.
        rounding_max: largest rounding difference of the two passes in logit units (or the assumed
            margin after a single pass).
        share_beyond_bound: share of the compared brain whose asymmetry exceeds the bound, [0, 1].
        symmetric_score: pathology that both sides share, which a mirror comparison cannot see:
            mean over the worst millilitre of the smaller probability of a voxel and its mirror;
            [0, 1], higher is worse.
        brain_ml: brain volume.
        tolerance_mean: mean tolerance in the brain, logit units.
    """

    pathology_ml: float
    deviation_max: float
    deviation_max_mm: tuple[float, float, float]
    deviation_side: str
    p_value: float | None
    bound_max: float
    measured_defect_max: float | None
    rounding_max: float
    share_beyond_bound: float
    symmetric_score: float
    brain_ml: float
    tolerance_mean: float

    def as_dict(self) -> dict[str, object]:
        """Plain values for case.json."""
        return asdict(self)


def symmetric_score(maps: CaseMaps, *, voxel_ml: float) -> float:
    """Score of bilateral and midline pathology; see ``Summary``."""
    shared = maps.even_pathology[maps.domain]
    count = min(max(1, round(SYMMETRIC_SCORE_ML / voxel_ml)), shared.size)
    return float(np.partition(shared, -count)[-count:].mean()) if count else 0.0


def summarise(
    maps: CaseMaps, *, prepared: PreparedScan, rounding: float, measured: bool
) -> Summary:
    """Key numbers of a case.

    Args:
        maps: maps of the case.
        prepared: gives spacing, mid-plane and world coordinates.
        rounding: largest rounding difference of the passes, logit units.
        measured: True if the mirrored pass ran.
    """
    voxel_ml = prepared.grid.spacing_mm**3 / 1000.0
    at = np.unravel_index(int(maps.deviation.argmax()), maps.deviation.shape)
    place = to_world(tuple(int(i) for i in at), prepared.grid_to_world)
    compared = max(int(maps.domain.sum()), 1)
    inside = maps.tolerance[maps.domain]
    return Summary(
        pathology_ml=float((maps.pathology > PATHOLOGY_LEVEL).sum()) * voxel_ml,
        deviation_max=float(maps.deviation.max()),
        deviation_max_mm=(place[0], place[1], place[2]),
        deviation_side=prepared.plane.side_of(np.asarray(place)),
        p_value=None if maps.pvalue is None else float(maps.pvalue.min()),
        bound_max=float(maps.bound.max()),
        measured_defect_max=float(np.abs(maps.defect).max()) if measured else None,
        rounding_max=rounding,
        share_beyond_bound=float(beyond_bound(maps).sum()) / compared,
        symmetric_score=symmetric_score(maps, voxel_ml=voxel_ml),
        brain_ml=float(maps.brain.sum()) * voxel_ml,
        tolerance_mean=float(inside.mean()) if inside.size else 0.0,
    )
