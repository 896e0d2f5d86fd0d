"""The outline of the brain in a head: an average brain is posed, then bent until it meets the edge.

Bone is dark in every common contrast, so the outline is where tissue ends and something dark
follows within a few mm. The average shape (brain_shape) carries it where there is no such edge, at
the skull base and the neck. The deformation is a discrete relative of S. M. Smith, Fast robust
automated brain extraction, Human Brain Mapping 17, 2002: a closed mesh, an intensity term, a
smoothness term. Everything is symmetric about the mid-plane, so a mirrored head gives the mirrored
outline.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, sparse
from scipy.spatial import cKDTree

from medsym.volumes.brain_shape import icosphere, mean_radius

POSE_SUBDIVISIONS, BEND_SUBDIVISIONS = 3, 4  # 642 and 2562 directions, 12 and 6 mm apart
PITCHES_DEG = tuple(range(-30, 31, 10))
SHIFTS_MM = (-24.0, -12.0, 0.0, 12.0, 24.0)
LOG_SCALES = (0.0,)
SCALE_SPREAD = 0.06  # standard deviation of the log of adult brain size per axis
PITCH_SPREAD_DEG = 15.0
PRIOR = 0.02  # score lost at one standard deviation of size or pitch
POSE_DEPTHS_MM = np.array([-15.0, -12.0, -9.0, -6.0, -3.0, 0.0, 2.5, 5.0, 7.5])
UPPER_COSINE = 0.1  # directions above this are covered by skull and scalp alone
SKIN_DEPTH_MM, SKIN_SPREAD_MM = 15.5, 3.0  # outline below the skin, measured on the same label maps
SKIN_WEIGHT = 0.1
SHALLOW_WEIGHT = 0.1  # the edge of the scalp is an edge too, but no brain is that near the air
REACH_MM = 12  # the outline moves at most this far from the posed average
INSIDE_MM, OUTSIDE_MM = 6, 5  # depth that must be tissue, distance in which the dark must follow
# Per mm^2 of distance to the mean of the neighbours, and to the average shape.
SMOOTHNESS, STIFFNESS = 0.04, 0.004
SWEEPS = 40
CSF_MM = 3.0  # outer CSF kept around the edge of the tissue


def _turn(pitch_deg: float) -> NDArray[np.float64]:
    cos, sin = np.cos(np.radians(pitch_deg)), np.sin(np.radians(pitch_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outline:
    """The average outline: its radius in some directions, (n, 3) and (n,) mm."""

    directions: NDArray[np.float64]
    radii: NDArray[np.float64]


def _outline(subdivisions: int) -> _Outline:
    directions, _ = icosphere(subdivisions)
    return _Outline(directions=directions, radii=mean_radius(directions))


def _ray_points(
    pose: NDArray[np.float64], *, outline: _Outline, depths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points at depths mm (k,) outward of the posed average outline: (n, k, 3), mm in the grid."""
    shift_y, shift_z, pitch, log_scale = pose
    radii = (outline.radii * np.exp(log_scale))[:, None] + depths
    rays = outline.directions @ _turn(pitch).T
    return np.array([0.0, shift_y, shift_z]) + radii[..., None] * rays[:, None]


