"""PreparedScan: a scan on the symmetric grid, its brain, its coverage and what to know of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medsym.volumes.brain_mask import estimate_brain_mask, is_stripped, volume_ml
from medsym.volumes.frame import SymmetricGrid, frame_to_world
from medsym.volumes.intensity import background_level, foreground_mask, normalise, unpadded
from medsym.volumes.midplane import MidPlane
from medsym.volumes.resampling import inside_view, resample
from medsym.volumes.volume import Volume

FULL_COVERAGE = 0.99  # less of the brain with a mirror image in view gets a note


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedScan:
    """A scan on the symmetric grid. All arrays are (x, y, z) with x to the patient's right.

    Attributes:
        scan: the scan as read.
        image: float32, the whole head scaled to about [0, 1], 0 outside the head.
        raw: float32, the scan's own intensities on the grid; the background level outside the view,
            and air where a CT is padded.
        foreground: head (or stripped brain) against the background.
        brain: brain mask.
        coverage: voxels that lie, with their mirror image, inside the field of view.
        plane: mid-sagittal plane in world mm.
        grid: the lattice.
        grid_to_world: (4, 4) grid voxel to world mm.
        notes: what the reader of a result should know about this scan.
        quality: midplane_score, brain_ml, brain_covered (share of the brain that can be compared
            with its mirror image), brain_left_share (of the brain volume), thickest_mm, stripped (0
            or 1).
    """

    scan: Volume
    image: NDArray[np.float32]
    raw: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    coverage: NDArray[np.bool_]
    plane: MidPlane
    grid: SymmetricGrid
    grid_to_world: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    quality: dict[str, float] = field(default_factory=dict)

    @property
    def brain_image(self) -> NDArray[np.float32]:
        """The brain alone, scaled by its own percentiles; 0 outside."""
        return normalise(self.raw, self.brain, subject=scan_name(self.scan))


def mask_centre(mask: NDArray[np.bool_], *, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroid of a mask in world mm, (3,)."""
    index = np.array([float(i.mean()) for i in np.nonzero(mask)])
    return affine[:3, :3] @ index + affine[:3, 3]


def assemble(
    scan: Volume,
    *,
    grid: SymmetricGrid,
    plane: MidPlane,
    centre_mm: NDArray[np.float64],
    brain: Volume | None = None,
) -> PreparedScan:
    """Resample a scan to the grid that a plane and a centre define, and describe it.

    Args:
        scan: the scan.
        grid: the lattice.
        plane: mid-sagittal plane.
        centre_mm: (3,) world point; its projection on the plane becomes the centre of the grid.
        brain: mask on any lattice in the same world space; estimated when absent.
    """
    to_world = frame_to_world(plane, centre_mm=centre_mm) @ grid.frame_affine
    seen = unpadded(scan)
    level, _ = background_level(seen.voxels)
    raw = resample(seen, to_shape=grid.shape, affine_to=to_world, fill=level)
    view = inside_view(scan.shape, affine=scan.affine, shape=grid.shape, target_affine=to_world)
    foreground = foreground_mask(raw) & view
    if brain is None:
        mask = estimate_brain_mask(raw, spacing_mm=grid.spacing_mm, view=view)
    else:
        soft = Volume(voxels=np.asarray(brain.voxels, np.float32), affine=brain.affine)
        mask = resample(soft, to_shape=grid.shape, affine_to=to_world) >= 0.5
    coverage = view & view[::-1]
    stripped = is_stripped(raw, foreground=foreground, spacing_mm=grid.spacing_mm, view=view)
    quality = _quality(scan, plane=plane, brain=mask, coverage=coverage, grid=grid)
    return PreparedScan(
        scan=scan,
        image=normalise(raw, foreground, subject=scan_name(scan)),
        raw=raw,
        foreground=foreground,
        brain=mask,
        coverage=coverage,
        plane=plane,
        grid=grid,
        grid_to_world=to_world,
        notes=_notes(quality, stripped=stripped),
        quality=quality | {"stripped": float(stripped)},
    )


def scan_name(scan: Volume) -> str:
    """Name of a scan in messages: its file name, or "scan" when it was made in memory."""
    return scan.path.name if scan.path is not None else "scan"


def _quality(
    scan: Volume,
    *,
    plane: MidPlane,
    brain: NDArray[np.bool_],
    coverage: NDArray[np.bool_],
    grid: SymmetricGrid,
) -> dict[str, float]:
    size = max(int(brain.sum()), 1)
    left = brain[: brain.shape[0] // 2]  # x grows to the right, so the first half is the left side
    return {
        "midplane_score": plane.score,
        "brain_ml": volume_ml(brain, spacing_mm=grid.spacing_mm),
        "brain_covered": float((brain & coverage).sum()) / size,
        "brain_left_share": float(left.sum()) / size,
        "thickest_mm": max(scan.spacing_mm),
    }


def _notes(quality: dict[str, float], *, stripped: bool) -> tuple[str, ...]:
    notes = []
    if quality["brain_covered"] < FULL_COVERAGE:
        share = 100.0 * (1.0 - quality["brain_covered"])
        notes.append(f"{share:.0f} % of the brain has no mirror image in the field of view")
    if stripped:
        notes.append("the scan was already skull-stripped")
    return tuple(notes)
