"""The average outline of a brain seen from its centre, and the sphere of its directions.

The outline is one number per direction. It was measured on the 16 label maps that come with
SynthSeg (Billot et al., arXiv:2107.09559, Apache-2.0): all brain labels with ventricles, cerebellum
and brainstem, sulci closed by 6 mm, on each map's own mid-plane, made left-right symmetric, and
brought to a common position, pitch and scale by Procrustes averaging. Around it the 16 outlines
differ by 2.5 mm (standard deviation, mean over directions); the polynomial below differs from the
average by 1.6 mm rms.
"""

import numpy as np
from numpy.typing import NDArray

DEGREE = 10
# mm; terms x^a y^b z^c in the order of _exponents, a even: the outline is its own mirror image
# fmt: off
COEFFICIENTS = (
    59.2, 29.3, 293.0, 41.9, 571.6, 282.1, 550.5, 86.9, 302.8, 33.6, 81.2, 273.0, 349.2, 1479.8,
    235.3, 2146.8, 138.2, 1307.8, 360.0, 397.9, 622.7, 336.1, 2799.5, -1099.0, 2266.8, -358.6,
    804.4, 464.5, -144.5, 1332.9, 328.0, 601.7, 395.4, -21.5, 345.5, 64.6, -0.4, -19.6, 25.9,
    -86.2, 42.8, -57.6, 141.6, -45.8, -0.9, 8.8, 49.8, -440.4, -90.8, 376.1, -0.4, -554.6, 152.2,
    -13.5, 16.6, 121.2, -744.4, 692.0, -110.6, 136.8, 66.8, -62.8, 140.6, -117.9, -16.8, 4.5,
)
# fmt: on


def _exponents() -> list[tuple[int, int, int]]:
    """Exponents of the monomials of degree 10 and 9, even in x: they span degrees 0 to 10."""
    return [
        (2 * a, b, degree - 2 * a - b)
        for degree in (DEGREE, DEGREE - 1)
        for a in range(degree // 2 + 1)
        for b in range(degree - 2 * a + 1)
    ]


def mean_radius(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance in mm from the centre of an average brain to its outline.

    Args:
        directions: (n, 3) unit vectors; x right, y front, z top.

    Returns:
        (n,) radii, the same for a direction and its mirror image.
    """
    x, y, z = directions.T
    terms = [x**a * y**b * z**c for a, b, c in _exponents()]
    return np.stack(terms, axis=1) @ np.array(COEFFICIENTS)


def icosphere(subdivisions: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit sphere of triangles, symmetric in all three coordinate planes.

    Args:
        subdivisions: how often the 20 triangles of the icosahedron are split in four.

    Returns:
        Vertices (10 * 4^subdivisions + 2, 3) and faces (20 * 4^subdivisions, 3).
    """
    golden = 0.5 * (1.0 + np.sqrt(5.0))
    points = [
        np.roll([0.0, a, b * golden], shift) for shift in range(3) for a in (-1, 1) for b in (-1, 1)
    ]
    vertices = np.array(points) / np.hypot(1.0, golden)
    gaps = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1)
    near = (gaps > 0.1) & (gaps < 1.1)
    corners = np.array(np.meshgrid(*[range(12)] * 3, indexing="ij")).reshape(3, -1).T
    i, j, k = corners[(corners[:, 0] < corners[:, 1]) & (corners[:, 1] < corners[:, 2])].T
    keep = near[i, j] & near[j, k] & near[i, k]
    faces = np.stack([i, j, k], axis=1)[keep]
    for _ in range(subdivisions):
        vertices, faces = _split(vertices, faces)
    return vertices, faces


def _split(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Every triangle into four; the new vertices lie on the sphere."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    middle = vertices[unique].sum(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    ab, bc, ca = (place.reshape(3, -1) + len(vertices)).astype(np.int64)
    a, b, c = faces.T
    split = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([vertices, middle]), np.concatenate([np.stack(s, axis=1) for s in split])
