"""Views of a scan: other contrasts of it, and what is hidden of them.

Another contrast is a random map of the intensities (Zhou et al., "Models Genesis: generic
autodidactic models for 3D medical image analysis", arXiv:1908.06912, section 3.1), here not
monotone, so that tissues may change their order as between T1 and T2. Hidden blocks follow
Pathak et al., "Context encoders", arXiv:1604.07379. They are drawn on each side alone, so what is
hidden on one side can be read off the other side, as far as the head is symmetric.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.synthesis.randomness import chance, uniform
from medsym.training.pretraining.settings import CorruptionSettings
from medsym.volumes.intensity import CLIP_HIGH, CLIP_LOW, normalise


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """Two contrasts of b scans; (b, 1, x, y, z) float32 each.

    Attributes:
        target: The first contrast as it is.
        first: The first contrast, corrupted.
        second: Another contrast of the same heads, corrupted on its own.
        hidden: 1 where ``first`` is hidden.
        support: 1 inside the head (or brain); intensities are 0 outside.
    """

    target: Tensor
    first: Tensor
    second: Tensor
    hidden: Tensor
    support: Tensor


def draw_views(
    image: Tensor, *, settings: CorruptionSettings, spacing_mm: float, generator: torch.Generator
) -> Views:
    """Views of one scan.

    Args:
        image: (x, y, z) float32 as `medsym.volumes.intensity.normalise` scales it, 0 outside.
        settings: Strength of the corruption.
        spacing_mm: Edge of a voxel.
        generator: Source of randomness, on the CPU.

    Raises:
        ScanError: MS-121, all voxels of the scan have one value.
    """
    support = image != 0
    target = _remapped(image, support, settings=settings, generator=generator)
    other = _remapped(image, support, settings=settings, generator=generator)
    hide = {"settings": settings, "spacing_mm": spacing_mm, "generator": generator}
    first, hidden = _corrupted(target, support, **hide)  # type: ignore[arg-type]
    second, _ = _corrupted(other, support, **hide)  # type: ignore[arg-type]
    volumes = (target, first, second, hidden, support)
    target, first, second, hidden, inside = (v.to(torch.float32)[None, None] for v in volumes)
    return Views(target=target, first=first, second=second, hidden=hidden, support=inside)


def random_map(values: Tensor, *, pieces: int, generator: torch.Generator) -> Tensor:
    """A random continuous function of the intensity, straight between ``pieces`` + 1 knots.

    Args:
        values: Intensities in [-0.5, 1.5], any shape.
        pieces: Number of straight pieces, of equal width.
        generator: Source of randomness.

    Returns:
        Intensities in [0, 1], of the same shape.
    """
    knots = torch.rand(pieces + 1, generator=generator)
    place = (values - CLIP_LOW) / (CLIP_HIGH - CLIP_LOW) * pieces
    below = place.floor().clamp(0, pieces - 1).long()
    share = place - below
    return knots[below] * (1.0 - share) + knots[below + 1] * share


def _remapped(
    image: Tensor, support: Tensor, *, settings: CorruptionSettings, generator: torch.Generator
) -> Tensor:
    """The scan, or another contrast of it, on the usual scale."""
    if not chance(settings.remap, generator=generator):
        return image
    mapped = random_map(image, pieces=settings.remap_pieces, generator=generator)
    return torch.from_numpy(normalise(mapped.numpy(), support.numpy()))


def _corrupted(
    image: Tensor,
    support: Tensor,
    *,
    settings: CorruptionSettings,
    spacing_mm: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The scan with noise and hidden blocks, and where it is hidden; nothing outside the head."""
    noise = uniform(settings.noise_sd, generator=generator)
    noisy = image + noise * torch.randn(image.shape, generator=generator)
    hidden = hidden_blocks(
        image.shape, edge=max(1, round(settings.block_mm / spacing_mm)), share=settings.hidden,
        generator=generator,
    )  # fmt: skip
    fill = float(torch.rand((), generator=generator))
    return torch.where(hidden, fill, noisy) * support, hidden & support


def hidden_blocks(
    shape: tuple[int, ...], *, edge: int, share: float, generator: torch.Generator
) -> Tensor:
    """(x, y, z) bool: cubes of a lattice with a random origin, each hidden with one probability.

    Args:
        shape: Of the volume.
        edge: Of a cube, voxels.
        share: Probability.
        generator: Source of randomness.
    """
    counts = [math.ceil(n / edge) + 1 for n in shape]
    chosen = (torch.rand(counts, generator=generator) < share).to(torch.float32)
    large = F.interpolate(chosen[None, None], scale_factor=float(edge), mode="nearest")[0, 0] > 0.5
    for dim, size in enumerate(shape):
        start = int(torch.randint(0, edge, (), generator=generator))
        large = large.narrow(dim, start, size)
    return large
