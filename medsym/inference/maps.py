"""The voxel maps of one case on the symmetric grid, for scans and references alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from medsym.calibration.reference import DeviationReference
from medsym.errors import ModelError
from medsym.inference.evidence import (
    DEFAULT_PRIOR_LOGIT,
    STORAGE_SLACK,
    STORAGE_SLACK_NATS,
    asymmetry,
    bound,
    defect,
    evidence,
)
from medsym.inference.passes import NetworkParts, run_network

#: Standard deviation of the neighbourhood's Gaussian, mm. Of 0, 2.1, 3, 4.5 and 6 it gave the best
#: mean precision on 36 synthesised test subjects, on a grid of 3 mm.
REGION_MM = 4.5

FloatMap = NDArray[np.float32]
BoolMap = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseMaps:
    """Maps on the symmetric grid, each (x, y, z), x growing to the patient's right.

    Attributes:
        pathology: probability of pathology in [0, 1], 0 outside the brain and where left out.
        asymmetry: evidence here minus evidence at the mirror voxel, nats, antisymmetric.
        deviation: asymmetry averaged over its neighbourhood (``regional``), over the healthy spread
            of the same average, in standard deviations, antisymmetric.
        bound: largest part of the asymmetry that the model can have made itself, nats.
        regional_asymmetry: asymmetry averaged over its neighbourhood (``regional``), nats.
        regional_bound: largest part of that average that the model can have made itself, nats, the
            same at a voxel and its mirror.
        tolerance: how far the model may treat the two sides differently, logit units.
        defect: measured ``F(Sx) - S F(x)`` of the network as executed, nats; zeros if not measured.
        anatomy: structure index per voxel.
        brain: brain mask.
        domain: voxels where the comparison is assessable: brain on either side, both sides seen,
            neither of them left out.
        even_pathology: probability shared by a voxel and its mirror, the smaller of the two.
        pvalue: probability that a healthy scan deviates anywhere as far as this place does, in
            (0, 1], the same at a voxel and its mirror, 1 outside the domain; None without a
            reference that can say so.
    """

    pathology: FloatMap
    asymmetry: FloatMap
    deviation: FloatMap
    bound: FloatMap
    regional_asymmetry: FloatMap
    regional_bound: FloatMap
    tolerance: FloatMap
    defect: FloatMap
    anatomy: NDArray[np.int16]
    brain: BoolMap
    domain: BoolMap
    even_pathology: FloatMap
    pvalue: FloatMap | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MapRequest:
    """What the maps need besides the network: spacing, masks, class swap and prior.

    Attributes:
        spacing_mm: edge of a voxel of the symmetric grid.
        brain: (x, y, z) bool.
        coverage: (x, y, z) bool, True where a voxel and its mirror lie in the field of view.
        mirror_classes: mirror partner of each anatomy class.
        prior_logit: log odds before looking.
        mirrored: also run the mirrored pass.
        excluded: (x, y, z) bool, places that the user leaves out, the same on both sides; or None.
    """

    spacing_mm: float
    brain: BoolMap
    coverage: BoolMap
    mirror_classes: Sequence[int]
    prior_logit: float = DEFAULT_PRIOR_LOGIT
    mirrored: bool = True
    excluded: BoolMap | None = None

    @property
    def domain(self) -> BoolMap:
        """Mirror-symmetric mask of the voxels whose comparison means something."""
        either_side = self.brain | self.brain[::-1]
        domain = either_side & self.coverage & self.coverage[::-1]
        return domain if self.excluded is None else domain & ~self.excluded

    @property
    def judged(self) -> BoolMap:
        """Brain without what the user leaves out."""
        return self.brain if self.excluded is None else self.brain & ~self.excluded


def compute_maps(
    network: nn.Module,
    image: FloatMap,
    *,
    request: MapRequest,
    reference: DeviationReference | None = None,
) -> tuple[CaseMaps, NetworkParts]:
    """Evaluate the network and derive every map of a case.

    Args:
        network: mirror-equivariant network with the medsym output fields.
        image: normalised image of the symmetric grid, 0 outside the brain.
        request: masks and constants.
        reference: healthy spread, mean and maxima; None while one is being built, then the
            deviation is returned as zeros.

    Returns:
        The maps and the raw network parts.
    """
    parts = run_network(
        network, image, mirror_classes=request.mirror_classes, mirrored=request.mirrored
    )
    prior = request.prior_logit
    domain = torch.from_numpy(np.ascontiguousarray(request.domain))
    seen = evidence(parts.even + parts.odd, prior_logit=prior).cpu()
    difference = asymmetry(seen) * domain
    limit = bound(parts.even_low, parts.even_high, tolerance=parts.tolerance, prior_logit=prior)
    probability = torch.sigmoid(parts.even + parts.odd).cpu()
    brain = torch.from_numpy(np.ascontiguousarray(request.brain))
    judged = torch.from_numpy(np.ascontiguousarray(request.judged))
    limit = limit.cpu() * domain
    spacing = request.spacing_mm
    averaged = regional(difference.numpy(), domain=request.domain, spacing_mm=spacing)
    deviation = deviation_of(averaged, request=request, reference=reference)
    maps = CaseMaps(
        pathology=_as_float(probability * judged),
        asymmetry=_as_float(difference),
        deviation=deviation,
        bound=_as_float(limit),
        regional_asymmetry=np.asarray(averaged, dtype=np.float32),
        regional_bound=regional_bound(limit.numpy(), domain=request.domain, spacing_mm=spacing),
        tolerance=_as_float(parts.tolerance.cpu() * domain),
        defect=_as_float(_measured_defect(parts, prior_logit=prior).cpu() * domain),
        anatomy=(parts.labels.cpu() * brain).to(torch.int16).numpy(),
        brain=request.brain,
        domain=request.domain,
        even_pathology=_as_float(torch.minimum(probability, probability.flip(-3)) * domain),
        pvalue=None if reference is None else reference.p_map(deviation),
    )
    return maps, parts


def deviation_of(
    averaged: NDArray[np.float64], *, request: MapRequest, reference: DeviationReference | None
) -> FloatMap:
    """Regional asymmetry from the healthy mean, over the healthy spread; zeros without a reference.

    Args:
        averaged: (x, y, z) result of ``regional``, nats.
        request: gives brain and domain.
        reference: healthy spread and mean.
    """
    if reference is None:
        return np.zeros_like(averaged, dtype=np.float32)
    mean = reference.mean_on(request.brain)
    from_mean = averaged if mean is None else (averaged - mean) * request.domain
    return np.asarray(from_mean / reference.sigma_on(request.brain), dtype=np.float32)


def check_bound(maps: CaseMaps, *, subject: str) -> None:
    """Refuse a case whose measured defect is larger than the bound.

    Raises:
        ModelError: MS-306, which never happens on sound hardware.
    """
    excess = float((np.abs(maps.defect) - maps.bound).max())
    if excess > 0:
        raise ModelError(
            code="MS-306",
            subject=subject,
            cause=f"the measured defect exceeds the bound by {excess:.3g} nats",
            fix="do not use this result; run 'medsym verify' on the model and report it",
        )


def regional(
    asymmetry_map: NDArray[np.floating], *, domain: BoolMap, spacing_mm: float
) -> NDArray[np.float64]:
    """Gaussian average of an asymmetry map over ``REGION_MM``; 0 outside the domain.

    The largest value of a voxel map is set by single noisy voxels; of an average, by places. The
    average commutes with the mirror, so an antisymmetric map stays antisymmetric to the last bit.

    Args:
        asymmetry_map: (x, y, z) nats, antisymmetric under the flip of x.
        domain: voxels whose comparison means something.
        spacing_mm: edge of a voxel.
    """
    sigma = REGION_MM / spacing_mm
    averaged = gaussian_filter(np.asarray(asymmetry_map, dtype=np.float64), sigma)
    return np.asarray((averaged - averaged[::-1]) / 2 * domain)


def regional_bound(
    bound_map: NDArray[np.floating], *, domain: BoolMap, spacing_mm: float
) -> FloatMap:
    """Upper bound on what the model can have added to ``regional`` of an asymmetry map.

    The average has weights >= 0 and is linear, so it maps a part of the asymmetry that is at most
    the bound at every voxel to one that is at most the same average of the bound.

    Args:
        bound_map: (x, y, z) nats >= 0, upper bounds of the model's part at every voxel.
        domain: voxels whose comparison means something.
        spacing_mm: edge of a voxel.

    Returns:
        float32 nats, the same at a voxel and its mirror, widened by the rounding of both averages.
    """
    exact = np.asarray(bound_map, dtype=np.float64) * domain
    averaged = gaussian_filter(exact, REGION_MM / spacing_mm)
    both = (averaged + averaged[::-1]) / 2 * (1.0 + STORAGE_SLACK) + STORAGE_SLACK_NATS
    return np.asarray(both * domain, dtype=np.float32)


def _measured_defect(parts: NetworkParts, *, prior_logit: float) -> Tensor:
    """Defect of the network as executed, before its parts are averaged over the group."""
    here, of_mirrored = parts.raw_logits
    if of_mirrored is None:
        return torch.zeros_like(here)
    return defect(
        evidence(here, prior_logit=prior_logit),
        of_mirrored=evidence(of_mirrored, prior_logit=prior_logit),
    )


def _as_float(values: Tensor) -> FloatMap:
    return values.to(torch.float32).contiguous().numpy()
