"""A balloon that grows inside the head until it meets the dark rim around the brain.

Method: S. M. Smith, Fast robust automated brain extraction, Human Brain Mapping 17, 2002, reimplemented
here on the symmetric grid. The mesh is symmetric about the mid-plane, so a mirrored head gives the
mirrored surface.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

STEPS = 600
SUBDIVISIONS = 4  # 2562 vertices, about 6 mm apart on an adult brain
RADII_MM = (3.33, 10.0)  # BET: curvature radii that are smoothed fully and not at all
INWARD_DARK_MM, INWARD_BRIGHT_MM, PROBE_MM = 20.0, 10.0, 2.5
FORCE = 0.05  # BET: share of the edge length moved per step
START_SHARE = 0.5  # of the assumed brain radius


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Intensity landmarks of BET.

    Attributes:
        low: 2nd percentile, taken as background.
        head: background plus a tenth of the range; below it nothing counts as tissue.
        brain: median around the centre.
        fraction: 0..1, BET's "f"; larger gives a smaller brain.
    """

    low: float
    head: float
    brain: float
    fraction: float


def icosphere(subdivisions: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit sphere of triangles, symmetric in all three coordinate planes: vertices (n, 3), faces (m, 3)."""
    golden = 0.5 * (1.0 + np.sqrt(5.0))
    points = [
        np.roll([0.0, a, b * golden], shift) for shift in range(3) for a in (-1, 1) for b in (-1, 1)
    ]
    vertices = np.array(points) / np.hypot(1.0, golden)
    gaps = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1)
    near = (gaps > 0.1) & (gaps < 1.1)
    faces = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i + 1, 12)
            for k in range(j + 1, 12)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
    for _ in range(subdivisions):
        vertices, faces = _split(vertices, faces)
    corner = vertices[faces]
    outward = np.einsum("fi,fi->f", np.cross(corner[:, 1], corner[:, 2]), corner[:, 0]) > 0
    faces[~outward] = faces[~outward][:, ::-1]
    return vertices, faces


def _split(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    middle = vertices[unique].sum(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    ab, bc, ca = (place.reshape(3, -1) + len(vertices)).astype(np.int64)
    a, b, c = faces.T
    split = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([vertices, middle]), np.concatenate([np.stack(s, axis=1) for s in split])


def _smoother(faces: NDArray[np.int64], *, count: int) -> sparse.csr_matrix:
    rows = faces[:, [0, 1, 1, 2, 2, 0]].ravel()
    columns = faces[:, [1, 0, 2, 1, 0, 2]].ravel()
    links = sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(count, count))
    links.data[:] = 1.0
    return sparse.diags(1.0 / np.asarray(links.sum(axis=1)).ravel()) @ links


class _Balloon:
    """Vertices of the surface, in mm from the centre of the grid, and what they need to move."""

    def __init__(self, image: NDArray[np.floating], *, spacing_mm: float, levels: Levels) -> None:
        self.image = np.asarray(image, dtype=np.float64)
        self.spacing_mm = spacing_mm
        self.levels = levels
        self.unit, self.faces = icosphere(SUBDIVISIONS)
        count = len(self.unit)
        self.mean_neighbour = _smoother(self.faces, count=count)
        ones = np.ones(self.faces.size)
        index = (self.faces.ravel(), np.repeat(np.arange(len(self.faces)), 3))
        self.gather = sparse.csr_matrix((ones, index), shape=(count, len(self.faces)))
        self.middle = 0.5 * (np.array(image.shape) - 1.0)

    def probe(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Trilinear intensity at points (..., 3) mm; the background beyond the grid."""
        index = points / self.spacing_mm + self.middle
        return ndimage.map_coordinates(
            self.image, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=self.levels.low
        )

    def force(self, points: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """BET's f3: positive inside tissue (outward), negative where the inward ray meets the dark."""
        levels = self.levels
        depths = np.arange(PROBE_MM, INWARD_DARK_MM + 1e-6, PROBE_MM)
        rays = self.probe(points[:, None] - depths[None, :, None] * normals[:, None])
        dark = np.clip(rays.min(axis=1), levels.low, levels.brain)
        near = rays[:, depths <= INWARD_BRIGHT_MM].max(axis=1)
        bright = np.clip(near, levels.head, levels.brain)
        limit = (bright - levels.low) * levels.fraction + levels.low
        return 2.0 * (dark - limit) / (bright - levels.low)

    def step(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """One move of all vertices."""
        corner = points[self.faces]
        areas = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        normals = self.gather @ areas
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        edge = float(np.linalg.norm(corner[:, 1] - corner[:, 0], axis=1).mean())
        pull = self.mean_neighbour @ points - points
        along = np.einsum("ni,ni->n", pull, normals)[:, None]
        inverse_radius = 2.0 * np.abs(along) / edge**2
        low, high = 1.0 / RADII_MM[1], 1.0 / RADII_MM[0]
        bend = 0.5 * (1.0 + np.tanh(6.0 / (high - low) * (inverse_radius - 0.5 * (low + high))))
        push = FORCE * edge * self.force(points, normals)[:, None] * normals
        return points + 0.5 * (pull - along * normals) + bend * along * normals + push


def grow_surface(
    image: NDArray[np.floating],
    *,
    spacing_mm: float,
    levels: Levels,
    centre_mm: NDArray[np.float64],
    radius_mm: float,
) -> NDArray[np.float64]:
    """Grow the balloon; vertices (n, 3) in mm from the centre of the grid.

    Args:
        image: (x, y, z) intensities on the symmetric grid.
        spacing_mm: grid spacing.
        levels: intensity landmarks.
        centre_mm: start centre, mm from the grid centre.
        radius_mm: assumed brain radius; the balloon starts at half of it.
    """
    balloon = _Balloon(image, spacing_mm=spacing_mm, levels=levels)
    points = centre_mm + START_SHARE * radius_mm * balloon.unit
    for _ in range(STEPS):
        points = balloon.step(points)
    return points


def fill_surface(
    points: NDArray[np.float64], *, shape: tuple[int, int, int], spacing_mm: float
) -> NDArray[np.bool_]:
    """Voxels inside a surface that is seen whole from its centre; bool (x, y, z).

    The radius in the direction of a voxel is the distance-weighted mean of the three nearest vertices.
    """
    centre = points.mean(axis=0)
    radii = np.linalg.norm(points - centre, axis=1)
    tree = cKDTree((points - centre) / radii[:, None])
    axes = [(np.arange(n) - 0.5 * (n - 1)) * spacing_mm for n in shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) - centre
    distance = np.linalg.norm(voxels, axis=1)
    mask = distance < radii.min()
    open_question = np.flatnonzero((~mask) & (distance < radii.max()))
    gap, vertex = tree.query(voxels[open_question] / distance[open_question, None], k=3)
    weight = 1.0 / (gap + 1e-6)
    limit = (weight * radii[vertex]).sum(axis=1) / weight.sum(axis=1)
    mask[open_question] = distance[open_question] < limit
    return mask.reshape(shape)
