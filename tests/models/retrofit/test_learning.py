"""A softened network trains, copies, saves and reports like any other module."""

import copy

import pytest
import torch

from medsym.models.retrofit import SoftNetwork, soften
from medsym.symmetry import ChannelAction, Softness, clear_odd_parts, fold, harden, relative_defect
from medsym.symmetry.softness import softness_values
from tests.models.retrofit.zoo import (
    CONVOLUTIONAL,
    ZOO,
    defect,
    difference,
    labels,
    made,
    noise,
    unetr,
)


@pytest.mark.parametrize("name", [n for n in CONVOLUTIONAL if n != "VNet"])
def test_every_learned_softness_gets_a_gradient(name: str) -> None:
    soft = soften(made(name), softness=0.3, learned=True, action_out=labels("x"))
    assert isinstance(soft, SoftNetwork)
    soft.train(name == "DynUNet")  # its supervision heads speak in training only
    generator = torch.Generator().manual_seed(0)
    output = soft(noise(name))
    (output * torch.randn(output.shape, generator=generator)).sum().backward()
    layers = [m for m in soft.modules() if isinstance(m, Softness)]
    assert layers
    for softness in layers:
        assert softness.logit.grad is not None
        assert float(softness.logit.grad.abs().sum()) > 0


def test_position_softness_gets_a_gradient() -> None:
    torch.manual_seed(0)
    soft = soften(unetr(), softness=0.3, learned=True)
    soft(noise("UNETR")).square().sum().backward()
    layers = [m for m in soft.modules() if isinstance(m, Softness)]
    assert all(m.logit.grad is not None and float(m.logit.grad.abs()) > 0 for m in layers)
    assert "network.vit.patch_embedding" in softness_values(soft)


def test_all_layers_may_share_one_softness() -> None:
    shared = Softness(0.3, learned=True)
    soft = soften(made("UNet"), softness=shared, action_out=labels("x"))
    assert {id(m) for m in soft.modules() if isinstance(m, Softness)} == {id(shared)}
    assert defect(soft, noise("UNet"), "x") > 1e-3
    harden(soft)
    assert defect(soft, noise("UNet"), "x") <= 1e-5


def test_softness_may_differ_by_layer_and_channel() -> None:
    asked: dict[str, int] = {}

    def per_channel(path: str, channels: int) -> Softness:
        asked[path] = channels
        return Softness(0.4, learned=True, num_channels=channels)

    soft = soften(made("MedNeXt"), softness=per_channel)
    assert asked["down_blocks.0.conv1"] == 4
    assert asked["up_blocks.3.conv1"] == 1  # grouped and transposed: one for all channels
    assert softness_values(soft)["network.down_blocks.0.conv1"].shape == (4,)
    soft(noise("MedNeXt")).square().mean().backward()


def test_copies_are_independent() -> None:
    soft = soften(made("UNet"), softness=1.0, action_out=labels("x"))
    volume = noise("UNet")
    before = soft(volume)
    copied = copy.deepcopy(soft)
    harden(copied)
    fold(copied)
    assert difference(soft(volume), before) == 0.0
    assert defect(soft, volume, "x") > 0.1
    assert defect(copied, volume, "x") <= 1e-5


def test_a_deep_supervision_network_can_be_checked_after_a_training_step() -> None:
    """MONAI's DynUNet remembers outputs with gradients, which torch refuses to copy."""
    soft = soften(made("DynUNet")).train()
    soft(noise("DynUNet")).square().mean().backward()
    soft.check_grid((24, 16, 16))


def test_weights_pass_through_a_state_dict() -> None:
    volume = noise("UNet residual")
    first = soften(made("UNet residual"), softness=0.5, action_out=labels("x"))
    torch.manual_seed(5)
    other = ZOO["UNet residual"][0]().eval()
    second = soften(other, softness=0.1, action_out=labels("x"))
    assert difference(second(volume), first(volume)) > 0.1
    second.load_state_dict(first.state_dict())
    assert difference(second(volume), first(volume)) == 0.0


class Uncopiable:
    """Owner of a hook, for example the walk of a certificate."""

    def __deepcopy__(self, _memo: object) -> "Uncopiable":
        raise AssertionError("the owner of a hook was copied")

    def look(self, *_arguments: object) -> None:
        pass


