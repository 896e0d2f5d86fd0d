"""Defect of one softened layer under a grid group: exact per element, bounded for all of them.

With ``W_a = W_G + a (W - W_G)`` and R = W - W_G::

    f_a(g x) - g f_a(x) = a (W g - g W) x = g (g^-1 W_a g - W_a) x,
    ||W_a g - g W_a|| <= 2 a ||R||          (because ||R g - g R|| <= 2 ||R||).

For one mirror the bound is an equality; for projections in general the factor of two is that of
Berndt & Stuehmer (arXiv 2601.05028). Operator norms: :mod:`medsym.symmetry.operator_norm`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.parts import project_vector
from medsym.symmetry.groups.softness import Convolution, GroupKernel, group_kernel
from medsym.symmetry.operator_norm import absolute_norm, conv_norm


def group_layer_defect(layer: Convolution, volume: Tensor, element: GridElement | str) -> Tensor:
    """Exact defect f(g x) - g f(x) of a softened convolution, from its weights alone.

    Raises:
        ModelError: MS-213, the layer carries no symmetry; MS-233, it carries no grid group.
        GridError: MS-292, the element is not in the group.
    """
    kernel = group_kernel(layer)
    group = kernel.field_out.group
    g = group.index(element)
    gap, bias_gap = _commutator(kernel, group.inverses[g], layer.weight, layer.bias)
    return kernel.field_out.act(_run(layer, volume, gap, bias_gap), g)


def group_layer_bound(
    layer: Convolution, volume: Tensor, element: GridElement | str | None = None
) -> float:
    """Bound on ``||f(g x) - g f(x)||_2`` for every volume of the shape and norm of this one.

    With the rounding of both passes: sums of products in any order, so neither reduced-precision
    (TF32) nor transform (Winograd) convolutions are covered.

    Args:
        layer: Softened convolution.
        volume: (b, c, x, y, z); only its shape, type and norm are used.
        element: One element (its own, smaller bound), or None for all elements at once.

    Raises:
        ModelError: MS-213 or MS-233, as :func:`group_layer_defect`; MS-299, padding that repeats
            values, whose norm is not bounded here.
    """
    kernel = group_kernel(layer)
    if layer.padding_mode != "zeros":
        raise ModelError(
            code="MS-299",
            subject=type(layer).__name__,
            cause=f"padding_mode={layer.padding_mode!r} repeats values and can enlarge the norm",
            fix="use padding_mode='zeros', or group_layer_defect(), which is exact for an input",
        )
    weight = layer.weight.detach().double()
    bias = None if layer.bias is None else layer.bias.detach().double()
    if element is None:
        gap, factor = weight - kernel.projected(weight), 2.0
        bias_gap = None if bias is None else bias - project_vector(bias, kernel.field_out)
    else:
        g = kernel.field_out.group.inverses[kernel.field_out.group.index(element)]
        gap, bias_gap = _commutator(kernel, g, weight, bias)
        factor = 1.0
    rounding = _rounding(layer, volume.dtype)
    size, places = float(volume.detach().double().norm()), _places(layer, volume)
    bound = (factor * _norm(layer, gap) + rounding * _norm(layer, weight, absolute=True)) * size
    if bias is not None and bias_gap is not None:
        bound += (factor * float(bias_gap.norm()) + rounding * float(bias.norm())) * places**0.5
    return bound * (1.0 + 1e-9)


def _commutator(
    kernel: GroupKernel, g: int, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of ``g W_a g^-1 - W_a``."""
    gap = None if bias is None else kernel.field_out.apply(bias, g, dim=0) - bias
    return kernel.act(weight, g) - weight, gap


def _rounding(layer: Convolution, dtype: torch.dtype) -> float:
    """Twice (both passes) the largest relative error of a sum of products."""
    inputs = layer.in_channels // layer.groups
    unit = (inputs * math.prod(layer.kernel_size) + 2) * torch.finfo(dtype).eps
    return 2.0 * unit / (1.0 - unit)


def _norm(layer: Convolution, weight: Tensor, *, absolute: bool = False) -> float:
    """Upper bound on the operator norm of the layer with another weight, or with its modulus."""
    norm = absolute_norm if absolute else conv_norm
    return norm(weight, stride=layer.stride, dilation=layer.dilation, groups=layer.groups)


def _run(layer: Convolution, volume: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's operation with other weights."""
    stride, groups, dilation = layer.stride, layer.groups, layer.dilation
    if isinstance(layer, nn.ConvTranspose3d):
        padding = [int(p) for p in layer.padding]
        more = layer.output_padding
        return F.conv_transpose3d(volume, weight, bias, stride, padding, more, groups, dilation)
    return layer._conv_forward(volume, weight, bias)  # noqa: SLF001  # with its padding mode


def _places(layer: Convolution, volume: Tensor) -> int:
    """Number of output voxels, over the batch."""
    weight = layer.weight.detach().to(device="meta", dtype=volume.dtype)
    shape = _run(layer, volume.detach().to("meta"), weight, None).shape
    return int(shape[0]) * math.prod(shape[2:])
