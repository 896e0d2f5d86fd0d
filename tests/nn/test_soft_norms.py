"""Norms keep the mirror for every mix of channel types; their odd part is soft; statistics tied."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.nn.soft_norms import MirrorBatchNorm3d, MirrorLayerNorm3d, tie_running_statistics
from medsym.symmetry import (
    ChannelAction,
    Softness,
    fold,
    harden,
    measured_defect,
    mirror,
    relative_defect,
)
from tests.builders_symmetry import ACTIONS, random_volume

Norm = MirrorLayerNorm3d | MirrorBatchNorm3d
MIXED = ACTIONS["sum"] + ChannelAction.sign(2)
NORMS: dict[str, Callable[[ChannelAction, Softness], Norm]] = {
    "layer": lambda a, s: MirrorLayerNorm3d(a, softness=s),
    "volume": lambda a, s: MirrorLayerNorm3d(a, whole_volume=True, softness=s),
    "batch": lambda a, s: MirrorBatchNorm3d(a, softness=s),
}


def norm_with(name: str, action: ChannelAction, softness: float, *, learned: bool = False) -> Norm:
    """A norm with drawn scale and shift, which has seen some data."""
    torch.manual_seed(1)
    norm = NORMS[name](action, Softness(softness, learned=learned))
    for parameter_name, parameter in norm.named_parameters():
        if "original" in parameter_name:
            nn.init.normal_(parameter)
    for seed in range(3):
        norm(lopsided(action, seed=seed))
    return norm.eval()


def lopsided(action: ChannelAction, *, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Noise with another mean and spread in every channel."""
    volume = random_volume(action, seed=seed, dtype=dtype)
    ramp = torch.arange(1, action.channels + 1, dtype=dtype).reshape(1, -1, 1, 1, 1)
    return volume * ramp + 2.0 * ramp


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("kind", [*ACTIONS, "mixed"])
@pytest.mark.parametrize("training", [False, True])
def test_norm_is_exact_at_softness_zero(name: str, kind: str, training: bool) -> None:
    action = MIXED if kind == "mixed" else ACTIONS[kind]
    norm = norm_with(name, action, 0.0).train(training)
    volume = lopsided(action, seed=4)
    assert relative_defect(norm, volume, action_in=action, action_out=action) <= 1e-5


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("training", [False, True])
def test_own_defect_is_the_measured_defect(name: str, training: bool) -> None:
    norm = norm_with(name, MIXED, 0.4).double().train(training)
    volume = lopsided(MIXED, seed=5, dtype=torch.float64)
    measured = measured_defect(norm, volume, action_in=MIXED, action_out=MIXED)
    assert measured.abs().max() > 0.1
    torch.testing.assert_close(norm.defect(volume), measured, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("name", NORMS)
def test_hardened_is_exact_and_fold_changes_nothing(name: str) -> None:
    norm = norm_with(name, MIXED, 0.4, learned=True)
    volume = lopsided(MIXED, seed=6)
    before = norm(volume)
    folded = fold(copy.deepcopy(norm))
    assert (folded(volume) - before).abs().max() <= 1e-6
    assert set(dict(folded.named_parameters())) == {"weight", "bias"}
    assert relative_defect(norm, volume, action_in=MIXED, action_out=MIXED) > 1e-2
    hard = harden(norm)
    assert relative_defect(hard, volume, action_in=MIXED, action_out=MIXED) <= 1e-5


def test_sign_channels_have_no_shift_but_a_soft_one() -> None:
    action = ChannelAction.trivial(2) + ChannelAction.sign(2)
    for softness in (0.0, 0.25, 1.0):
        norm = norm_with("layer", action, softness)
        raw = norm.parametrizations["bias"].original.detach()  # type: ignore[index, union-attr]
        torch.testing.assert_close(norm.bias.detach()[:2], raw[:2])
        torch.testing.assert_close(norm.bias.detach()[2:], softness * raw[2:])


def test_layer_norm_has_a_mean_per_type_and_one_variance() -> None:
    action = ChannelAction.trivial(3) + ChannelAction.sign(4)
    norm = MirrorLayerNorm3d(action)
    normal = norm.normalise(lopsided(action, seed=7))
    for types in (normal[:, :3], normal[:, 3:]):
        assert types.mean(dim=1).abs().max() <= 1e-5
    torch.testing.assert_close(
        normal.square().mean(dim=1), torch.ones(1, 8, 6, 4), atol=1e-3, rtol=0
    )
    assert (normal[:, :3].square().mean(dim=1) - 1.0).abs().max() > 0.1


def test_an_ordinary_norm_over_mixed_types_breaks_the_mirror() -> None:
    action = ChannelAction.trivial(3) + ChannelAction.sign(4)
    volume = lopsided(action, seed=8)
    ordinary = nn.GroupNorm(1, 7)
    assert relative_defect(ordinary, volume, action_in=action, action_out=action) > 0.05
    safe = MirrorLayerNorm3d(action, whole_volume=True)
    assert relative_defect(safe, volume, action_in=action, action_out=action) <= 1e-5


@pytest.mark.parametrize("name", ["layer", "volume"])
def test_without_sign_channels_it_is_the_ordinary_norm(name: str) -> None:
    action = ACTIONS["regular"]
    norm = NORMS[name](action, Softness())
    volume = lopsided(action, seed=9)
    if name == "volume":
        expected = nn.GroupNorm(1, 4)(volume)
    else:
        expected = nn.LayerNorm(4)(volume.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(norm(volume), expected, atol=1e-5, rtol=1e-4)


def test_batch_statistics_are_those_of_the_data_with_its_mirror_image() -> None:
    norm = MirrorBatchNorm3d(MIXED, momentum=1.0)
    ordinary = nn.BatchNorm3d(MIXED.channels, momentum=1.0)
    volume = torch.cat([lopsided(MIXED, seed=s) for s in (1, 2)])
    both = torch.cat([volume, mirror(volume, MIXED)])
    torch.testing.assert_close(norm(volume), ordinary(both)[:2], atol=1e-4, rtol=1e-4)
    assert ordinary.running_mean is not None
    torch.testing.assert_close(norm.running_mean, ordinary.running_mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_var, ordinary.running_var, rtol=1e-2, atol=0)
    signs = torch.tensor(MIXED.signs)
    assert not norm.running_mean[signs < 0].any()  # type: ignore[index]
    for statistic in (norm.running_mean, norm.running_var):
        torch.testing.assert_close(MIXED.apply(statistic, dim=0, signed=False), statistic)  # type: ignore[arg-type]


def test_untied_running_statistics_break_the_mirror_and_tying_repairs_them() -> None:
    ordinary = nn.BatchNorm3d(MIXED.channels, affine=False, momentum=0.5)
    for seed in range(4):
        ordinary(lopsided(MIXED, seed=seed))
    ordinary.eval()
    volume = lopsided(MIXED, seed=9)
    assert relative_defect(ordinary, volume, action_in=MIXED, action_out=MIXED) > 0.1
    tie_running_statistics(ordinary, MIXED)
    assert relative_defect(ordinary, volume, action_in=MIXED, action_out=MIXED) <= 1e-5
    with pytest.raises(ModelError, match=r"MS-230 BatchNorm3d: it keeps no running statistics"):
        tie_running_statistics(nn.BatchNorm3d(3, track_running_stats=False), ACTIONS["trivial"])


@pytest.mark.parametrize("name", NORMS)
def test_gradients_are_true_and_reach_scale_shift_and_softness(name: str) -> None:
    norm = norm_with(name, MIXED, 0.4, learned=True).double().train()
    volume = lopsided(MIXED, seed=3, dtype=torch.float64)[:, :, :2, :2, :2].clone()
    volume.requires_grad_()
    assert torch.autograd.gradcheck(norm, volume)
    norm(volume).pow(3).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in norm.parameters())


def test_statistics_of_a_large_volume_fit_into_half_precision() -> None:
    norm = MirrorLayerNorm3d(ChannelAction.regular(1), whole_volume=True)
    volume = torch.rand(1, 2, 48, 48, 48) + 1.0  # the sum is beyond 65504
    half = norm.half().normalise(volume.half()).float()
    assert (half - norm.float().normalise(volume)).abs().max() < 0.05


def test_running_statistics_follow_under_autocast() -> None:
    norm = MirrorBatchNorm3d(ChannelAction.regular(1))
    with torch.autocast("cpu", torch.bfloat16):
        norm(torch.randn(2, 2, 4, 4, 4).bfloat16() + 3.0)
    assert norm.get_buffer("running_mean").dtype == torch.float32
    assert float(norm.get_buffer("running_mean").mean()) > 0.1
