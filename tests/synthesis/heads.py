"""Small label maps with a known left, and the anatomy made of them, for tests of the synthesis."""

import functools

import numpy as np

from medsym.synthesis.anatomy import Anatomy, classes_on_frame
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.settings import (
    ContrastConfig,
    DeformationConfig,
    DegradationConfig,
    LesionConfig,
    SynthesisConfig,
)

CANVAS = Canvas()  # 64 x 80 x 64 voxels of 3 mm, on the CPU
SPACING_MM = 2.0
SHAPE = (96, 112, 96)
# (left label, right label, centre of the right one, half axes), mm; later ones are drawn on top.
PAIRS = (
    (3, 42, (33.0, 0.0, 10.0), (34.0, 82.0, 58.0)),
    (2, 41, (30.0, 0.0, 10.0), (24.0, 68.0, 44.0)),
    (8, 47, (24.0, -52.0, -42.0), (23.0, 26.0, 18.0)),
    (4, 43, (10.0, -8.0, 20.0), (6.0, 30.0, 8.0)),
    (10, 49, (13.0, -16.0, 4.0), (8.0, 12.0, 8.0)),
    (11, 50, (16.0, 16.0, 12.0), (6.0, 12.0, 8.0)),
    (12, 51, (28.0, 2.0, 2.0), (7.0, 16.0, 9.0)),
    (17, 53, (28.0, -18.0, -14.0), (7.0, 16.0, 6.0)),
    (18, 54, (24.0, 4.0, -18.0), (6.0, 6.0, 6.0)),
    (13, 52, (20.0, 0.0, 0.0), (4.0, 8.0, 6.0)),
    (26, 58, (12.0, 20.0, -4.0), (4.0, 6.0, 4.0)),
    (28, 60, (10.0, -10.0, -10.0), (8.0, 7.0, 5.0)),
    (5, 44, (36.0, -34.0, -4.0), (4.0, 10.0, 4.0)),
    (7, 46, (20.0, -50.0, -40.0), (10.0, 12.0, 8.0)),
)
MIDLINE = (
    (14, (0.0, -8.0, 6.0), (3.0, 12.0, 8.0)),
    (16, (0.0, -26.0, -28.0), (10.0, 9.0, 22.0)),
    (15, (0.0, -38.0, -30.0), (4.0, 4.0, 8.0)),
)


def ras_affine() -> np.ndarray:
    """Voxel to world of `head_labels`, centred on the world's origin."""
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = [-0.5 * SPACING_MM * (n - 1) for n in SHAPE]
    return affine


def head_labels(*, to_head: np.ndarray | None = None) -> np.ndarray:
    """FreeSurfer-style labels of an ellipsoid head in RAS order.

    Args:
        to_head: (4, 4) world to head coordinates; None is an upright head.
    """
    index = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")).astype(float)
    matrix = ras_affine() if to_head is None else to_head @ ras_affine()
    points = np.einsum("rc,cxyz->rxyz", matrix[:3, :3], index) + matrix[:3, 3].reshape(3, 1, 1, 1)

    def ellipsoid(centre: tuple[float, ...], axes: tuple[float, ...]) -> np.ndarray:
        scaled = [(points[k] - centre[k]) / axes[k] for k in range(3)]
        return sum(s**2 for s in scaled) < 1.0

    labels = np.zeros(SHAPE, dtype=np.int32)
    for label, grow in ((511, 14.0), (515, 10.0), (24, 3.0)):
        labels[ellipsoid((0.0, 0.0, 0.0), (68.0 + grow, 84.0 + grow, 68.0 + grow))] = label
    for left, right, centre, axes in PAIRS:
        x, y, z = centre
        labels[ellipsoid((-x, y, z), axes) & (points[0] < 0)] = left
        labels[ellipsoid((x, y, z), axes) & (points[0] >= 0)] = right
    for label, centre, axes in MIDLINE:
        labels[ellipsoid(centre, axes)] = label
    return labels


@functools.cache
def head_anatomy() -> Anatomy:
    """The upright head on the symmetric frame."""
    classes = classes_on_frame(head_labels(), affine=ras_affine(), name="ellipsoids")
    return Anatomy.of_classes("ellipsoids", classes)


STILL = DeformationConfig(
    displacement_rms_mm=(0.0, 0.0),
    pitch_deg=(0.0, 0.0),
    scale=(1.0, 1.0),
    shift_mm=(0.0, 0.0),
    tilt_deg=(0.0, 0.0),
    plane_shift_mm=(0.0, 0.0),
    torque_mm=(0.0, 0.0),
    ventricle_mm=(0.0, 0.0),
    rough_rms_mm=(0.0, 0.0),
    atrophy=0.0,
)

PLAIN = SynthesisConfig(
    deformation=STILL,
    contrast=ContrastConfig(realistic=1.0, gamma_log_sd=0.0, white_matter_change=0.0),
    lesions=LesionConfig(
        present=1.0,
        another=0.0,
        bilateral=0.0,
        midline=0.0,
        radius_mm=(12.0, 18.0),
        extreme=0.0,
        contrast_sd=(3.0, 6.0),
        halo=0.0,
        cavity=0.0,
        mass_effect=0.0,
    ),
    degradation=DegradationConfig(
        stripped=0.0,
        bias_log_sd=(0.0, 0.0),
        one_sided=0.0,
        noise_sd=(0.0, 0.0),
        blur_mm=(0.0, 0.0),
        thick_slices=0.0,
        neck_cut=0.0,
        cropped=0.0,
    ),
)
