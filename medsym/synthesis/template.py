"""The symmetric MNI template as an anatomy, for use without any label map.

The template and its grey and white matter maps come with nilearn (Fonov et al., "Unbiased nonlinear
average age-appropriate brain templates from birth to adulthood", NeuroImage 47 Suppl. 1, 2009;
ICBM152 2009a, nonlinear, symmetric). They tell the tissue of a voxel, not the structure: sides come
from the sign of x, fluid deep inside the brain is taken for the lateral ventricles, and every other
structure is missing and said to be. Skull and scalp are shells of constant thickness.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.synthesis.anatomy import FINE_MM, Anatomy, lattice_points
from medsym.synthesis.tissues import CLASS_LABELS

NAME = "mni152-2009a-symmetric"
# Centroid of the template's brain, MNI mm, measured; it becomes the frame's origin, x is the plane.
CENTRE_MM = (0.0, -22.0, 10.0)
BRAIN_LEVEL = 0.2  # of the stripped T1 template, as nilearn's own brain mask
VENTRICLE_DEPTH_MM = 12.0
VENTRICLE_FLOOR_MM = -12.0  # MNI z: cisterns lie below
CSF_MM, BONE_MM, SOFT_MM, SKIN_MM = 3.0, 9.0, 12.0, 15.0  # outer borders of the shells


@dataclass(frozen=True, kw_only=True, slots=True)
class TissueMaps:
    """Template maps sampled somewhere: T1 intensity, grey and white matter, all 0..1."""

    t1: NDArray[np.float64]
    grey: NDArray[np.float64]
    white: NDArray[np.float64]

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Where the stripped template shows brain, fluid-filled holes included."""
        return np.asarray(ndimage.binary_fill_holes(self.t1 > BRAIN_LEVEL), dtype=np.bool_)


def sample_template(points_mm: NDArray[np.float64]) -> TissueMaps:
    """Template maps at frame positions, linearly interpolated; 0 outside.

    Args:
        points_mm: (3, x, y, z) frame coordinates, mm.
    """
    from nilearn import datasets  # heavy

    images = (
        datasets.load_mni152_template(resolution=1),
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
    )
    mni = points_mm + np.array(CENTRE_MM).reshape(3, 1, 1, 1)
    sampled = []
    for image in images:
        inverse = np.linalg.inv(np.asarray(image.affine, dtype=np.float64))
        voxels = np.einsum("rc,cxyz->rxyz", inverse[:3, :3], mni)
        voxels += inverse[:3, 3].reshape(3, 1, 1, 1)
        values = np.asarray(image.dataobj, dtype=np.float64)
        sampled.append(ndimage.map_coordinates(values, voxels, order=1, mode="constant"))
    return TissueMaps(t1=sampled[0], grey=sampled[1], white=sampled[2])


def ventricle_mask(
    maps: TissueMaps, *, points_mm: NDArray[np.float64], spacing_mm: float
) -> NDArray[np.bool_]:
    """Fluid deep inside the brain, which the template does not name.

    Args:
        maps: template maps on a lattice.
        points_mm: (3, x, y, z) frame coordinates of the lattice.
        spacing_mm: of the lattice, along all axes.
    """
    fluid = maps.brain & (maps.grey + maps.white < 0.5)
    depth = ndimage.distance_transform_edt(maps.brain, sampling=spacing_mm)
    high = points_mm[2] + CENTRE_MM[2] > VENTRICLE_FLOOR_MM
    central = np.abs(points_mm[0]) < 40.0
    return np.asarray(fluid & (depth > VENTRICLE_DEPTH_MM) & high & central, dtype=np.bool_)


@cache
def template_anatomy() -> Anatomy:
    """The template as tissue classes on the symmetric frame; exactly symmetric.

    Made once per process, which takes seconds: training, validation and reference draw from it.
    """
    planes = lattice_points()
    points = np.stack(np.meshgrid(*planes, indexing="ij"))
    maps = sample_template(points)
    brain = maps.brain
    labels = np.zeros(brain.shape, dtype=np.int64)
    outside = ndimage.distance_transform_edt(~brain, sampling=FINE_MM)
    for limit, label in ((SKIN_MM, 511), (SOFT_MM, 507), (BONE_MM, 515), (CSF_MM, 24)):
        labels[outside <= limit] = label
    labels[brain] = 24
    left = np.broadcast_to((planes[0] < 0)[:, None, None], brain.shape)
    tissue = brain & (maps.grey + maps.white >= 0.5)
    white = maps.white > maps.grey
    labels[tissue & white] = 2
    labels[tissue & ~white] = 3
    labels[ventricle_mask(maps, points_mm=points, spacing_mm=FINE_MM)] = 4
    for on_left, on_right in ((2, 41), (3, 42), (4, 43)):
        labels[(labels == on_left) & ~left] = on_right
    table = np.zeros(max(CLASS_LABELS) + 1, dtype=np.uint8)
    table[list(CLASS_LABELS)] = np.arange(len(CLASS_LABELS), dtype=np.uint8)
    classes = table[labels]
    return Anatomy.of_classes(NAME, classes)
