"""The latent of an AsymmetryNet and its two parts under the mirror.

The latent is what the decoder receives: the encoder's features of every resolution after the
contralateral exchange. With S the mirror of a feature volume (the flip together with the swap of
its channel pairs), it splits uniquely into

    h = h_sym + h_anti,    h_sym = (h + S h) / 2,    h_anti = (h - S h) / 2.

A channel a of a pair (a, b) meets its partner b *at the mirror place*: (a + F b) / 2 and
(a - F b) / 2. Because the encoder is exactly equivariant, E(S x) = S E(x), so

    h_sym(S x) = h_sym(x)    and    h_anti(S x) = -h_anti(x)

for every scan x: the symmetric part cannot know whether it sees a scan or its mirror image, and
the antisymmetric part is exactly what distinguishes the two. This is the split into invariant and
equivariant parts of Garrido, Najman, LeCun, "Self-supervised learning of split invariant
equivariant representations" (SIE), arXiv:2302.10283, for the two-element group, where it needs no
learning: it is linear, orthogonal and known.

Splitting the pair at one place instead, into a + b and a - b, gives channels of trivial and of sign
type, but no such separation: an odd kernel turns one into the other, so a decoder of either alone
can still produce everything (``tests/training/test_pretraining_latent.py`` shows one that does).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.nn.representations import mirror_action
from medsym.symmetry.mirror import ChannelAction, mirror

Latent = tuple[Tensor, ...]
"""(b, 2 pairs, x, y, z) per resolution, finest first; all of regular type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitLatent:
    """The two parts of a latent; they add up to it and are orthogonal.

    Attributes:
        symmetric: Unchanged when the scan is replaced by its mirror image.
        antisymmetric: Changes sign then.
    """

    symmetric: Latent
    antisymmetric: Latent


def latent_actions(network: AsymmetryNet) -> tuple[ChannelAction, ...]:
    """Channel action of the latent per resolution, finest first."""
    return tuple(mirror_action(regular=pairs) for pairs in network.settings.pairs)


def check_splits(network: AsymmetryNet) -> None:
    """Refuse a network whose latent the mirror does not split.

    Raises:
        ModelError: MS-375, its encoder may depart from the mirror.
    """
    if network.settings.softness not in ("head", "none"):
        raise ModelError(
            code="MS-375",
            subject="model.softness",
            cause=f"with '{network.settings.softness}' the encoder is not exactly equivariant, so "
            "its latent has no exact symmetric and antisymmetric part",
            fix="set model.softness to head or none, or pre-train with split: false",
        )


def split(latent: Latent, actions: Sequence[ChannelAction]) -> SplitLatent:
    """Both parts of a latent; see the module."""
    mirrored = mirror_latent(latent, actions)
    pairs = list(zip(latent, mirrored, strict=True))
    return SplitLatent(
        symmetric=tuple((own + other) / 2 for own, other in pairs),
        antisymmetric=tuple((own - other) / 2 for own, other in pairs),
    )


def mirror_latent(latent: Latent, actions: Sequence[ChannelAction]) -> Latent:
    """S of every resolution."""
    return tuple(mirror(h, action) for h, action in zip(latent, actions, strict=True))


def stack(*latents: Latent) -> Latent:
    """Several latents as one batch, in the order given."""
    return tuple(torch.cat(parts) for parts in zip(*latents, strict=True))
