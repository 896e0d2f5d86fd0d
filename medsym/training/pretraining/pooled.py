"""Pooled latents: what a probe sees of the symmetric and of the antisymmetric part.

Both parts of a mirrored pair of places hold the same numbers up to order and sign, so features are
pooled over regions that equal their own mirror image, on the right half. Under the mirror of the
scan those of the symmetric part then stay and the means of the antisymmetric part change sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.structures import STRUCTURES
from medsym.symmetry.mirror import flip
from medsym.training.pretraining.latent import latent_actions, split

PARTS = ("symmetric", "antisymmetric")


@dataclass(frozen=True, kw_only=True, slots=True)
class PooledLatent:
    """Features of one scan per region name: (f,) mean, then root mean square, of every channel.

    Attributes:
        symmetric: Of the symmetric part.
        antisymmetric: Of the antisymmetric part.
    """

    symmetric: dict[str, Tensor]
    antisymmetric: dict[str, Tensor]


def structure_regions(structures: Tensor) -> dict[str, Tensor]:
    """One region per structure that the subject has, without its side.

    Args:
        structures: (x, y, z) channels of the anatomy table.

    Returns:
        As :func:`both_sides`, by name.
    """
    found: dict[str, Tensor] = {}
    for name in dict.fromkeys(s.name for s in STRUCTURES[1:]):
        channels = torch.tensor([s.index for s in STRUCTURES if s.name == name])
        mask = torch.isin(structures, channels)
        if bool(mask.any()):
            found[name] = both_sides(mask)
    return found


def both_sides(mask: Tensor) -> Tensor:
    """(x, y, z) float32 weights that equal their own mirror image: the mask there and here."""
    weight = mask.to(torch.float32)
    return (weight + flip(weight)) / 2


@torch.inference_mode()
def pool_latent(
    network: AsymmetryNet, image: Tensor, regions: Mapping[str, Tensor]
) -> PooledLatent:
    """One pass, pooled over every region.

    Args:
        network: In evaluation mode.
        image: (x, y, z) scan; sizes as the network needs them.
        regions: (x, y, z) weights that equal their own mirror image.
    """
    parts = split(network.encode(image[None, None]), latent_actions(network))
    features: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, region in regions.items():
        weights = _per_resolution(region, count=len(parts.symmetric))
        for part in PARTS:
            features[part][name] = _pooled(getattr(parts, part), weights)
    return PooledLatent(**features)


def _per_resolution(region: Tensor, *, count: int) -> list[Tensor]:
    """Weights (x, y, z) of the right half at every resolution, each of sum 1."""
    weights, current = [], region[None, None]
    for _ in range(count):
        half = current[0, 0].clone()
        half[: half.shape[0] // 2] = 0.0
        weights.append(half / half.sum().clamp_min(1e-6))
        current = F.avg_pool3d(current, 2)
    return weights


def _pooled(latent: tuple[Tensor, ...], weights: list[Tensor]) -> Tensor:
    """Weighted mean and root mean square of all channels of all resolutions."""
    pairs = list(zip(latent, weights, strict=True))
    means = [(h[0] * w).sum(dim=(1, 2, 3)) for h, w in pairs]
    squares = [(h[0].square() * w).sum(dim=(1, 2, 3)).sqrt() for h, w in pairs]
    return torch.cat([*means, *squares])
