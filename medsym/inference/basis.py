"""What a finding rests on: the healthy range at its place, and what of it the model can have made.

The bound at a voxel x is ``phi(e_high + t) - phi(e_low - t)`` at the mirror voxel of x, where e_low
and e_high hold the even part as executed for the scan and for its mirror (``evidence.py``). It
splits without remainder into

- the *head*: ``phi(e + t) - phi(e - t)``, which the learned tolerance alone could make, and
- the *rest*: what the interval of e adds. With a strict trunk that is rounding and nothing else.
  With softened layers before the head it is their softness and rounding, which one pair of passes
  cannot tell apart.
"""

from dataclasses import replace
from typing import Literal, Protocol

import numpy as np
from torch import Tensor

from medsym.calibration.reference import DeviationReference
from medsym.inference.evidence import evidence, prior_logit_of
from medsym.inference.findings import Finding, FindingBasis
from medsym.inference.maps import CaseMaps
from medsym.inference.passes import NetworkParts
from medsym.models.store import LoadedModel
from medsym.volumes.prepared import PreparedScan

#: Settings of a network whose layers before the head are exactly symmetric.
STRICT_TRUNK = ("head", "none")


class Judged(Protocol):
    """The part of a case's result that a basis is made of."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of the maps."""

    @property
    def maps(self) -> CaseMaps:
        """Maps on the symmetric grid."""

    @property
    def prepared(self) -> PreparedScan:
        """Gives the way from world to grid."""


def with_bases(
    case: Judged, *, parts: NetworkParts, reference: DeviationReference, model: LoadedModel
) -> tuple[Finding, ...]:
    """The findings of a case, each with what it rests on.

    Args:
        case: findings and the maps that they were found in.
        parts: of the network, from which the maps were made.
        reference: healthy spread and mean that the maps were compared with.
        model: says where the network may depart from the mirror, and its prior.
    """
    if not case.findings:
        return ()
    maps, prior = case.maps, prior_logit_of(model)
    trunk: Literal["strict", "soft"]
    trunk = "strict" if model.network.settings.softness in STRICT_TRUNK else "soft"
    sd, mean = reference.sigma_on(maps.brain), reference.mean_on(maps.brain)
    to_grid = np.linalg.inv(case.prepared.grid_to_world)
    found = []
    for finding in case.findings:
        x, y, z = (int(i) for i in np.rint((to_grid @ np.array([*finding.peak_mm, 1.0]))[:3]))
        middle = 0.0 if mean is None else float(mean[x, y, z])
        head, tolerance = _head_nats((x, y, z), maps=maps, parts=parts, prior_logit=prior)
        head = min(head, finding.bound)
        basis = FindingBasis(
            regional_asymmetry=float(maps.regional_asymmetry[x, y, z]),
            regional_bound=float(maps.regional_bound[x, y, z]),
            healthy_mean=middle,
            healthy_sd=float(sd[x, y, z]),
            measured_defect=_measured((x, y, z), maps=maps) if parts.is_mirrored else None,
            tolerance=tolerance,
            head_nats=head,
            head_share=head / finding.bound,
            rest_nats=finding.bound - head,
            rest_share=1.0 - head / finding.bound,
            trunk=trunk,
        )
        found.append(replace(finding, basis=basis))
    return tuple(found)


def _opposite(place: tuple[int, int, int], width: int) -> tuple[int, int, int]:
    return (width - 1 - place[0], place[1], place[2])


def _head_nats(
    place: tuple[int, int, int], *, maps: CaseMaps, parts: NetworkParts, prior_logit: float
) -> tuple[float, float]:
    """(part of the pair's bound that the head's tolerance makes in nats, that tolerance)."""
    mirror = _opposite(place, maps.bound.shape[0])
    larger = place if maps.bound[place] >= maps.bound[mirror] else mirror
    at = _opposite(larger, maps.bound.shape[0])  # the bound of a voxel is made at its mirror voxel
    even, tolerance = parts.even[at].double().cpu(), parts.tolerance[at].double().cpu()

    def seen(logit: Tensor) -> float:
        return float(evidence(logit, prior_logit=prior_logit))

    return seen(even + tolerance) - seen(even - tolerance), float(tolerance)


def _measured(place: tuple[int, int, int], *, maps: CaseMaps) -> float:
    mirror = _opposite(place, maps.defect.shape[0])
    return max(abs(float(maps.defect[place])), abs(float(maps.defect[mirror])))
