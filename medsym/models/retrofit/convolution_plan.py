"""How convolutions are softened: kernel, stride, output_padding and bias."""

from functools import partial

import torch
from torch import nn

from medsym.errors import GridError
from medsym.models.retrofit.report import Finding
from medsym.models.retrofit.steps import Planning, Step, kept, refused, said
from medsym.models.retrofit.strides import Convolution, axis_index, grow_kernel, missing_taps
from medsym.symmetry.mirror import Axis, ChannelAction
from medsym.symmetry.parametrisation import soften_layer
from medsym.symmetry.parts import twin_kernel
from medsym.symmetry.softness import Softness

_EQUAL_SIDES = (
    "channels that the mirror swaps read trivial features at one place only, so they are equal at "
    "softness 0; channels='regular' (from scratch) or softness > 0 tells the sides apart"
)


def plan_convolution(
    planning: Planning, path: str, layer: Convolution, *, front_taps: int = 0
) -> Step:
    """The step for a convolution; ``front_taps`` zero taps are put first (MedNeXt's up block)."""
    if path not in planning.actions.convolutions:
        return kept(path, "kernel", "is never run by the network")
    action_in, action_out = planning.actions.convolutions[path]
    taps = front_taps or missing_taps(layer, planning.axis)
    if taps is None:
        return refused(
            path,
            "stride",
            f"kernel {layer.kernel_size}, stride {layer.stride}, padding {layer.padding}, dilation "
            f"{layer.dilation} reads the two sides differently along {planning.axis} on every "
            "size that the stride divides",
        )
    problem = _group_problem(layer, action_in, action_out)
    if problem is not None:
        return refused(path, "channels", problem)
    if _is_symmetric(layer, planning.axis, taps, action_in, action_out):
        return kept(path, "kernel", f"one tap along {planning.axis} on trivial channels")
    per_channel = layer.out_channels
    if isinstance(layer, nn.ConvTranspose3d) and layer.groups > 1:
        per_channel = 1
    softness = planning.softness(path, per_channel)
    findings = _findings(layer, path, planning.axis, taps, action_out, front=bool(front_taps))
    if _cannot_tell_sides(layer, planning.axis, taps, action_in, action_out):
        findings += (said(path, "channels", "warned", _EQUAL_SIDES),)
    apply = partial(
        _soften,
        layer,
        planning.axis,
        taps,
        bool(front_taps),
        actions=(action_in, action_out),
        softness=softness,
    )
    return Step(findings=findings, apply=apply)


def _soften(
    layer: Convolution,
    axis: Axis,
    taps: int,
    in_front: bool,
    *,
    actions: tuple[ChannelAction, ChannelAction],
    softness: Softness,
) -> None:
    if taps:
        grow_kernel(layer, axis, taps, in_front=in_front)
    softness.to(layer.weight.device)
    soften_layer(layer, action_in=actions[0], action_out=actions[1], softness=softness)


def _is_symmetric(
    layer: Convolution, axis: Axis, taps: int, first: ChannelAction, second: ChannelAction
) -> bool:
    """True if the mirror maps every weight onto itself."""
    trivial = all(a == ChannelAction.trivial(a.channels, axis=axis) for a in (first, second))
    return trivial and layer.kernel_size[axis_index(axis)] + taps == 1


def _cannot_tell_sides(
    layer: Convolution, axis: Axis, taps: int, first: ChannelAction, second: ChannelAction
) -> bool:
    """True if swapped output channels can only be equal: one tap, and nothing moves in the input.

    ``W[p(o), i] = W[o, i]`` there, with p the swap.
    """
    swaps = any(p != c for c, p in enumerate(second.perm))
    still = first == ChannelAction.trivial(first.channels, axis=axis)
    return swaps and still and layer.kernel_size[axis_index(axis)] + taps == 1


def _group_problem(
    layer: Convolution, action_in: ChannelAction, action_out: ChannelAction
) -> str | None:
    kernel = torch.empty(layer.weight.shape, device="meta")
    transposed = isinstance(layer, nn.ConvTranspose3d)
    try:
        twin_kernel(kernel, action_in, action_out, transposed=transposed, groups=layer.groups)
    except GridError as error:
        return f"the channel actions do not fit its {layer.groups} groups: {error.cause}"
    return None


def _findings(
    layer: Convolution, path: str, axis: Axis, taps: int, action_out: ChannelAction, *, front: bool
) -> tuple[Finding, ...]:
    index = axis_index(axis)
    kernel, stride = layer.kernel_size[index], layer.stride[index]
    transposed = isinstance(layer, nn.ConvTranspose3d)
    found = [said(path, "kernel", "fixed", f"split into even and odd part along {axis}")]
    where = "in front" if front else "at the end"
    grown = f"kernel {kernel} becomes {kernel + taps} along {axis} by {taps} zero tap(s) {where}"
    if isinstance(layer, nn.ConvTranspose3d) and taps and not front:
        text = f"output_padding {layer.output_padding[index]} becomes 0: {grown}; same function"
        found.insert(0, said(path, "output_padding", "fixed", text))
    elif transposed and not front:
        if stride > 1:
            text = f"kernel {kernel}, stride {stride} without output_padding is mirror-safe"
            found.insert(0, said(path, "transposed convolution", "kept", text))
    elif front:
        found.insert(0, said(path, "transposed convolution", "fixed", grown))
    elif taps:
        text = f"{grown}; same function where stride {stride} divides the size"
        found.insert(0, said(path, "stride", "fixed", text))
    elif stride > 1:
        text = f"kernel {kernel}, stride {stride} tiles sizes that the stride divides"
        found.insert(0, said(path, "stride", "kept", text))
    if layer.bias is not None:
        moved = action_out != ChannelAction.trivial(action_out.channels, axis=axis)
        text = "tied under the mirror" if moved else "acts on trivial channels"
        found.append(said(path, "bias", "fixed" if moved else "kept", text))
    return tuple(found)
