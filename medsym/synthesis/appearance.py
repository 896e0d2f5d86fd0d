"""How a lesion looks: any shift against the tissue, from barely visible to brightest of all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.synthesis.deformation import GRID
from medsym.synthesis.lesions import Lesion
from medsym.synthesis.randomness import chance, log_uniform, smooth_field, uniform
from medsym.synthesis.settings import LesionConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Reference intensities of the image that a lesion is drawn into.

    Attributes:
        fluid: of the ventricles.
        dark, bright: 1st and 99th percentile of the brain.
        sd: standard deviation over the brain's voxels.
    """

    fluid: float
    dark: float
    bright: float
    sd: float


def palette_of(image: Tensor, *, brain: Tensor, fluid: float) -> Palette:
    """Reference intensities of an image; brain is (64, 80, 64) bool."""
    values = image[brain].sort().values
    count = len(values)
    return Palette(
        fluid=fluid,
        dark=float(values[count // 100]),
        bright=float(values[count - 1 - count // 100]),
        sd=max(float(values.std()), 0.02),
    )


def _target(
    local: float, *, palette: Palette, config: LesionConfig, generator: torch.Generator
) -> float:
    """Mean intensity of a part whose surroundings have the given mean."""
    sign = -1.0 if chance(0.5, generator=generator) else 1.0
    if chance(config.extreme, generator=generator):
        kind = uniform((0.0, 1.0), generator=generator)
        if kind < 0.4:
            return palette.fluid
        if kind < 0.8:
            return palette.bright + uniform((0.3, 4.0), generator=generator) * palette.sd
        return palette.dark - uniform((0.0, 1.0), generator=generator) * palette.sd
    return local + sign * log_uniform(config.contrast_sd, generator=generator) * palette.sd


def draw_lesion(
    image: Tensor,
    *,
    lesion: Lesion,
    palette: Palette,
    config: LesionConfig,
    generator: torch.Generator,
) -> Tensor:
    """Image with one lesion in it.

    Half of the lesions shift the tissue and keep its pattern, half replace it; all carry a patchy
    texture of their own.

    Args:
        image: (64, 80, 64) float32 without bias and noise.
        lesion: its extent, core and cavity.
        palette: reference intensities.
        config: contrast ranges.
        generator: source of randomness, on the CPU.
    """
    device = image.device
    texture = smooth_field(1, shape=GRID, control=(16, 20, 16), generator=generator)[0].to(device)
    keep = 0.0 if chance(0.5, generator=generator) else uniform((0.3, 1.0), generator=generator)
    roughness = uniform((0.0, 0.35), generator=generator)
    parts = [lesion.extent] if lesion.core is None else [lesion.extent, lesion.core]
    original = image
    for part in parts:
        weight = part.to(device)
        total = weight.sum().clamp_min(1e-6)
        local = float((original * weight).sum() / total)
        target = _target(local, palette=palette, config=config, generator=generator)
        pattern = keep * (original - local) + roughness * (target - local) * texture
        image = image + weight * (target + pattern - image)
    if lesion.cavity is not None:
        image = image + lesion.cavity.to(device) * (palette.fluid - image)
    return image
