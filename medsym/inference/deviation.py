"""Building the healthy reference that is kept with a model's weights.

Healthy here means the cases given to ``build_reference``; what the reference promises does not
carry over to scans unlike them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from torch import nn

from medsym.calibration.normative import Moments, spread_of
from medsym.calibration.reference import DeviationReference
from medsym.inference.evidence import DEFAULT_PRIOR_LOGIT
from medsym.inference.maps import BoolMap, FloatMap, MapRequest, compute_maps, regional


def build_reference(
    network: nn.Module,
    cases: Iterable[tuple[FloatMap, BoolMap]],
    *,
    mirror_classes: Sequence[int],
    spacing_mm: float,
    num_spread: int,
    prior_logit: float = DEFAULT_PRIOR_LOGIT,
) -> DeviationReference:
    """Estimate the healthy spread and the threshold maxima from healthy cases.

    Args:
        network: the trained network, as it will be shipped.
        cases: healthy cases as (image, brain): the image normalised inside the brain and 0
            outside, exactly as ``analyse_scan`` feeds it; both (x, y, z).
        mirror_classes: mirror partner of each anatomy class.
        spacing_mm: edge of a voxel of the cases, as ``analyse_scan`` uses it.
        num_spread: the first so many cases make the spread, all later ones the maxima.
        prior_logit: log odds before looking, as used at inference.
    """
    moments = Moments.none()
    spread: FloatMap | None = None
    maxima: list[float] = []
    for number, (image, brain) in enumerate(cases):
        request = MapRequest(
            spacing_mm=spacing_mm,
            brain=brain,
            coverage=np.ones_like(brain),
            mirror_classes=mirror_classes,
            prior_logit=prior_logit,
        )
        maps, _ = compute_maps(network, image, request=request)
        averaged = regional(maps.asymmetry, domain=maps.domain, spacing_mm=spacing_mm)
        if number < num_spread:
            moments = moments.plus(Moments.of_case(averaged, domain=maps.domain, brain=brain))
            continue
        spread = spread_of(moments) if spread is None else spread
        sigma = _reference(spread, maxima=[], num_spread=num_spread).sigma_on(brain)
        maxima.append(float(np.abs(averaged / sigma).max()))
    spread = spread_of(moments) if spread is None else spread
    return _reference(spread, maxima=maxima, num_spread=num_spread)


def _reference(spread: FloatMap, *, maxima: Sequence[float], num_spread: int) -> DeviationReference:
    ordered = np.sort(np.asarray(maxima, dtype=np.float32))
    return DeviationReference(spread=spread, maxima=ordered, num_spread=num_spread)
