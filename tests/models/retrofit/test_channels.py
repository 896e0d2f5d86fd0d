"""Channel actions are followed through a network: pairs that swap, labels, inputs with sides."""

import copy

import pytest
import torch
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.models.retrofit import soften
from medsym.models.retrofit.batch_norm import SoftStatisticsBatchNorm3d
from medsym.models.retrofit.channels import layer_actions
from medsym.nn.soft_norms import tie_running_statistics
from medsym.symmetry import ChannelAction, SoftEquivariant, fold, relative_defect
from tests.models.retrofit.zoo import (
    CONVOLUTIONAL,
    defect,
    difference,
    disturbed,
    labels,
    made,
    noise,
    unet,
    unetr,
)


def trained(network: nn.Module, volume: Tensor) -> nn.Module:
    """After steps in training mode, which write running statistics, and with other scales."""
    network.train()
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        shape = (2, *volume.shape[1:])
        network(2.0 * torch.randn(shape, generator=generator) + 1.0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


@pytest.mark.parametrize("name", [n for n in CONVOLUTIONAL if n != "VNet"])
def test_strict_networks_of_swapping_pairs_commute_with_the_mirror(name: str) -> None:
    volume = noise(name)
    soft = soften(made(name), "x", channels="regular", action_out=labels("x"))
    assert defect(trained(soft, volume), volume, "x") <= 1e-5


def test_pairs_really_swap() -> None:
    network = made("UNet")
    actions = layer_actions(
        network,
        (16, 12, 8),
        channels="regular",
        action_in=ChannelAction.trivial(1),
        action_out=labels("x"),
    )
    first_in, first_out = actions.convolutions["model.0.conv"]
    assert (first_in, first_out) == (ChannelAction.trivial(1), ChannelAction.regular(2))
    joined = actions.convolutions["model.2.conv"][0]
    assert joined == ChannelAction.regular(4)  # 4 of the encoder, 4 from the level below
    assert actions.action_out == labels("x")


def test_softness_one_keeps_the_function_with_swapping_pairs() -> None:
    network, volume = made("AttentionUnet"), noise("AttentionUnet")
    before = network(volume)
    soft = soften(network, channels="regular", softness=1.0, action_out=labels("x"))
    assert difference(soft(volume), before) <= 1e-5


def test_running_statistics_that_are_not_shared_would_break_the_mirror() -> None:
    volume = noise("AttentionUnet")
    soft = soften(made("AttentionUnet"), "x", channels="regular", action_out=labels("x"))
    trained(soft, volume)
    assert defect(soft, volume, "x") <= 1e-5
    fold(soft)
    for module in soft.modules():
        if isinstance(module, SoftStatisticsBatchNorm3d):
            assert float(module.share) == 0.0
            module.share = torch.ones(())  # the plain running statistics
    assert defect(soft, volume, "x") > 0.05


def test_an_input_of_two_sides_may_swap_its_channels() -> None:
    torch.manual_seed(0)
    network = disturbed(SegResNet(3, init_filters=8, in_channels=2, out_channels=3))
    sides = ChannelAction.labels([1, 0])
    volume = torch.randn(1, 2, 16, 16, 16)
    soft = soften(network, action_in=sides, action_out=labels("x"))
    with torch.no_grad():
        assert relative_defect(soft, volume, action_in=sides, action_out=labels("x")) <= 1e-5
        assert relative_defect(soft, volume, action_out=labels("x")) > 0.05


def test_labels_reach_back_through_a_residual_connection() -> None:
    torch.manual_seed(0)
    network = disturbed(unet(num_res_units=2, norm="batch"))
    soft = soften(network, action_out=labels("x"))
    fixed = {f.path for f in soft.report.of("batch-norm statistics")}
    assert "model.2.0.adn.N" in fixed  # its output is added to the output of the network
    assert defect(soft, noise("UNet"), "x") <= 1e-5


def test_an_odd_number_of_hidden_channels_keeps_one_trivial() -> None:
    torch.manual_seed(0)
    network = disturbed(UNet(3, 1, 3, channels=(5, 7), strides=(2,)))
    soft = soften(network, channels="regular", action_out=labels("x"))
    assert defect(soft, noise("UNet"), "x") <= 1e-5


def test_groups_that_tear_pairs_apart_are_refused() -> None:
    network = SegResNet(3, init_filters=24, norm=("group", {"num_groups": 8}))
    with pytest.raises(ModelError, match=r"MS-249 SegResNet: .*norm1 \(norm\): its groups of 3"):
        soften(network, channels="regular")
    soften(network, channels="trivial")


def test_transformers_cannot_swap_pairs() -> None:
    with pytest.raises(ModelError, match=r"MS-220 vit\.patch_embedding .*transformers mix"):
        soften(unetr(), channels="regular")


def test_sign_channels_do_not_pass_a_non_linearity() -> None:
    network = nn.Sequential(nn.Conv3d(1, 1, 1), nn.ReLU())
    with pytest.raises(ModelError, match=r"MS-244 1: channels \[0\] change sign"):
        soften(network, action_out=ChannelAction.sign(1))
    odd = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv3d(2, 1, 3, padding=1))
    soft = soften(odd, channels="regular", action_out=ChannelAction.sign(1))
    volume = torch.randn(1, 1, 6, 6, 6)
    with torch.no_grad():
        assert relative_defect(soft, volume, action_out=ChannelAction.sign(1)) <= 1e-5


def test_spaces_that_do_not_fit_are_refused_by_place() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv3d(3, 3, 3, padding=1)

        def forward(self, volume: Tensor) -> Tensor:
            changed: Tensor = self.layer(volume)
            return volume + changed

    with pytest.raises(ModelError, match=r"MS-240 output: channels with different mirror actions"):
        soften(Residual(), action_out=labels("x"))
    soften(Residual(), action_in=labels("x"), action_out=labels("x"))


def test_the_retrofit_agrees_with_the_two_pass_definition_at_softness_zero() -> None:
    """A strict network is its own even part: two passes change nothing."""
    volume = noise("UNet")
    soft = soften(made("UNet"), action_out=labels("x"))
    with torch.no_grad():
        even = SoftEquivariant(soft, action_out=labels("x"))(volume).value
        assert difference(soft(volume), even) <= 1e-6


def test_strict_running_statistics_are_those_of_the_data_and_their_mirror_images() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.BatchNorm3d(2)).eval()
    norm = network[1]
    torch.nn.init.normal_(norm.running_mean)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
    tied = tie_running_statistics(copy.deepcopy(norm), ChannelAction.regular(1))
    features = torch.randn(1, 2, 4, 4, 4)
    plain = norm(features)
    soften(network, softness=0.0, channels="regular", action_out=ChannelAction.regular(1))
    torch.testing.assert_close(norm(features), tied(features))
    assert not torch.allclose(norm(features), plain, atol=0.1)
