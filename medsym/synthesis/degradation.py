"""What scanner and preprocessing do to an image: bias, blur, slices, noise, masks, cropping."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.deformation import GRID, GRID_MM, grid_mm
from medsym.synthesis.randomness import chance, smooth_field, uniform, whole
from medsym.synthesis.settings import DegradationConfig
from medsym.synthesis.smoothing import box_mean

DEPTH_PER_MM = 0.065  # slope at the border of a mask smoothed four times


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Which voxels the scan shows.

    Attributes:
        mask: (64, 80, 64) bool, where the intensities are scaled and outside which the image is 0.
        coverage: (64, 80, 64) bool, inside the field of view.
        stripped: True when only the brain is shown.
    """

    mask: Tensor
    coverage: Tensor
    stripped: bool


def closed_brain(brain: Tensor) -> Tensor:
    """Brain with its narrow sulci, (64, 80, 64) float 0..1: what an expert's outline would enclose.

    Args:
        brain: (64, 80, 64) float, fraction of brain.
    """
    filled = 0.5 + 4.0 * (box_mean(brain, times=2) - 0.5)
    return torch.maximum(brain, filled).clamp(0.0, 1.0)


def draw_view(
    brain: Tensor, *, head: Tensor, config: DegradationConfig, generator: torch.Generator
) -> View:
    """Draw the field of view and the mask that the preprocessing would have found.

    Args:
        brain: (64, 80, 64) bool.
        head: (64, 80, 64) float, fraction of each voxel that is not air.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    coverage = _coverage(brain, config=config, generator=generator)
    stripped = chance(config.stripped, generator=generator)
    if stripped:
        margin = uniform(config.strip_error_mm, generator=generator)
        rough = smooth_field(1, shape=GRID, control=(8, 10, 8), generator=generator)[0]
        depth = box_mean(brain.to(torch.float32), times=4)  # 0.5 at the border
        threshold = 0.5 - DEPTH_PER_MM * (margin + rough.to(brain.device))
        mask = depth > threshold.clamp(0.05, 0.8)
    else:
        mask = box_mean(head) > 0.4
    return View(mask=mask & coverage, coverage=coverage, stripped=stripped)


def _coverage(brain: Tensor, *, config: DegradationConfig, generator: torch.Generator) -> Tensor:
    """Field of view: the neck is often cut, the brain's ends sometimes."""
    coverage = torch.ones_like(brain)
    rows = torch.nonzero(brain.any(dim=0).any(dim=0)).flatten()
    lowest, highest = int(rows.min()), int(rows.max())
    if chance(config.neck_cut, generator=generator):
        coverage[:, :, : max(0, lowest - whole(0, 8, generator=generator))] = False
    if chance(config.cropped, generator=generator):
        size = round(uniform(config.cropped_mm, generator=generator) / GRID_MM)
        if chance(0.5, generator=generator):
            coverage[:, :, : lowest + size] = False
        else:
            coverage[:, :, highest - size :] = False
    return coverage


def degrade(image: Tensor, *, config: DegradationConfig, generator: torch.Generator) -> Tensor:
    """Bias field, point spread, thick slices and noise, in the order in which a scanner adds them.

    Args:
        image: (64, 80, 64) float32, roughly 0..1.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    device = image.device
    log_bias = smooth_field(1, shape=GRID, control=(3, 4, 3), generator=generator)[0]
    log_bias = log_bias * uniform(config.bias_log_sd, generator=generator)
    if chance(config.one_sided, generator=generator):
        size = uniform(config.one_sided_log, generator=generator)
        log_bias = log_bias + size * torch.tanh(grid_mm()[0] / 60.0)
    image = image * torch.exp(log_bias).to(device)
    image = blur(image, sd_mm=uniform(config.blur_mm, generator=generator))
    if chance(config.thick_slices, generator=generator):
        axis = whole(0, 2, generator=generator)
        image = _slices(
            image, axis=axis, thickness_mm=uniform(config.slice_mm, generator=generator)
        )
    noise = torch.randn(GRID, generator=generator).to(device)
    return image + uniform(config.noise_sd, generator=generator) * noise


def blur(image: Tensor, *, sd_mm: float) -> Tensor:
    """Gaussian point spread, one axis after the other."""
    if sd_mm < 0.3:  # changes no voxel by a per cent
        return image
    reach = 3
    steps = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (steps * (GRID_MM / sd_mm)).square())
    kernel = kernel / kernel.sum()
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 2 * reach + 1
        padding = [reach if k == axis else 0 for k in range(3)]
        image = functional.conv3d(image[None, None], kernel.view(shape), padding=padding)[0, 0]
    return image


def _slices(image: Tensor, *, axis: int, thickness_mm: float) -> Tensor:
    """Average over thick slices along one axis and interpolate back onto the grid."""
    size = list(image.shape)
    size[axis] = max(8, round(size[axis] * GRID_MM / thickness_mm))
    thick = functional.interpolate(image[None, None], size=size, mode="area")
    back = functional.interpolate(
        thick, size=list(image.shape), mode="trilinear", align_corners=False
    )
    return back[0, 0]
