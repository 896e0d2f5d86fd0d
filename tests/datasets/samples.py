"""Prepared samples made by hand, for tests that are not about preparing."""

from pathlib import Path

import numpy as np

from medsym.datasets.prepare import PreparedSample
from medsym.datasets.visit import Visit, VisitScan
from medsym.volumes.frame import SymmetricGrid

GRID = SymmetricGrid(shape=(16, 16, 16), spacing_mm=12.0)


def sample(
    *,
    grid: SymmetricGrid = GRID,
    side: str | None = "left",
    seed: int = 0,
    has_mask: bool = True,
    notes: tuple[str, ...] = (),
) -> PreparedSample:
    """A ball of brain in a thin shell; the lesion lies on one side or nowhere."""
    axes = [(np.arange(n) - 0.5 * (n - 1)) * grid.spacing_mm for n in grid.shape]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    brain, shown = radius < 72.0, radius < 86.0
    texture = np.random.default_rng(seed).uniform(0.3, 0.7, grid.shape)
    place = {"left": -36.0, "right": 36.0, None: 1e9}[side]
    lesion = brain & (np.abs(x - place) < 20.0) & (np.abs(y) < 20.0) & (np.abs(z) < 20.0)
    image = np.where(shown, texture + 0.5 * lesion, 0.0).astype(np.float32)
    return PreparedSample(
        head=image,
        window=image,
        brain=brain,
        view=np.ones(grid.shape, dtype=np.bool_),
        lesion=lesion,
        has_mask=has_mask,
        was_stripped=False,
        grid_to_world=np.diag([-1.0, 2.0, 3.0, 1.0]),
        lesion_ml=float(lesion.sum()) * grid.spacing_mm**3 / 1000.0,
        notes=notes,
    )


def written_scan(
    folder: Path, name: str, *, content: str | None = None, masked: bool = True
) -> VisitScan:
    """Files that are different from one another, and nothing more."""
    path = folder / f"{name}.nii"
    path.write_text(content or name)
    mask = folder / f"{name}_mask.nii"
    if masked:
        mask.write_text(f"{name} mask")
    return VisitScan(contrast="T1w", path=path, mask=mask if masked else None)


def visit(folder: Path, subject: str, **changes: object) -> Visit:
    """One visit with one scan."""
    scan = written_scan(folder, subject, **changes)  # type: ignore[arg-type]
    return Visit(subject=subject, session=None, scans=(scan,))
