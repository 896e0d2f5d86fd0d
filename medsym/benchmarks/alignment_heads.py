"""Brains with a known mid-plane and everything that makes it hard to find.

Each is the symmetric MNI template, turned and shifted, with a smooth warp that keeps the mid-plane,
a torque (right half forward, left half back), one large lesion on one side, a bias field and noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.volumes.volume import Volume

SHAPE = (112, 128, 112)
SPACING_MM = 2.0
TURN_DEG, SHIFT_MM = 15.0, 10.0  # uniform, each axis, both directions
WARP_RMS_MM = 2.5  # of the length of the smooth displacement
WARP_SMOOTH_MM, WARP_EDGE_MM = 16.0, 12.0
TORQUE_MM, TORQUE_EDGE_MM = 2.0, 20.0
LESION_RADIUS_MM = (8.0, 22.0)
LESION_SIDE_MM, LESION_BOX_MM = (20.0, 50.0), (55.0, 35.0)  # |x| range; half ranges of y and z
LESION_FACTORS = (0.3, 1.6)
BIAS_LOG = 0.15  # standard deviation of the log of the bias field
NOISE = 0.05  # of the brightest value
CONTROL_MM = 8.0  # spacing of the smooth random fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """Symmetric template intensities, 0..1, (x, y, z), centred on the origin of its frame."""

    voxels: NDArray[np.float32]
    spacing_mm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HardHead:
    """A made head and the truth about it.

    Attributes:
        volume: 2 mm scan of the stripped brain.
        normal: (3,) true normal, to the patient's right.
        centre_mm: (3,) the template's centre in the world; it lies on the true plane.
    """

    volume: Volume
    normal: NDArray[np.float64]
    centre_mm: NDArray[np.float64]


def load_head_template() -> Template:
    """The template's T1 on a 1 mm lattice that is symmetric about x = 0."""
    from medsym.synthesis.template import sample_template  # loads nilearn

    axes = [np.arange(n, dtype=np.float64) - 0.5 * (n - 1) for n in (160, 200, 180)]
    return Template(
        voxels=sample_template(np.stack(np.meshgrid(*axes, indexing="ij"))).t1.astype(np.float32),
        spacing_mm=1.0,
    )


def _smooth_fields(rng: np.random.Generator, *, count: int) -> NDArray[np.float64]:
    """Random fields of unit rms on the control lattice, (count, x, y, z)."""
    shape = [int(n * SPACING_MM / CONTROL_MM) + 8 for n in SHAPE]
    fields = rng.standard_normal((count, *shape))
    fields = ndimage.gaussian_filter(fields, (0, *[WARP_SMOOTH_MM / CONTROL_MM] * 3))
    return fields / np.sqrt((fields**2).mean(axis=(1, 2, 3), keepdims=True))


def _at(
    field: NDArray[np.floating], *, points: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Values of a centred lattice at points (3, x, y, z) mm."""
    index = points / spacing + 0.5 * (np.array(field.shape) - 1.0).reshape(3, 1, 1, 1)
    return ndimage.map_coordinates(field, index, order=1, mode="constant")


def rotation(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation about x, then y, then z, (3, 3)."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles_rad):
        first, second = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _subject(
    points: NDArray[np.float64],
    *,
    template: Template,
    rng: np.random.Generator,
    warp_rms_mm: float,
) -> NDArray[np.float64]:
    """Intensity of a warped template with a lesion at points (3, x, y, z) of its frame."""
    fields = _smooth_fields(rng, count=3)
    along_axis = warp_rms_mm / np.sqrt(3.0)
    warp = np.stack([along_axis * _at(f, points=points, spacing=CONTROL_MM) for f in fields])
    warp[0] *= np.tanh(np.abs(points[0]) / WARP_EDGE_MM)  # nothing crosses or moves the mid-plane
    warp[1] += TORQUE_MM * np.tanh(points[0] / TORQUE_EDGE_MM)
    values = _at(template.voxels, points=points + warp, spacing=template.spacing_mm)
    side = rng.choice([-1.0, 1.0])
    middle = np.array(
        [side * rng.uniform(*LESION_SIDE_MM), *(rng.uniform(-h, h) for h in LESION_BOX_MM)]
    )
    radius = rng.uniform(*LESION_RADIUS_MM)
    inside = ((points - middle.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < radius**2
    values[inside] *= rng.choice(LESION_FACTORS)
    return values


def make_hard_head(template: Template, *, seed: int, warp_rms_mm: float = WARP_RMS_MM) -> HardHead:
    """One head; the same seed gives the same head.

    Args:
        template: from load_head_template.
        seed: of everything random.
        warp_rms_mm: root mean square length of the smooth displacement.
    """
    rng = np.random.default_rng(seed)
    turn = rotation(np.radians(rng.uniform(-TURN_DEG, TURN_DEG, 3)))
    shift = rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    axes = [(np.arange(n) - 0.5 * (n - 1)) * SPACING_MM for n in SHAPE]
    world = np.stack(np.meshgrid(*axes, indexing="ij"))
    points = np.einsum("rc,cxyz->rxyz", turn.T, world - shift.reshape(3, 1, 1, 1))
    values = _subject(points, template=template, rng=rng, warp_rms_mm=warp_rms_mm)
    bias = np.exp(BIAS_LOG * _at(_smooth_fields(rng, count=1)[0], points=world, spacing=CONTROL_MM))
    values = values * bias
    values = np.abs(values + NOISE * values.max() * rng.standard_normal(SHAPE))
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = [a[0] for a in axes]
    return HardHead(
        volume=Volume(voxels=values.astype(np.float32), affine=affine),
        normal=turn[:, 0],
        centre_mm=shift,
    )
