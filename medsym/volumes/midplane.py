"""The mid-sagittal plane of a head: the mirror under which the scan resembles itself best.

No template and no weights are needed, so any contrast works. The score of a plane is the mean of
1 / (1 + (difference / c)^2) over the head (Geman & McClure, Bayesian image analysis, 1985), which a
large one-sided lesion cannot outvote: its voxels count as "different" once, however different they
are. A grid of planes is tried at 8 mm, the best three are improved at 4 mm, the winner is finished
at 2 mm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsym.volumes.volume import Volume

METHOD = "robust self-mirror score, 8-4-2 mm"


@dataclass(frozen=True, kw_only=True)
class MidPlane:
    """A mid-sagittal plane {w : normal . w = offset_mm} in world coordinates.

    Attributes:
        normal: (3,) unit vector that points to the patient's right.
        offset_mm: signed distance of the plane from the world origin along the normal.
        score: agreement of the head with its mirror image; [0, 1], higher is better.
        method: how the plane was found.
    """

    normal: NDArray[np.float64]
    offset_mm: float
    score: float
    method: str = METHOD

    @property
    def reflection(self) -> NDArray[np.float64]:
        """(4, 4) world-to-world mirror matrix; its own inverse, determinant -1."""
        mirror = np.eye(4)
        mirror[:3, :3] -= 2.0 * np.outer(self.normal, self.normal)
        mirror[:3, 3] = 2.0 * self.offset_mm * self.normal
        return mirror

    @property
    def yaw_deg(self) -> float:
        """Turn of the head about the vertical axis, degrees; 0 when it looks straight ahead."""
        return float(np.degrees(np.arctan2(self.normal[1], self.normal[0])))

    @property
    def roll_deg(self) -> float:
        """Tilt of the head to a shoulder, degrees; 0 when upright."""
        return float(np.degrees(np.arcsin(np.clip(self.normal[2], -1.0, 1.0))))

    def side_of(self, point_mm: NDArray[np.float64]) -> str:
        """The patient's side, "left" or "right", on which a world point lies."""
        distance = float(np.asarray(point_mm, dtype=np.float64) @ self.normal) - self.offset_mm
        return "right" if distance > 0 else "left"


def estimate_midplane(
    volume: Volume, *, weights: NDArray[np.floating] | NDArray[np.bool_] | Volume | None = None
) -> MidPlane:
    """Find the mid-sagittal plane of a head that is turned or tilted by up to about 24 degrees.

    Args:
        volume: a head or a stripped brain; any contrast, spacing and storage orientation.
        weights: optional votes, for instance a brain mask: an (x, y, z) array on the scan's own
            lattice or a Volume on any lattice in the same world space.

    Returns:
        The plane; its normal points to the patient's right.

    Raises:
        ScanError: MS-121 when the scan is constant.
    """
    from medsym.volumes.intensity import see
    from medsym.volumes.plane_search import search_plane
    from medsym.volumes.plane_space import build_space

    return search_plane(build_space(see(volume), weights=_votes(volume, weights=weights)))


def _votes(
    volume: Volume, *, weights: NDArray[np.floating] | NDArray[np.bool_] | Volume | None
) -> Volume | None:
    if weights is None:
        return None
    if isinstance(weights, Volume):
        return Volume(voxels=np.asarray(weights.voxels, np.float32), affine=weights.affine)
    return Volume(voxels=np.asarray(weights, np.float32), affine=volume.affine)
