"""PreparedScan: a scan on the symmetric grid, its brain, its coverage and what to know of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medsym.volumes.brain_mask import estimate_brain_mask, is_stripped, volume_ml
from medsym.volumes.frame import SymmetricGrid, frame_to_world
from medsym.volumes.intensity import SeenScan, foreground_mask, normalise
from medsym.volumes.midplane import MidPlane
from medsym.volumes.resampling import inside_view, resample
from medsym.volumes.volume import Volume

#: Head, skull-stripping and brain are judged at this spacing on finer grids too: at 2 mm the noise
#: of a FLAIR scan made the head an eighth larger, and one head should have one mask.
MASK_SPACING_MM = 3.0
FULL_COVERAGE = 0.99  # less of the brain with a mirror image in view gets a note


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedScan:
    """A scan on the symmetric grid. All arrays are (x, y, z) with x to the patient's right.

    Attributes:
        seen: the scan as read, and as its head is judged.
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

    seen: SeenScan
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
    def scan(self) -> Volume:
        """The scan as read."""
        return self.seen.scan

    @property
    def brain_image(self) -> NDArray[np.float32]:
        """The brain alone, scaled by its own percentiles; 0 outside."""
        return normalise(self.raw, self.brain, subject=scan_name(self.scan))


def mask_centre(mask: NDArray[np.bool_], *, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroid of a mask in world mm, (3,)."""
    index = np.array([float(i.mean()) for i in np.nonzero(mask)])
    return affine[:3, :3] @ index + affine[:3, 3]


def assemble(
    seen: SeenScan,
    *,
    grid: SymmetricGrid,
    plane: MidPlane,
    centre_mm: NDArray[np.float64],
    brain: Volume | None = None,
) -> PreparedScan:
    """Resample a scan to the grid that a plane and a centre define, and describe it.

    Args:
        seen: the scan.
        grid: the lattice.
        plane: mid-sagittal plane.
        centre_mm: (3,) world point; its projection on the plane becomes the centre of the grid.
        brain: mask on any lattice in the same world space; estimated when absent.
    """
    rigid = frame_to_world(plane, centre_mm=centre_mm)
    scan = seen.scan
    here = _sample(seen, grid=grid, rigid=rigid)
    coarse = SymmetricGrid.spanning(MASK_SPACING_MM)
    fine = grid.spacing_mm < MASK_SPACING_MM
    judged = _sample(seen, grid=coarse, rigid=rigid) if fine else here
    head, stripped, own_brain = _head(judged, wants_brain=brain is None)
    found = own_brain if brain is None else brain
    assert found is not None
    mask = here.carried(found.voxels, affine=found.affine)
    foreground = here.carried(head, affine=judged.to_world) & here.view
    coverage = here.view & here.view[::-1]
    quality = _quality(scan, plane=plane, brain=mask, coverage=coverage, grid=grid)
    return PreparedScan(
        seen=seen,
        image=normalise(here.raw, foreground, subject=scan_name(scan)),
        raw=here.raw,
        foreground=foreground,
        brain=mask,
        coverage=coverage,
        plane=plane,
        grid=grid,
        grid_to_world=here.to_world,
        notes=_notes(quality, stripped=stripped),
        quality=quality | {"stripped": float(stripped)},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sampled:
    """A scan on a symmetric grid, and which of its voxels the scan shows."""

    grid: SymmetricGrid
    to_world: NDArray[np.float64]
    raw: NDArray[np.float32]
    view: NDArray[np.bool_]

    def carried(
        self, mask: NDArray[np.generic], *, affine: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """A mask of another lattice on this one; as it is if the lattices are one."""
        if mask.shape == self.grid.shape and np.array_equal(affine, self.to_world):
            return np.asarray(mask, dtype=np.float32) >= 0.5
        soft = Volume(voxels=np.asarray(mask, dtype=np.float32), affine=affine)
        share = resample(soft, to_shape=self.grid.shape, affine_to=self.to_world)
        return np.asarray(share >= 0.5)


def _head(judged: _Sampled, *, wants_brain: bool) -> tuple[NDArray[np.bool_], bool, Volume | None]:
    """Head against its background, whether it was skull-stripped, and if wanted its brain."""
    spacing, view = judged.grid.spacing_mm, judged.view
    whole = foreground_mask(judged.raw)
    stripped = is_stripped(judged.raw, foreground=whole & view, spacing_mm=spacing, view=view)
    if not wants_brain:
        return whole & view, stripped, None
    brain = estimate_brain_mask(judged.raw, spacing_mm=spacing, view=view, foreground=whole)
    return whole & view, stripped, Volume(voxels=brain.astype(np.float32), affine=judged.to_world)


def _sample(seen: SeenScan, *, grid: SymmetricGrid, rigid: NDArray[np.float64]) -> _Sampled:
    affine, scan = rigid @ grid.frame_affine, seen.volume
    return _Sampled(
        grid=grid,
        to_world=affine,
        raw=resample(scan, to_shape=grid.shape, affine_to=affine, fill=seen.level),
        view=inside_view(scan.shape, affine=scan.affine, shape=grid.shape, target_affine=affine),
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
