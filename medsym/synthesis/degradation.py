"""What scanner and preprocessing do to an image: bias, blur, slices, noise, masks, cropping."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.canvas import Canvas
from medsym.synthesis.deformation import on_grid
from medsym.synthesis.randomness import chance, smooth_field, uniform, white_noise, whole
from medsym.synthesis.settings import DegradationConfig
from medsym.synthesis.smoothing import smooth

DEPTH_SD_MM = 4.9  # smoothing of a mask whose value then tells the depth below its border
DEPTH_PER_MM = 0.065  # slope of that value at the border
ROUGH_MM = 27.0  # size of the places where a mask lies too far out or in
NECK_GAP_MM = (0.0, 24.0)  # what is left of the neck below the brain
BIAS_MM = 80.0  # distance between control points of the bias field


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Which voxels the scan shows.

    Attributes:
        mask: (x, y, z) bool, where the intensities are scaled and outside which the image is 0.
        coverage: (x, y, z) bool, inside the field of view.
        stripped: True when only the brain is shown.
    """

    mask: Tensor
    coverage: Tensor
    stripped: bool


def closed_brain(brain: Tensor, *, spacing_mm: float) -> Tensor:
    """Brain with its narrow sulci, (x, y, z) float 0..1: what an expert's outline would enclose.

    Args:
        brain: (x, y, z) float, fraction of brain.
        spacing_mm: of the voxels.
    """
    filled = 0.5 + 4.0 * (smooth(brain, sd_mm=3.46, spacing_mm=spacing_mm) - 0.5)
    return torch.maximum(brain, filled).clamp(0.0, 1.0)


def draw_view(
    brain: Tensor,
    *,
    head: Tensor,
    canvas: Canvas,
    config: DegradationConfig,
    generator: torch.Generator,
) -> View:
    """Draw the field of view and the mask that the preprocessing would have found.

    Args:
        brain: (x, y, z) bool.
        head: (x, y, z) float, fraction of each voxel that is not air.
        canvas: grid and device.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    coverage = _coverage(brain, spacing_mm=canvas.spacing_mm, config=config, generator=generator)
    stripped = chance(config.stripped, generator=generator)
    if stripped:
        margin = uniform(config.strip_error_mm, generator=generator)
        rough = smooth_field(
            1,
            shape=canvas.shape,
            control=canvas.control(ROUGH_MM),
            generator=generator,
            device=canvas.device,
        )[0]
        depth = smooth(
            brain.to(torch.float32), sd_mm=DEPTH_SD_MM, spacing_mm=canvas.spacing_mm
        )  # 0.5 at the border
        threshold = 0.5 - DEPTH_PER_MM * (margin + rough)
        mask = depth > threshold.clamp(0.05, 0.8)
    else:
        mask = smooth(head, sd_mm=2.45, spacing_mm=canvas.spacing_mm) > 0.4
    return View(mask=mask & coverage, coverage=coverage, stripped=stripped)


def _coverage(
    brain: Tensor, *, spacing_mm: float, config: DegradationConfig, generator: torch.Generator
) -> Tensor:
    """Field of view: the neck is often cut, the brain's ends sometimes."""
    coverage = torch.ones_like(brain)
    rows = torch.nonzero(brain.any(dim=0).any(dim=0)).flatten()
    lowest, highest = int(rows.min()), int(rows.max())
    if chance(config.neck_cut, generator=generator):
        gap = uniform(NECK_GAP_MM, generator=generator)
        coverage[:, :, : max(0, lowest - round(gap / spacing_mm))] = False
    if chance(config.cropped, generator=generator):
        size = round(uniform(config.cropped_mm, generator=generator) / spacing_mm)
        if chance(0.5, generator=generator):
            coverage[:, :, : lowest + size] = False
        else:
            coverage[:, :, max(0, highest + 1 - size) :] = False
    return coverage


def degrade(
    image: Tensor, *, canvas: Canvas, config: DegradationConfig, generator: torch.Generator
) -> Tensor:
    """Bias field, point spread, thick slices and noise, in the order in which a scanner adds them.

    Args:
        image: (x, y, z) float32, roughly 0..1.
        canvas: grid and device.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    log_bias = smooth_field(
        1,
        shape=canvas.coarse,
        control=canvas.control(BIAS_MM),
        generator=generator,
        device=canvas.device,
    )
    log_bias = on_grid(log_bias, canvas=canvas)[0]
    log_bias = log_bias * uniform(config.bias_log_sd, generator=generator)
    if chance(config.one_sided, generator=generator):
        size = uniform(config.one_sided_log, generator=generator)
        log_bias = log_bias + size * torch.tanh(canvas.points()[0] / 60.0)
    image = image * torch.exp(log_bias)
    sd_mm = uniform(config.blur_mm, generator=generator)
    image = blur(image, sd_mm=sd_mm, spacing_mm=canvas.spacing_mm)
    if chance(config.thick_slices, generator=generator):
        axis = whole(0, 2, generator=generator)
        thickness = uniform(config.slice_mm, generator=generator)
        image = _slices(image, axis=axis, ratio=thickness / canvas.spacing_mm)
    noise = white_noise(canvas.shape, generator=generator, device=canvas.device)
    return image + uniform(config.noise_sd, generator=generator) * noise


def blur(image: Tensor, *, sd_mm: float, spacing_mm: float) -> Tensor:
    """Gaussian point spread, one axis after the other."""
    if sd_mm < 0.1 * spacing_mm:  # changes no voxel by a per cent
        return image
    reach = max(2, round(3.0 * sd_mm / spacing_mm))
    steps = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (steps * (spacing_mm / sd_mm)).square())
    kernel = kernel / kernel.sum()
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 2 * reach + 1
        padding = [reach if k == axis else 0 for k in range(3)]
        image = functional.conv3d(image[None, None], kernel.view(shape), padding=padding)[0, 0]
    return image


def _slices(image: Tensor, *, axis: int, ratio: float) -> Tensor:
    """Average over slices ``ratio`` voxels thick along one axis, interpolate back onto the grid."""
    if ratio <= 1.0:
        return image
    size = list(image.shape)
    size[axis] = max(8, round(size[axis] / ratio))
    thick = functional.interpolate(image[None, None], size=size, mode="area")
    back = functional.interpolate(
        thick, size=list(image.shape), mode="trilinear", align_corners=False
    )
    return back[0, 0]
