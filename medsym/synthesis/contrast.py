"""Random contrast: how bright each tissue is, drawn anew for every image.

A Gaussian per label as in Billot et al., "SynthSeg", arXiv:2107.09559, section 3.3, with one
difference: left and right structures share their Gaussian, so that a side never has a contrast of
its own unless a lesion or the bias field gives it one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.canvas import Canvas
from medsym.synthesis.randomness import chance, uniform, white_noise, whole
from medsym.synthesis.settings import ContrastConfig
from medsym.synthesis.smoothing import box_mean, smooth
from medsym.synthesis.tissues import CLASS_TISSUE, KINDS, TISSUES, class_partners, classes_named

MEAN_PATCH = 0.875  # of the patches in white matter that changes with age


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """One draw of intensities.

    Attributes:
        kind: "T1", "T2", "FLAIR", "CT" or "random".
        means: (classes,) float32, 0 dark to 1 bright.
        sds: (classes,) float32, texture of a voxel of a single tissue.
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
    """Mean of the 2 x 2 x 2 fine points in every voxel: (2x, 2y, 2z) to (x, y, z)."""
    return functional.avg_pool3d(fine[None, None], 2)[0, 0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grain:
    """What differs from voxel to voxel in one tissue, drawn once for image and counterpart.

    Attributes:
        texture: (x, y, z) float32, standard deviation about 1.
        patches: (x, y, z) float32, 0.75 to 1, of the white matter that changes with age.
        reach: how far from the ventricles that change reaches, without unit.
    """

    texture: Tensor
    patches: Tensor
    reach: float


def draw_grain(*, canvas: Canvas, generator: torch.Generator) -> Grain:
    """Half of the texture is white, half is correlated over three voxels, as in real tissue."""
    noise = white_noise((2, *canvas.shape), generator=generator, device=canvas.device)
    patchy = box_mean(noise[1]) * 27.0**0.5
    return Grain(
        texture=0.5**0.5 * (noise[0] + patchy),
        patches=0.75 + 0.25 * torch.special.ndtr(patchy),
        reach=uniform((1.0, 6.0), generator=generator),
    )


def paint_means(classes: Tensor, *, canvas: Canvas, contrast: Contrast, grain: Grain) -> Tensor:
    """Expected intensity of every voxel, with partial volume and change of age, no texture.

    Args:
        classes: (2x, 2y, 2z) int64 tissue classes of the fine lattice.
        canvas: grid and device.
        contrast: the Gaussians.
        grain: extent and patches of the change of age.

    Returns:
        (x, y, z) float32.
    """
    image = pool(torch.take(contrast.means.to(canvas.device), classes))
    if contrast.aged != 0.0:
        image = image + MEAN_PATCH * contrast.aged * _periventricular(
            classes, canvas=canvas, reach=grain.reach
        )
    return image


def paint(
    classes: Tensor, *, expected: Tensor, canvas: Canvas, contrast: Contrast, grain: Grain
) -> Tensor:
    """Image without lesions: the expected intensity and the texture of each tissue, (x, y, z)."""
    spread = pool(torch.take(contrast.sds.to(canvas.device), classes))
    image = torch.addcmul(expected, spread, grain.texture)
    if contrast.aged != 0.0:
        change = _periventricular(classes, canvas=canvas, reach=grain.reach)
        image = image + contrast.aged * change * (grain.patches - MEAN_PATCH)
    return image


def _periventricular(classes: Tensor, *, canvas: Canvas, reach: float) -> Tensor:
    """White matter close to a ventricle, 0..1."""
    white = classes_named("white").to(torch.float32).to(canvas.device)
    fluid = classes_named("ventricle").to(torch.float32).to(canvas.device)
    near = smooth(pool(torch.take(fluid, classes)), sd_mm=3.46, spacing_mm=canvas.spacing_mm)
    return pool(torch.take(white, classes)) * (reach * near).clamp(0.0, 1.0)


def majority(values: Tensor) -> Tensor:
    """Most frequent value of the 2 x 2 x 2 fine points of each voxel; ties go to the lower.

    Args:
        values: (2x, 2y, 2z) int64, 0 to 31.

    Returns:
        (x, y, z) int64.
    """
    small = values.to(torch.uint8)
    corners = [small[i::2, j::2, k::2].contiguous() for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    votes = [torch.ones_like(corners[0]) for _ in corners]
    for first in range(8):
        for second in range(first + 1, 8):
            same = (corners[first] == corners[second]).view(torch.uint8)
            votes[first].add_(same)
            votes[second].add_(same)
    best = torch.zeros_like(corners[0])
    for corner, count in zip(corners, votes, strict=True):
        # 1 to 8 votes above, the value upside down below: one byte per candidate
        best = torch.maximum(best, (count - 1) * 32 + (31 - corner))
    return (31 - best % 32).to(torch.int64)
