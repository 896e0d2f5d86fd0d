"""Random contrast: how bright each tissue is, drawn anew for every image.

A Gaussian per label as in Billot et al., "SynthSeg", arXiv:2107.09559, section 3.3, with one
difference: left and right structures share their Gaussian, so that a side never has a contrast of
its own unless a lesion or the bias field gives it one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.deformation import FINE, GRID
from medsym.synthesis.randomness import chance, uniform, whole
from medsym.synthesis.settings import ContrastConfig
from medsym.synthesis.smoothing import box_mean
from medsym.synthesis.tissues import CLASS_TISSUE, KINDS, TISSUES, class_partners, classes_named


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """One draw of intensities.

    Attributes:
        kind: "T1", "T2", "FLAIR", "CT" or "random".
        means: (classes,) float32, 0 dark to 1 bright.
        sds: (classes,) float32, texture of a 3 mm voxel of a single tissue.
        aged: shift of periventricular white matter on both sides; 0 for none.
    """

    kind: str
    means: Tensor
    sds: Tensor
    aged: float


def draw_contrast(*, config: ContrastConfig, generator: torch.Generator) -> Contrast:
    """Draw the Gaussian of every class.

    Args:
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    count = len(CLASS_TISSUE)
    partners = class_partners()
    owner = torch.minimum(torch.arange(count), partners)
    if chance(config.realistic, generator=generator):
        kind = KINDS[whole(0, len(KINDS) - 1, generator=generator)]
        means = _realistic(kind, jitter=config.mean_jitter, generator=generator)
    else:
        kind = "random"
        means = torch.rand(count, generator=generator)
        means[0] = 0.0 if chance(0.8, generator=generator) else float(means[0])
    low, high = config.texture_sd
    sds = low + (high - low) * torch.rand(count, generator=generator)
    aged = 0.0
    if chance(config.white_matter_change, generator=generator):
        aged = 0.35 * float(torch.randn((), generator=generator))
    return Contrast(kind=kind, means=means[owner], sds=sds[owner], aged=aged)


def _realistic(kind: str, *, jitter: float, generator: torch.Generator) -> Tensor:
    """Means of one kind of scan: tissues jittered, and each class a little round its tissue."""
    column = KINDS.index(kind)
    table = torch.tensor([tissue.brightness[column] for tissue in TISSUES])
    outside = torch.tensor([3.0 if tissue.head else 1.0 for tissue in TISSUES])
    if kind == "CT":
        jitter, outside = 0.5 * jitter, outside / 3.0
    table = table + jitter * outside * torch.randn(len(TISSUES), generator=generator)
    table[0] = 0.0
    classes = torch.tensor(CLASS_TISSUE)
    noise = 0.3 * jitter * torch.randn(len(classes), generator=generator)
    noise[0] = 0.0
    return (table[classes] + noise).clamp(0.0, 1.2)


def pool(fine: Tensor) -> Tensor:
    """Mean of the 2 x 2 x 2 fine voxels in every grid voxel, (64, 80, 64)."""
    return functional.avg_pool3d(fine[None, None], 2)[0, 0]


def paint(classes: Tensor, *, contrast: Contrast, generator: torch.Generator) -> Tensor:
    """Image without lesions on the network's grid, with partial volume and texture.

    Half of the texture is white, half is correlated over about 6 mm, as in real tissue.

    Args:
        classes: (128, 160, 128) int64 tissue classes at 1.5 mm.
        contrast: the Gaussians.
        generator: source of randomness, on the CPU.

    Returns:
        (64, 80, 64) float32.
    """
    device = classes.device
    image = pool(torch.take(contrast.means.to(device), classes))
    spread = pool(torch.take(contrast.sds.to(device), classes))
    noise = torch.randn((2, *GRID), generator=generator).to(device)
    patchy = box_mean(noise[1]) * 27.0**0.5
    image = image + spread * 0.5**0.5 * (noise[0] + patchy)
    if contrast.aged != 0.0:
        image = image + contrast.aged * _periventricular(classes, generator=generator)
    return image


def _periventricular(classes: Tensor, *, generator: torch.Generator) -> Tensor:
    """White matter close to a ventricle, 0..1; alike on both sides but for its texture."""
    device = classes.device
    white = classes_named("white").to(torch.float32).to(device)
    fluid = classes_named("ventricle").to(torch.float32).to(device)
    near = box_mean(pool(torch.take(fluid, classes)), times=2)
    reach = uniform((1.0, 6.0), generator=generator)
    patchy = 0.75 + 0.25 * torch.rand(GRID, generator=generator).to(device)
    return pool(torch.take(white, classes)) * (reach * near).clamp(0.0, 1.0) * patchy


def majority(values: Tensor, *, count: int) -> Tensor:
    """Most frequent value of the 2 x 2 x 2 fine voxels of each grid voxel; ties go to the lower.

    Args:
        values: (128, 160, 128) int64 below count.
        count: number of different values.

    Returns:
        (64, 80, 64) int64.
    """
    device = values.device
    inner = torch.arange(GRID[0] * GRID[1] * GRID[2], device=device).view(GRID)
    blocks = values.view(GRID[0], 2, GRID[1], 2, GRID[2], 2)
    keys = inner.view(GRID[0], 1, GRID[1], 1, GRID[2], 1) * count + blocks
    votes = torch.bincount(keys.reshape(-1), minlength=inner.numel() * count)
    return votes.view(*GRID, count).argmax(dim=-1)


assert tuple(2 * n for n in GRID) == FINE  # the pooling above relies on it
