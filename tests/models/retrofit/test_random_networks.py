"""Any stack of layers is either refused or exact: random networks, actions and axes."""

import pytest
import torch
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.models.retrofit import soften
from medsym.symmetry import Axis, ChannelAction, flip, harden
from tests.models.retrofit.zoo import difference

WIDTHS = (2, 4)


@st.composite
def convolutions(draw: st.DrawFn, width: int) -> nn.Module:
    kernel = draw(st.integers(1, 5))
    groups = draw(st.sampled_from([1, 1, 2]))
    return nn.Conv3d(
        width,
        width,
        kernel,
        stride=draw(st.integers(1, 3)),
        padding=draw(st.integers(0, 2)),
        dilation=draw(st.sampled_from([1, 1, 2])) if kernel < 4 else 1,
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(["zeros", "replicate", "circular"])),
    )


@st.composite
def transposed(draw: st.DrawFn, width: int) -> nn.Module:
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return nn.ConvTranspose3d(
        width,
        width,
        kernel,
        stride=stride,
        padding=draw(st.integers(0, (kernel - 1) // 2)),
        output_padding=draw(st.integers(0, stride - 1)),
        groups=draw(st.sampled_from([1, 1, width])),
    )


def others(width: int) -> st.SearchStrategy[nn.Module]:
    return st.sampled_from(
        [
            nn.InstanceNorm3d(width, affine=True),
            nn.BatchNorm3d(width),
            nn.GroupNorm(width // 2, width),
            nn.GroupNorm(width, width),
            nn.PReLU(width),
            nn.GELU(),
            nn.MaxPool3d(2),
            nn.AvgPool3d(3, 2, 1),
            nn.Upsample(scale_factor=2, mode="trilinear"),
            nn.Upsample(scale_factor=2),
        ]
    )


@st.composite
def networks(draw: st.DrawFn) -> nn.Sequential:
    torch.manual_seed(draw(st.integers(0, 99)))
    width = draw(st.sampled_from(WIDTHS))
    layer = st.one_of(convolutions(width), transposed(width), others(width))
    middle = draw(st.lists(layer, min_size=1, max_size=2))
    return nn.Sequential(nn.Conv3d(1, width, 1), *middle, nn.Conv3d(width, 3, 1)).double()


def as_if_trained(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.5 * torch.randn_like(parameter))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d) and module.running_mean is not None:
            module.running_mean.normal_()


@pytest.mark.slow
@settings(max_examples=40)
@given(
    network=networks(),
    axis=st.sampled_from(["x", "y", "z"]),
    regular=st.booleans(),
    size=st.sampled_from([12, 18]),
)
@torch.no_grad()
def test_exact_or_refused(network: nn.Sequential, axis: Axis, regular: bool, size: int) -> None:
    as_if_trained(network.eval())
    edges = [size if a == axis else 8 for a in "xyz"]
    volume = torch.randn(1, 1, *edges, dtype=torch.float64)
    try:
        before = network(volume)
    except (RuntimeError, ValueError):
        assume(False)
    assume(before.numel() and before.abs().max() > 0)
    action = ChannelAction.labels([0, 2, 1], axis=axis)
    try:
        soft = soften(
            network,
            axis,
            softness=1.0,
            channels="regular" if regular else "trivial",
            action_out=action,
            size=(edges[0], edges[1], edges[2]),
        )
        after = soft(volume)
    except (ModelError, GridError) as refusal:
        event(f"refused {refusal.code}")
        return
    event("softened")
    assert difference(after, before) <= 1e-9
    harden(soft)
    output = soft(volume)
    assert difference(soft(flip(volume, axis)), action.apply(flip(output, axis))) <= 1e-9


def test_the_law_can_fail() -> None:
    """The same comparison on a network that was not softened."""
    torch.manual_seed(0)
    network = nn.Conv3d(1, 3, 3, padding=1).double()
    volume = torch.randn(1, 1, 12, 8, 8, dtype=torch.float64)
    assert difference(network(volume.flip(2)), network(volume).flip(2)) > 0.1
    with pytest.raises(GridError, match="MS-250"):
        soften(nn.Sequential(nn.Conv3d(1, 1, 2, stride=2)))(torch.zeros(1, 1, 9, 8, 8))
