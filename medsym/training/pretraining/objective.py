"""What is asked of the latent: a network that reads its parts, and the loss of one step.

The *symmetric* part alone has to give the scan's symmetric half (x + Sx) / 2, the *antisymmetric*
part alone the other half (x - Sx) / 2. Both are solvable exactly, and neither part can do the
other's work: the decoder D is equivariant, so D(h_sym) = D(S h_sym) = S D(h_sym) can only give
symmetric volumes, and what is read off h_anti is made antisymmetric, (D - S D) / 2. The halves are
orthogonal, so the two squared errors add up to that of the whole scan: nothing is counted twice.

A place of the symmetric part has to be known again in another contrast of the same head, among
other places (InfoNCE: van den Oord, Li, Vinyals, arXiv:1807.03748, equation 4; per voxel and across
contrasts as in Dey et al., "Learning general-purpose biomedical volume representations using
randomized synthesis", arXiv:2411.02372). It is read off in trivial channels, which are the same at
a place and at its mirror place: the side cannot be used to tell places apart, so places are drawn
from one half.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.nn.layers import MirrorConv3d
from medsym.nn.representations import mirror_action
from medsym.symmetry.mirror import mirror
from medsym.training.pretraining.corruption import Views
from medsym.training.pretraining.latent import (
    check_splits,
    latent_actions,
    split,
    stack,
)
from medsym.training.pretraining.settings import PretrainLossSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """What is read off the latent of b scans; every part but ``whole`` is None without a split.

    Attributes:
        whole: (b, 1, x, y, z) the scan from the whole latent.
        symmetric: (b, 1, x, y, z) from the symmetric part; equal to its own mirror image.
        antisymmetric: (b, 1, x, y, z) from the antisymmetric part; minus its own mirror image.
        places: (b, k, x, y, z) what tells places apart, first contrast.
        other_places: The same of the second contrast.
    """

    whole: Tensor
    symmetric: Tensor | None = None
    antisymmetric: Tensor | None = None
    places: Tensor | None = None
    other_places: Tensor | None = None


class PretrainingNet(nn.Module):
    """An AsymmetryNet with what pre-training reads off it; its heads are not used.

    Args:
        network: Encoder, exchange and decoder are trained.
        projection: Channels in which places are compared.
        split: Read the two parts of the latent apart.

    Raises:
        ModelError: MS-375, ``split`` with an encoder that may depart from the mirror.
    """

    def __init__(self, network: AsymmetryNet, *, projection: int, split: bool) -> None:
        super().__init__()
        self.network = network
        features = mirror_action(regular=network.settings.decoder_pairs)
        self.actions = latent_actions(network)
        self.scan = MirrorConv3d(features, mirror_action(trivial=1), kernel_size=1)
        self.split = split
        if split:
            check_splits(network)
            self.project = MirrorConv3d(features, mirror_action(trivial=projection), kernel_size=1)

    def forward(self, first: Tensor, second: Tensor) -> Readings:
        """Two corrupted contrasts (b, 1, x, y, z) to what is read off them."""
        latent = self.network.encode(first)
        if not self.split:
            return Readings(whole=self.scan(self.network.decode(latent)))
        parts = split(latent, self.actions)
        other = split(self.network.encode(second), self.actions)
        wanted = (latent, parts.symmetric, parts.antisymmetric, other.symmetric)
        features = self.network.decode(stack(*wanted)).chunk(len(wanted))
        free = self.scan(features[2])
        return Readings(
            whole=self.scan(features[0]),
            symmetric=self.scan(features[1]),
            antisymmetric=(free - mirror(free)) / 2,
            places=self.project(features[1]),
            other_places=self.project(features[3]),
        )


def pretraining_loss(
    readings: Readings, views: Views, *, settings: PretrainLossSettings, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch in float32 and its parts by name; lower is better, 0 is reached.

    Args:
        readings: What the network read off the corrupted views.
        views: What it was given, and the truth.
        settings: Weights.
        generator: Draws the places that are compared, on the CPU.
    """
    weight = voxel_weight(views, seen_weight=settings.seen_weight)
    target, mirrored = views.target, mirror(views.target)
    parts = {"whole": settings.whole * squared_error(readings.whole, target, weight)}
    halves = ((target + mirrored) / 2, (target - mirrored) / 2)
    for name, half in zip(("symmetric", "antisymmetric"), halves, strict=True):
        reading: Tensor | None = getattr(readings, name)
        if reading is not None:
            parts[name] = getattr(settings, name) * squared_error(reading, half, weight)
    if readings.places is not None and readings.other_places is not None:
        known = contrast_loss(
            readings.places.float(),
            readings.other_places.float(),
            support=views.support,
            places=settings.places,
            temperature=settings.temperature,
            generator=generator,
        )
        parts["contrast"] = settings.contrast * known
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def voxel_weight(views: Views, *, seen_weight: float) -> Tensor:
    """(b, 1, x, y, z) weights, the same at a place and at its mirror place, which the halves need.

    1 where the place or its mirror place is hidden, ``seen_weight`` elsewhere in the head or its
    mirror image, 0 outside both.
    """
    hidden = torch.maximum(views.hidden, mirror(views.hidden))
    support = torch.maximum(views.support, mirror(views.support))
    return support * torch.where(hidden > 0, 1.0, seen_weight)


def squared_error(reading: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the squared error."""
    error = (reading.float() - target).square()
    return (weight * error).sum() / weight.sum().clamp_min(1e-6)


def contrast_loss(
    first: Tensor,
    second: Tensor,
    *,
    support: Tensor,
    places: int,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """InfoNCE over places of one scan: which of them is this one in the other contrast?

    Args:
        first: (b, k, x, y, z) of one contrast.
        second: The same of another.
        support: (b, 1, x, y, z), positive inside the head.
        places: How many places of the right half to draw, with replacement.
        temperature: Of the softmax over cosine similarities.
        generator: Source of randomness, on the CPU.

    Returns:
        Mean cross-entropy in nats, both ways; log(places) is chance. 0 without any place.
    """
    losses = []
    for own, other, inside in zip(first, second, support, strict=True):
        half = inside[0].clone()
        half[: half.shape[0] // 2] = 0
        candidates = half.flatten().nonzero()[:, 0]
        if not len(candidates):
            continue
        drawn = torch.randint(len(candidates), (places,), generator=generator)
        where = candidates[drawn.to(candidates.device)].unique()
        a, b = (F.normalize(t.flatten(1)[:, where], dim=0) for t in (own, other))
        similarity = a.T @ b / temperature
        truth = torch.arange(len(where), device=similarity.device)
        losses += [F.cross_entropy(similarity, truth), F.cross_entropy(similarity.T, truth)]
    return torch.stack(losses).mean() if losses else first.sum() * 0.0
