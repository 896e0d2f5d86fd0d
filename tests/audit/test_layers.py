"""Defect per layer: what travels, what a layer adds, and which layers are to blame."""

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from medsym.audit.layer_actions import own_action
from medsym.audit.layers import LayerReport, layer_defects
from medsym.symmetry import Axis, ChannelAction, fold, relative_defect
from tests.audit.small_networks import GainOnTheRight, asymmetric_volume, exact_network


def culprits(report: LayerReport, tolerance: float) -> list[str]:
    """Layers that themselves add more than a relative defect."""
    return [layer.path for layer in report.layers if (layer.own or 0.0) > tolerance]


def test_exact_network_is_exact_at_every_layer() -> None:
    found = layer_defects(exact_network(), asymmetric_volume())
    assert [layer.path for layer in found.layers] == [
        *("first", "norm", "act", "down", "up", "last")
    ]
    assert max(layer.defect for layer in found.layers) < 1e-5
    assert found.first_above(1e-5) is None
    assert culprits(found, 1e-5) == []
    assert not found.not_compared


def test_actions_come_from_the_layers_and_are_handed_on() -> None:
    sources = {x.path: x.action for x in layer_defects(exact_network(), asymmetric_volume()).layers}
    assert sources.pop("act") == "input"
    assert set(sources.values()) == {"layer"}
    folded = layer_defects(fold(exact_network()), asymmetric_volume())
    assert {layer.action for layer in folded.layers} == {"assumed"}
    assert folded.layers[0].defect > 0.1  # pairs that swap, read as channels that stay
    pairs = ChannelAction.regular(2)
    names = ("first", "norm", "down", "up")
    told = layer_defects(
        fold(exact_network()), asymmetric_volume(), actions=dict.fromkeys(names, pairs)
    )
    assert max(layer.defect for layer in told.layers) < 1e-5


@pytest.mark.parametrize("axis", ["y", "z"])
def test_another_axis_is_another_mirror(axis: Axis) -> None:
    assert layer_defects(exact_network(), asymmetric_volume(), axis=axis).layers[-1].defect > 0.1
    right = layer_defects(exact_network(axis), asymmetric_volume(), axis=axis)
    assert max(layer.defect for layer in right.layers) < 1e-5


def test_one_broken_layer_is_the_only_culprit() -> None:
    net = fold(exact_network())
    pairs = ChannelAction.regular(2)
    with torch.no_grad():
        net.down.weight[0, :, 0] += 0.1
    told = dict.fromkeys(("first", "norm", "down", "up"), pairs)
    found = layer_defects(net, asymmetric_volume(), actions=told)
    assert culprits(found, 1e-5) == ["down"]
    first = found.first_above(1e-5)
    assert first is not None
    assert first.path == "down"
    travelled = {layer.path: layer.defect for layer in found.layers}
    assert travelled["last"] > 1e-3
    assert travelled["act"] < 1e-5


def test_last_layer_has_the_defect_of_the_network() -> None:
    net, volume = exact_network(softness=0.5), asymmetric_volume()
    with torch.no_grad():
        expected = relative_defect(net, volume)
    assert expected > 1e-2
    assert layer_defects(net, volume).layers[-1].defect == pytest.approx(expected, rel=1e-4)


def symmetric_strided(kernel: int, padding: int) -> nn.Sequential:
    conv = nn.Conv3d(1, 2, kernel, stride=2, padding=padding)
    with torch.no_grad():
        conv.weight.copy_((conv.weight + conv.weight.flip(2)) / 2)
    return nn.Sequential(nn.Identity(), conv)


def test_stride_with_a_symmetric_kernel_is_found() -> None:
    broken = layer_defects(symmetric_strided(3, 1), asymmetric_volume())
    assert culprits(broken, 0.1) == ["1"]
    assert culprits(layer_defects(symmetric_strided(2, 0), asymmetric_volume()), 1e-5) == []


def test_zero_padding_on_one_side_shows_at_the_border() -> None:
    net = nn.Sequential(nn.ConstantPad3d((0, 0, 0, 0, 1, 0), 0.0), nn.AvgPool3d((2, 1, 1), 1))
    found = layer_defects(net, torch.ones(1, 1, 32, 8, 8))
    assert found.layers[-1].place.border > 5.0
    assert found.layers[-1].place.midplane == 0.0


class RollsBetween(nn.Module):
    """A function between two innocent layers breaks the mirror."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Identity(), nn.Tanh()

    def forward(self, volume: Tensor) -> Tensor:
        rolled: Tensor = self.after(torch.roll(self.before(volume), 1, dims=2))
        return rolled


def test_function_between_layers_leaves_a_defect_without_a_culprit() -> None:
    found = layer_defects(RollsBetween(), asymmetric_volume())
    assert culprits(found, 1e-5) == []
    first = found.first_above(1e-5)
    assert first is not None
    assert first.path == "after"


class OwnParameter(nn.Module):
    """A module with children that adds an embedding of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()
        self.embedding = nn.Parameter(torch.randn(1, 1, 16, 12, 8))

    def forward(self, volume: Tensor) -> Tensor:
        summed: Tensor = self.inner(volume) + self.embedding
        return summed


def test_parameter_that_a_module_adds_itself_is_found() -> None:
    found = layer_defects(nn.Sequential(OwnParameter()), asymmetric_volume())
    assert [layer.path for layer in found.layers] == ["0.inner", "0"]
    assert culprits(found, 0.1) == ["0"]


def test_repeated_layers_count_up_and_vectors_are_named() -> None:
    act = nn.ReLU()
    net = nn.Sequential(act, act, nn.Flatten(), nn.Linear(16 * 12 * 8, 2))
    found = layer_defects(net, asymmetric_volume())
    assert [layer.path for layer in found.layers] == ["0", "0#2"]
    assert set(found.not_compared) == {"2", "3"}
    assert "not a volume" in found.not_compared["2"]


def test_map_of_a_layer_lies_over_the_scan_and_is_kept_on_request() -> None:
    """The patient's right alone is changed, so the map shows the scan's own right side."""
    volume = torch.zeros(1, 1, 16, 12, 8)
    volume[0, 0, 12, 3, 5] = 1.0
    net = nn.Sequential(GainOnTheRight())
    voxels = layer_defects(net, volume, keep_voxels=True).layers[0].voxels
    assert voxels is not None
    assert voxels[12, 3, 5] == 1.0
    assert int((voxels != 0).sum()) == 1
    assert layer_defects(net, volume).layers[0].voxels is None


def test_network_without_layers_inside_is_its_own_layer() -> None:
    found = layer_defects(nn.Conv3d(1, 2, 3), asymmetric_volume())
    assert [layer.path for layer in found.layers] == ["(network)"]


def test_network_is_left_as_it_was() -> None:
    net = BasicUNet(features=(2, 2, 2, 2, 2, 2), dropout=0.5)
    net.train()
    net.down_1.eval()
    found = layer_defects(net, torch.rand(1, 1, 32, 32, 32))
    assert net.training
    assert not net.down_1.training
    assert not net.down_1.convs.conv_0.conv._forward_hooks
    assert len(found.layers) > 20
    assert found.output.shape == (2, 2, 32, 32, 32)


def test_own_action_is_none_where_a_layer_says_nothing() -> None:
    assert own_action(nn.Conv3d(1, 1, 1), "out") is None
    net = exact_network()
    assert own_action(net.first, "in") == ChannelAction.trivial(1)
    assert own_action(net.first, "out") == ChannelAction.regular(2)