def test_owners_of_hooks_are_not_copied() -> None:
    soft = soften(made("UNet"), softness=0.3, action_out=labels("x"))
    soft.network.register_forward_hook(Uncopiable().look)
    soft.network.register_forward_pre_hook(Uncopiable().look)
    assert soft(noise("UNet")).isfinite().all()  # checks the grid on a copy


def test_hooks_of_others_see_the_real_pass_only() -> None:
    soft = soften(made("UNet"))
    seen: list[str] = []
    for module in soft.modules():
        module.register_forward_hook(lambda _m, _i, output: seen.append(output.device.type))
    with torch.inference_mode():
        soft(noise("UNet"))
    assert seen
    assert set(seen) == {"cpu"}


def test_double_precision_is_exact_to_its_own_rounding() -> None:
    soft = soften(made("UNet"), action_out=labels("x")).double()
    with torch.no_grad():
        assert defect(soft, noise("UNet").double(), "x") <= 1e-12


def test_the_report_names_what_was_done() -> None:
    report = soften(made("UNet"), action_out=labels("x")).report
    assert [f.path for f in report.of("stride")] == ["model.0.conv", "model.1.submodule.0.conv"]
    assert "kernel 3 becomes 4 along x" in report.of("stride")[0].text
    paddings = report.of("output_padding")
    assert [f.path for f in paddings] == ["model.1.submodule.2.conv", "model.2.conv"]
    assert all(f.outcome == "fixed" for f in paddings)
    assert {f.path: f.outcome for f in report.of("bias")}["model.2.conv"] == "fixed"
    assert [f.outcome for f in report.of("odd size")] == ["refused"]
    table = str(report)
    assert table.startswith("UNet, mirror along x: ")
    assert "model.0.conv" in table
    assert table.endswith("Function at softness 1: unchanged")


def test_the_report_says_where_the_function_changes() -> None:
    report = soften(made("MedNeXt")).report
    assert [f.path for f in report.changes_function] == [f"up_blocks.{i}" for i in range(4)]
    assert "changed by up_blocks.0, up_blocks.1" in str(report)


def test_the_report_warns_where_left_and_right_can_only_be_equal() -> None:
    """A pointwise head on trivial features: the price of exact symmetry there."""
    soft = soften(made("SegResNet"), action_out=labels("x"))
    warned = [f for f in soft.report.of("channels") if f.outcome == "warned"]
    assert [f.path for f in warned] == ["conv_final.2.conv"]
    output = soft(noise("SegResNet")).detach()
    assert torch.equal(output[:, 1], output[:, 2])
    paired = soften(made("SegResNet"), channels="regular", action_out=labels("x"))
    assert not paired.report.of("channels")
    apart = paired(noise("SegResNet")).detach()
    assert difference(apart[:, 1], apart[:, 2]) > 0.1


def test_clearing_the_odd_parts_makes_running_statistics_and_position_biases_exact() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3, padding=1), torch.nn.BatchNorm3d(2))
    torch.nn.init.normal_(network[1].running_mean)
    soft = soften(
        network, softness=0.5, channels="regular", action_out=ChannelAction.regular(1)
    ).eval()
    volume = torch.randn(1, 1, 8, 8, 8)
    assert relative_defect(soft, volume, action_out=ChannelAction.regular(1)) > 0.01
    clear_odd_parts(soft)
    assert relative_defect(soft, volume, action_out=ChannelAction.regular(1)) <= 1e-6


@pytest.mark.parametrize("affine", [True, False])
def test_softness_of_running_statistics_learns_in_evaluation_mode_too(affine: bool) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(1, 2, 3, padding=1), torch.nn.BatchNorm3d(2, affine=affine)
    )
    torch.nn.init.normal_(network[1].running_mean)
    swap = ChannelAction.regular(1)
    soft = soften(network, softness=0.5, learned=True, channels="regular", action_out=swap).eval()
    volume = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        plain = soft(volume)
    output = soft(volume)
    torch.testing.assert_close(output, plain)
    output.square().sum().backward()
    softness = soft.network[1].parametrizations.share[0].softness
    assert float(softness.logit.grad.abs()) > 1e-3