def _probe(
    image: NDArray[np.float64], *, points: NDArray[np.float64], spacing_mm: float, beyond: float
) -> NDArray[np.float64]:
    """Trilinear values at points (n, k, 3) mm from the grid centre: (n, k)."""
    index = points / spacing_mm + 0.5 * (np.array(image.shape) - 1.0)
    return ndimage.map_coordinates(
        image, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=beyond
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadImage:
    """What the outline is fitted to, all (x, y, z) on the symmetric grid.

    Attributes:
        tissue: background 0, brain tissue about 1, clipped to [0, 1].
        depth_mm: distance to the air around the head; 0 in the air.
        spacing_mm: grid spacing.
    """

    tissue: NDArray[np.float64]
    depth_mm: NDArray[np.float64]
    spacing_mm: float


def _pose_score(pose: NDArray[np.float64], *, head: HeadImage, outline: _Outline) -> float:
    """How well a pose fits: edge under it, depth below the upper skin, usual size and pitch."""
    points = _ray_points(pose, outline=outline, depths=POSE_DEPTHS_MM)
    values = _probe(head.tissue, points=points, spacing_mm=head.spacing_mm, beyond=0.0)
    inner = int((POSE_DEPTHS_MM < 0).sum())
    edge = values[:, :inner].mean(axis=1) - values[:, inner:].min(axis=1)
    upper = outline.directions[:, 2] > UPPER_COSINE
    skin = _probe(
        head.depth_mm,
        points=points[upper][:, inner : inner + 1],
        spacing_mm=head.spacing_mm,
        beyond=0.0,
    )
    odd_skin = np.minimum(((skin - SKIN_DEPTH_MM) / SKIN_SPREAD_MM) ** 2, 9.0).mean()
    odd_pose = (pose[3] / SCALE_SPREAD) ** 2 + (pose[2] / PITCH_SPREAD_DEG) ** 2
    return float(edge.mean() - SKIN_WEIGHT * odd_skin) - PRIOR * float(odd_pose)


def fit_pose(head: HeadImage, *, centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place the average brain in the head: shift along y and z (mm), pitch (degrees), log of scale.

    Args:
        head: the image.
        centre_mm: (3,) first guess of the brain centre, mm from the centre of the grid.
    """
    fine, coarse = _outline(POSE_SUBDIVISIONS), _outline(POSE_SUBDIVISIONS - 1)

    def loss(pose: NDArray[np.float64]) -> float:
        return -_pose_score(pose, head=head, outline=fine)

    starts = [
        np.array([centre_mm[1] + y, centre_mm[2] + z, pitch, log_scale])
        for y, z, pitch, log_scale in product(SHIFTS_MM, SHIFTS_MM, PITCHES_DEG, LOG_SCALES)
    ]
    starts.sort(key=lambda p: -_pose_score(p, head=head, outline=coarse))
    steps = np.vstack([np.zeros(4), np.diag([4.0, 4.0, 6.0, 0.04])])
    options = {"maxfev": 120, "xatol": 0.05, "fatol": 1e-4}
    found = [
        optimize.minimize(
            loss,
            start,
            method="Nelder-Mead",
            options=options | {"initial_simplex": start + steps},
        )
        for start in starts[:2]
    ]
    return np.asarray(min(found, key=lambda result: float(result.fun)).x)


def _neighbour_mean(faces: NDArray[np.int64], *, count: int) -> sparse.csr_matrix:
    rows = faces[:, [0, 1, 1, 2, 2, 0]].ravel()
    columns = faces[:, [1, 0, 2, 1, 0, 2]].ravel()
    links = sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(count, count))
    links.data[:] = 1.0
    return sparse.diags(1.0 / np.asarray(links.sum(axis=1)).ravel()) @ links


def _edge_cost(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of ending the brain at each depth, (n, 2 REACH + 1); -1 is a perfect edge.

    Args:
        values: (n, INSIDE + 2 REACH + 1 + OUTSIDE) intensities, one per mm along each ray.
    """
    width = 2 * REACH_MM + 1
    inside = np.stack([values[:, k : k + width] for k in range(INSIDE_MM)]).mean(axis=0)
    first = INSIDE_MM + 1
    outside = np.stack([values[:, k : k + width] for k in range(first, first + OUTSIDE_MM)])
    return outside.min(axis=0) - inside


def bend(head: HeadImage, *, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move the posed average outline to the edge; vertices (n, 3) mm from the centre of the grid.

    Minimises by sweeps, over whole-mm displacements d of every direction,
    edge cost(d) + SMOOTHNESS (d - mean of the neighbours)^2 + STIFFNESS d^2, plus a cost of being
    too near the skin.
    """
    directions, faces = icosphere(BEND_SUBDIVISIONS)
    outline = _Outline(directions=directions, radii=mean_radius(directions))
    depths = np.arange(-REACH_MM - INSIDE_MM, REACH_MM + OUTSIDE_MM + 1, dtype=np.float64)
    points = _ray_points(pose, outline=outline, depths=depths)
    values = _probe(head.tissue, points=points, spacing_mm=head.spacing_mm, beyond=0.0)
    choices = np.arange(-REACH_MM, REACH_MM + 1, dtype=np.float64)
    ends = points[:, INSIDE_MM : INSIDE_MM + len(choices)]
    skin = _probe(head.depth_mm, points=ends, spacing_mm=head.spacing_mm, beyond=0.0)
    shallow = np.clip((SKIN_DEPTH_MM - SKIN_SPREAD_MM - skin) / SKIN_SPREAD_MM, 0.0, None)
    cost = _edge_cost(values) + STIFFNESS * choices**2 + SHALLOW_WEIGHT * shallow**2
    mean_of = _neighbour_mean(faces, count=len(directions))
    moved = np.zeros(len(directions))
    for _ in range(SWEEPS):
        around = mean_of @ moved
        total = cost + SMOOTHNESS * (choices - around[:, None]) ** 2
        moved = 0.5 * moved + 0.5 * choices[total.argmin(axis=1)]
    moved = mean_of @ moved
    radii = outline.radii * np.exp(pose[3]) + moved + CSF_MM
    return np.array([0.0, pose[0], pose[1]]) + radii[:, None] * (directions @ _turn(pose[2]).T)


def fill_surface(
    points: NDArray[np.float64],
    *,
    centre_mm: NDArray[np.float64],
    shape: tuple[int, int, int],
    spacing_mm: float,
) -> NDArray[np.bool_]:
    """Voxels inside an outline that is seen whole from its centre; bool (x, y, z).

    The radius in the direction of a voxel is the distance-weighted mean of the three nearest
    vertices.
    """
    radii = np.linalg.norm(points - centre_mm, axis=1)
    tree = cKDTree((points - centre_mm) / radii[:, None])
    axes = [(np.arange(n) - 0.5 * (n - 1)) * spacing_mm for n in shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) - centre_mm
    distance = np.linalg.norm(voxels, axis=1)
    mask = distance < radii.min()
    open_question = np.flatnonzero((~mask) & (distance < radii.max()))
    gap, vertex = tree.query(voxels[open_question] / distance[open_question, None], k=3)
    weight = 1.0 / (gap + 1e-6)
    limit = (weight * radii[vertex]).sum(axis=1) / weight.sum(axis=1)
    mask[open_question] = distance[open_question] < limit
    return mask.reshape(shape)
