"""Findings: connected places that deviate from healthy by more than the model can have made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label, maximum

from medsym.inference.maps import BoolMap, CaseMaps
from medsym.inference.structures import structure_names
from medsym.volumes.midplane import MidPlane

#: Deviation of the peak, in SD, if the reference holds too few healthy cases for a threshold with a
#: stated false-alarm rate. A convention far in the tail, without such a rate.
DEFAULT_PEAK_SD = 6.0
#: A finding extends from its peak down to this share of the peak threshold.
EXTENT_SHARE = 0.5
#: Smaller findings are not listed: four voxels of a 3 mm grid, thirteen of a 2 mm grid.
MIN_FINDING_ML = 0.1

_CORNERS = generate_binary_structure(3, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingBasis:
    """What a finding rests on, at its peak.

    Attributes:
        regional_asymmetry: asymmetry averaged over the neighbourhood, nats; the deviation is its
            distance from the healthy mean, over the healthy SD.
        regional_bound: what the model can have made of the regional asymmetry at most, nats; the
            rest is the scan's.
        healthy_mean: of the regional asymmetry of healthy cases here, nats; 0 where the comparison
            is with zero.
        healthy_sd: of the same, nats.
        measured_defect: what the model made by itself here, the larger of the place and its mirror
            place, nats; None if the mirrored pass did not run.
        tolerance: learned, log-odds, where the bound is largest of the place and its mirror place.
        head_nats: of the bound, what the tolerance of the head could make.
        head_share: the same over the bound, [0, 1].
        rest_nats: of the bound, what the layers before the head and rounding could make.
        rest_share: the same over the bound; with ``head_share`` it makes 1.
        trunk: "strict" if every layer before the head is exactly symmetric, so that the rest is
            rounding; "soft" if layers before the head are softened.
    """

    regional_asymmetry: float
    regional_bound: float
    healthy_mean: float
    healthy_sd: float
    measured_defect: float | None
    tolerance: float
    head_nats: float
    head_share: float
    rest_nats: float
    rest_share: float
    trunk: Literal["strict", "soft"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One place whose evidence exceeds that of its mirror place; listed once per pair.

    Attributes:
        rank: 1 is the largest deviation.
        side: patient's side of the peak, by the mid-plane: "left" or "right".
        structure: structure that holds most of it.
        volume_ml: volume.
        peak_mm: world coordinates of the largest deviation.
        mirror_mm: world coordinates of the mirror point of the peak.
        deviation: at the peak, SD.
        asymmetry: at the peak, nats.
        bound: at the peak, nats; the asymmetry is larger everywhere in the finding, and so is its
            average over the neighbourhood than the average's own bound.
        p_value: of the peak: probability that a healthy scan deviates as far anywhere; None where
            the calibration cannot say.
        basis: healthy range and shares of the bound at the peak; None before they are computed.
    """

    rank: int
    side: str
    structure: str
    volume_ml: float
    peak_mm: tuple[float, float, float]
    mirror_mm: tuple[float, float, float]
    deviation: float
    asymmetry: float
    bound: float
    p_value: float | None
    basis: FindingBasis | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values for case.json."""
        return asdict(self)


def pair_bound(maps: CaseMaps) -> NDArray[np.float32]:
    """Larger bound of a voxel and its mirror: a finding has to beat the model on both sides."""
    return np.maximum(maps.bound, maps.bound[::-1])


def beyond_bound(maps: CaseMaps) -> BoolMap:
    """Voxels whose asymmetry the model cannot have made itself."""
    return np.asarray((np.abs(maps.asymmetry) > pair_bound(maps)) & maps.domain)


def extended_places(maps: CaseMaps, *, peak_sd: float) -> BoolMap:
    """Voxels that a finding may extend over: more evidence here, far from healthy, no artefact.

    The voxel beats the bound, and so does the average over its neighbourhood that the deviation
    judges: else it could be flagged for what the model made of the voxels around it.
    """
    more_here = (maps.asymmetry > pair_bound(maps)) & maps.domain
    more_here &= maps.regional_asymmetry > maps.regional_bound
    return np.asarray((maps.deviation >= EXTENT_SHARE * peak_sd) & more_here)


def to_world(index: tuple[int, ...], grid_to_world: NDArray[np.float64]) -> tuple[float, ...]:
    """World mm of a voxel index."""
    return tuple(float(v) for v in (grid_to_world @ np.array([*index, 1.0]))[:3])


def find_findings(
    maps: CaseMaps,
    *,
    plane: MidPlane,
    grid_to_world: NDArray[np.float64],
    peak_sd: float,
) -> tuple[Finding, ...]:
    """List the findings of a case, largest deviation first.

    Only the side with more evidence is listed: the map is antisymmetric, so every place appears a
    second time with the opposite sign on the other side.

    Args:
        maps: maps on the symmetric grid.
        plane: mid-plane in world coordinates; gives the side.
        grid_to_world: (4, 4) voxel of the symmetric grid to world mm.
        peak_sd: deviation that the peak has to reach.
    """
    voxel_ml = abs(float(np.linalg.det(grid_to_world[:3, :3]))) / 1000.0
    components, count = label(extended_places(maps, peak_sd=peak_sd), structure=_CORNERS)
    peaks = np.asarray(maximum(maps.deviation, components, np.arange(1, count + 1)))
    volumes = np.bincount(components.ravel(), minlength=count + 1)[1:] * voxel_ml
    listed = np.flatnonzero((peaks >= peak_sd) & (volumes >= MIN_FINDING_ML))
    found = [(float(peaks[i]), float(volumes[i]), components == i + 1) for i in listed]
    found.sort(key=lambda row: -row[0])
    return tuple(
        _finding(rank, component, volume_ml, maps=maps, plane=plane, grid_to_world=grid_to_world)
        for rank, (_, volume_ml, component) in enumerate(found, start=1)
    )


def finding_labels(
    findings: Sequence[Finding],
    *,
    maps: CaseMaps,
    grid_to_world: NDArray[np.float64],
    peak_sd: float,
) -> NDArray[np.int16]:
    """Where the findings are: rank of the finding per voxel of the symmetric grid, 0 elsewhere.

    Args:
        findings: what ``find_findings`` listed for these maps and this threshold.
        maps: maps on the symmetric grid.
        grid_to_world: (4, 4) voxel of the symmetric grid to world mm.
        peak_sd: deviation that the peak has to reach.
    """
    components, _ = label(extended_places(maps, peak_sd=peak_sd), structure=_CORNERS)
    ranks = np.zeros(components.shape, dtype=np.int16)
    to_grid = np.linalg.inv(grid_to_world)
    for finding in findings:
        x, y, z = np.rint((to_grid @ np.array([*finding.peak_mm, 1.0]))[:3]).astype(int)
        ranks[components == components[x, y, z]] = finding.rank
    return ranks


def _finding(
    rank: int,
    component: BoolMap,
    volume_ml: float,
    *,
    maps: CaseMaps,
    plane: MidPlane,
    grid_to_world: NDArray[np.float64],
) -> Finding:
    inside = np.where(component, maps.deviation, -np.inf)
    x, y, z = (int(i) for i in np.unravel_index(int(inside.argmax()), inside.shape))
    peak = to_world((x, y, z), grid_to_world)
    opposite = to_world((maps.deviation.shape[0] - 1 - x, y, z), grid_to_world)
    return Finding(
        rank=rank,
        side=plane.side_of(np.asarray(peak)),
        structure=structure_names(maps.anatomy, component=component),
        volume_ml=volume_ml,
        peak_mm=(peak[0], peak[1], peak[2]),
        mirror_mm=(opposite[0], opposite[1], opposite[2]),
        deviation=float(maps.deviation[x, y, z]),
        asymmetry=float(maps.asymmetry[x, y, z]),
        bound=float(pair_bound(maps)[x, y, z]),
        p_value=None if maps.pvalue is None else float(maps.pvalue[x, y, z]),
    )
