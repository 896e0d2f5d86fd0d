"""What is shown of one case: scan, expert mask, deviation and asymmetry beyond the bound.

Only the brain is kept, so no face can be recognised. Every array lies on the symmetric grid or on
a refinement of it, x growing to the patient's right, the mid-plane between the two middle columns.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from medsym.errors import ConfigError
from medsym.inference.case import CaseResult
from medsym.inference.findings import beyond_bound
from medsym.inference.maps import CaseMaps
from medsym.models.support import support_box
from medsym.science.intervals import Numbers
from medsym.science.subjects import Seen
from medsym.screening.figures import PICTURE_MM, picture_of
from medsym.volumes.grid import resample
from medsym.volumes.volume import Volume

FloatMap = NDArray[np.float32]
BoolMap = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One case to be drawn; arrays (x, y, z) on one lattice.

    Attributes:
        name: of the case.
        scan: intensities in [0, 1], 0 outside the brain.
        truth: expert mask, or the lesion that was drawn.
        deviation: SD, positive where there is more evidence than at the mirror place.
        asymmetry: nats, the same sign; 0 where the model could have made it itself.
        brain: brain mask of the model.
        numbers: what is written down.
    """

    name: str
    scan: FloatMap
    truth: BoolMap
    deviation: FloatMap
    asymmetry: FloatMap
    brain: BoolMap
    numbers: Numbers

    @property
    def index(self) -> int:
        """The axial slice with the largest area of the mask."""
        return int(self.truth.sum(axis=(0, 1)).argmax())


def case_numbers(
    maps: CaseMaps, *, truth: BoolMap, peak_sd: float, spacing_mm: float
) -> tuple[Numbers, FloatMap]:
    """(numbers of a case, its asymmetry where the model cannot have made it).

    Args:
        maps: of the case.
        truth: (x, y, z) mask on the same grid.
        peak_sd: deviation that a finding has to reach.
        spacing_mm: edge of a voxel.
    """
    beyond = beyond_bound(maps)
    compared = truth & maps.domain
    peak = int(np.unravel_index(int(maps.deviation.argmax()), truth.shape)[0])
    half = truth.shape[0] // 2  # low x is the patient's left
    on_left = float(truth[:half].sum()) / max(int(truth.sum()), 1)
    numbers: Numbers = {
        "mask_ml": float(truth.sum()) * spacing_mm**3 / 1000.0,
        "mask_left_share": on_left,
        "largest_deviation": float(maps.deviation.max()),
        "largest_deviation_side": "left" if peak < half else "right",
        "threshold": peak_sd,
        "mask_compared": float(compared.sum()) / max(int(truth.sum()), 1),
        "mask_beyond_bound": float(beyond[compared].mean()) if compared.any() else None,
        "mask_mean_deviation": float(maps.deviation[compared].mean()) if compared.any() else None,
        "brain_beyond_bound": float(beyond.sum()) / max(int(maps.domain.sum()), 1),
    }
    return numbers, np.where(beyond, maps.asymmetry, 0.0).astype(np.float32)


def panel_of_subject(name: str, seen: Seen, *, peak_sd: float) -> Panel:
    """A synthesised subject.

    Args:
        name: of the subject.
        seen: subject and maps.
        peak_sd: deviation that a finding has to reach.
    """
    maps, factor = seen.maps, refinement_of(seen.spacing_mm)
    numbers, asymmetry = case_numbers(
        maps, truth=seen.lesion, peak_sd=peak_sd, spacing_mm=seen.spacing_mm
    )
    box = support_box(maps.brain | seen.lesion, multiple=2)
    image = np.where(maps.brain, seen.case.image.numpy(), 0.0)[box]
    brain = maps.brain[box]
    low, high = np.percentile(image[brain], [1, 99]) if brain.any() else (0.0, 1.0)
    scaled = np.where(brain, np.clip((image - low) / max(float(high - low), 1e-12), 0.0, 1.0), 0.0)
    return Panel(
        name=name,
        scan=np.where(repeated(brain, factor), smooth(scaled, factor), np.float32(0.0)),
        truth=repeated(seen.lesion[box], factor),
        deviation=smooth(maps.deviation[box], factor),
        asymmetry=repeated(asymmetry[box], factor),
        brain=repeated(brain, factor),
        numbers=numbers | {"contrast": seen.case.kind, "anatomy": seen.case.anatomy},
    )


def panel_of_case(
    name: str, result: CaseResult, *, mask: BoolMap, limit: BoolMap | None = None
) -> Panel:
    """A real scan and the mask an expert drew on it.

    Args:
        name: of the case.
        result: of ``analyse_scan``.
        mask: on the scan's own voxels.
        limit: the same for a brain mask of the user's: nothing outside of it is shown either.

    Raises:
        ConfigError: MS-402 the mask holds no voxel inside the symmetric grid.
    """
    prepared, maps = result.prepared, result.maps
    picture = picture_of(result)
    factor = picture.refinement
    coarse = mask_on_grid(result, mask, factor=1)
    numbers, asymmetry = case_numbers(
        maps, truth=coarse, peak_sd=result.peak_sd, spacing_mm=prepared.grid.spacing_mm
    )
    cut = tuple(slice(o, o + n) for o, n in zip(picture.origin, picture.scan.shape, strict=True))
    truth = mask_on_grid(result, mask, factor=factor)[cut]
    if not truth.any():
        raise ConfigError(
            code="MS-402",
            subject=name,
            cause="the mask holds no voxel in the head",
            fix="check the mask, or leave it empty for a scan without a lesion",
        )
    brain = repeated(maps.brain, factor)[cut]
    if limit is not None:
        brain = brain & mask_on_grid(result, limit, factor=factor)[cut]
    box = support_box(brain | truth, multiple=2)
    return Panel(
        name=name,
        scan=np.where(brain, picture.scan, np.float32(0.0))[box],
        truth=truth[box],
        deviation=picture.deviation[box],
        asymmetry=repeated(asymmetry, factor)[cut][box],
        brain=brain[box],
        numbers=numbers,
    )


def mask_on_grid(result: CaseResult, mask: BoolMap, *, factor: int) -> BoolMap:
    """A mask of the scan's own voxels on the symmetric grid, ``factor`` times refined."""
    prepared = result.prepared
    finer = np.diag([1.0 / factor] * 3 + [1.0])
    finer[:3, 3] = (1.0 / factor - 1.0) / 2.0
    x, y, z = (n * factor for n in prepared.grid.shape)
    values = resample(
        Volume(voxels=mask.astype(np.float32), affine=prepared.scan.affine),
        to_shape=(x, y, z),
        affine_to=prepared.grid_to_world @ finer,
    )
    return np.asarray(values >= 0.5)


def refinement_of(spacing_mm: float) -> int:
    """Voxels of a picture per voxel of the symmetric grid, as in the reports of cases."""
    return max(1, round(spacing_mm / PICTURE_MM))


def smooth(values: NDArray[np.floating], factor: int) -> FloatMap:
    """Refine a map linearly."""
    found = zoom(values.astype(np.float32), factor, order=1, mode="nearest", grid_mode=True)
    return cast(FloatMap, found)


def repeated(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Refine a mask: every voxel becomes a block."""
    for axis in range(3):
        values = values.repeat(factor, axis=axis)
    return values
