"""Where the mid-sagittal plane of a label map lies, found from its paired structures.

A map with left and right labels shows its own mirror: the plane is the one whose reflection
carries each left structure best onto its right partner. That is a least-squares problem in two
angles and an offset, solved from the line that joins the centroids of the two sides.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from medsym.models.structures import STRUCTURES, structure_of_label

STEP_MM = 3.0  # lattice on which the two sides are compared
SMOOTH_VOXELS = 1.0
MOST_POINTS = 12_000  # more change the plane by less than 0.05 degrees


def _side_map(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Left structures positive, right ones negative, each pair with its own weight."""
    table = np.zeros(int(labels.max()) + 1, dtype=np.float32)
    for label in np.unique(labels):
        structure = STRUCTURES[structure_of_label(int(label))]
        sign = {"left": 1.0, "right": -1.0}.get(structure.side, 0.0)
        pair = min(structure.index, structure.mirror)
        table[label] = sign * (1.0 + 0.5 * ((pair // 2) % 3))
    return table[labels]


def label_frame(labels: NDArray[np.int32], *, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rigid map from frame mm to world mm, (4, 4), with x = 0 on the mid-sagittal plane.

    The frame's origin is the centroid of the paired structures, close to that of the brain on which
    scans are centred; its y axis is the world's front direction made orthogonal to the normal.

    Args:
        labels: (x, y, z) FreeSurfer-style labels, in any storage order.
        affine: (4, 4) voxel to world (RAS+, mm) of the labels.

    Raises:
        ValueError: when one side has no labelled structure.
    """
    steps = np.maximum(1, np.round(STEP_MM / np.linalg.norm(affine[:3, :3], axis=0))).astype(int)
    coarse = labels[:: steps[0], :: steps[1], :: steps[2]]
    to_world = affine @ np.diag([*steps.astype(np.float64), 1.0])
    side = ndimage.gaussian_filter(_side_map(coarse), SMOOTH_VOXELS)
    inside = np.argwhere(np.abs(side) > 0.05)
    inside = inside[:: max(1, len(inside) // MOST_POINTS)]
    points = inside @ to_world[:3, :3].T + to_world[:3, 3]
    values = side[tuple(inside.T)]
    if not (values > 0).any() or not (values < 0).any():
        raise ValueError("the label map has no left-right pair of structures")
    left, right = points[values > 0].mean(0), points[values < 0].mean(0)
    normal = (right - left) / np.linalg.norm(right - left)
    middle = 0.5 * (left + right)
    normal, offset = _refine(
        side,
        points,
        values=values,
        to_world=to_world,
        start=(normal, float(normal @ middle)),
    )
    return _rigid(normal, offset=offset, centre=points.mean(0))


def _refine(
    side: NDArray[np.float32],
    points: NDArray[np.float64],
    *,
    values: NDArray[np.float32],
    to_world: NDArray[np.float64],
    start: tuple[NDArray[np.float64], float],
) -> tuple[NDArray[np.float64], float]:
    """Minimise the mean of (d(p) + d(S p))^2 over planes; d is the side map."""
    normal, offset = start
    front = np.cross([0.0, 0.0, 1.0], normal)
    front /= np.linalg.norm(front)
    up = np.cross(normal, front)
    from_world = np.linalg.inv(to_world)

    def plane(parameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        turned = normal + np.tan(parameters[0]) * front + np.tan(parameters[1]) * up
        turned /= np.linalg.norm(turned)
        pivot = points.mean(0)
        shift = 100.0 * parameters[2]  # so that all three parameters are of one size
        return turned, float(turned @ pivot + (offset - normal @ pivot) + shift)

    def cost(parameters: NDArray[np.float64]) -> float:
        turned, at = plane(parameters)
        mirrored = points - 2.0 * np.outer(points @ turned - at, turned)
        voxels = mirrored @ from_world[:3, :3].T + from_world[:3, 3]
        other = ndimage.map_coordinates(side, voxels.T, order=1, mode="constant")
        return float(np.mean((values + other) ** 2))

    best = optimize.minimize(
        cost, np.zeros(3), method="Powell", options={"xtol": 1e-4, "ftol": 1e-6, "maxfev": 300}
    )
    return plane(best.x)


def _rigid(
    normal: NDArray[np.float64], *, offset: float, centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Frame to world: x along the normal, origin at the centre's projection on the plane."""
    right = normal if normal[0] > 0 else -normal
    offset = offset if normal[0] > 0 else -offset
    front = np.array([0.0, 1.0, 0.0]) - right[1] * right
    front /= np.linalg.norm(front)
    rigid = np.eye(4)
    rigid[:3, :3] = np.column_stack([right, front, np.cross(right, front)])
    rigid[:3, 3] = centre + (offset - right @ centre) * right
    return rigid
