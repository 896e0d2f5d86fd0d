"""How a lesion looks: any shift against the tissue, from barely visible to brightest of all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.synthesis.canvas import Canvas
from medsym.synthesis.lesions import Lesion
from medsym.synthesis.randomness import chance, log_uniform, smooth_field, uniform
from medsym.synthesis.settings import LesionConfig

TEXTURE_MM = 12.8  # size of the patches inside a lesion
MOST_SORTED = 50_000  # values; more change the percentiles by less than their own spread


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
    """Reference intensities of an image (x, y, z); brain is (x, y, z) bool and not empty."""
    values = image[brain]
    few = values[:: max(1, len(values) // MOST_SORTED)].sort().values
    count = len(few)
    found = torch.stack([few[count // 100], few[count - 1 - count // 100], values.std()])
    dark, bright, sd = found.tolist()
    return Palette(fluid=fluid, dark=dark, bright=bright, sd=max(sd, 0.02))


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
    canvas: Canvas,
    lesion: Lesion,
    palette: Palette,
    config: LesionConfig,
    generator: torch.Generator,
) -> Tensor:
    """Image with one lesion in it.

    Half of the lesions shift the tissue and keep its pattern, half replace it; all carry a patchy
    texture of their own.

    Args:
        image: (x, y, z) float32 without bias and noise.
        canvas: grid and device.
        lesion: its extent, core and cavity.
        palette: reference intensities.
        config: contrast ranges.
        generator: source of randomness, on the CPU.
    """
    texture = smooth_field(
        1,
        shape=canvas.shape,
        control=canvas.control(TEXTURE_MM),
        generator=generator,
        device=canvas.device,
    )[0]
    keep = 0.0 if chance(0.5, generator=generator) else uniform((0.3, 1.0), generator=generator)
    roughness = uniform((0.0, 0.35), generator=generator)
    parts = [lesion.extent] if lesion.core is None else [lesion.extent, lesion.core]
    original = image
    for part in parts:
        total = part.sum().clamp_min(1e-6)
        local = float((original * part).sum() / total)
        target = _target(local, palette=palette, config=config, generator=generator)
        pattern = keep * (original - local) + roughness * (target - local) * texture
        image = image + part * (target + pattern - image)
    if lesion.cavity is not None:
        image = image + lesion.cavity * (palette.fluid - image)
    return image
