"""Nothing that comes from the input is taken for a constant by a walk or a certificate."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.certificates import certify

Step = Callable[[nn.Module, Tensor], Tensor]


class Network(nn.Module):
    def __init__(self, step: Step) -> None:
        super().__init__()
        self.layer, self.step, self.calls = nn.Conv3d(2, 2, 3, padding=1), step, 0

    def forward(self, volume: Tensor) -> Tensor:
        self.calls += 1
        return self.step(self.layer, volume)


def read_value(layer: nn.Module, x: Tensor) -> Tensor:
    return x + float(layer(x).tolist()[0][0][0][0][0])


def through_numpy(layer: nn.Module, x: Tensor) -> Tensor:
    return x + torch.from_numpy(layer(x).numpy())


def assigned(layer: nn.Module, x: Tensor) -> Tensor:
    features = x.clone()
    features[:, :1] = layer(x)[:, :1]
    return features


def through_a_view(layer: nn.Module, x: Tensor) -> Tensor:
    features = x.clone()
    features[:, :1].add_(layer(x)[:, :1])
    return features + x


def constant_overwritten(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.ones(1, 2, 6, 4, 4).add_(layer(x))


@torch.jit.script
def compiled(features: Tensor) -> Tensor:
    return torch.relu(features) * 3


def through_compiled(layer: nn.Module, x: Tensor) -> Tensor:
    return x + compiled(layer(x))


@pytest.mark.parametrize(
    "step",
    [read_value, through_numpy, assigned, through_a_view, constant_overwritten, through_compiled],
)
def test_ways_around_the_rules_are_refused(step: Step) -> None:
    with pytest.raises(ModelError, match="MS-220"):
        certify(Network(step).eval(), torch.randn(1, 2, 6, 4, 4))


def test_compiled_modules_are_refused() -> None:
    layer = torch.jit.script(nn.Conv3d(2, 2, 1))
    with pytest.raises(ModelError, match="compiled code"):
        certify(nn.Sequential(layer).eval(), torch.randn(1, 2, 6, 4, 4))


def test_a_network_that_does_not_repeat_itself_is_refused() -> None:
    noisy = Network(lambda layer, x: layer(x) + torch.randn(1, 2, 6, 4, 4))
    counting = Network(lambda layer, x: layer(x) * float(counting.calls))
    for network in (noisy, counting):
        with pytest.raises(ModelError, match="MS-263"):
            certify(network.eval(), torch.randn(1, 2, 6, 4, 4))


def test_in_place_layers_leave_the_volume_alone() -> None:
    volume = torch.randn(1, 2, 6, 4, 4)
    before = volume.clone()
    found = certify(nn.Sequential(nn.ELU(inplace=True), nn.Conv3d(2, 2, 3)).eval(), volume)
    assert torch.equal(volume, before)
    assert bool((found.measured <= found.running).all())


def test_group_norm_of_channels_last_features_with_a_large_mean_holds() -> None:
    torch.manual_seed(0)
    volume = 1e-3 * torch.randn(1, 3, 4, 3, 5, dtype=torch.float64) + 1e4
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    found = certify(nn.GroupNorm(1, 3).double().eval(), volume)
    assert 1e-6 < float(found.measured) <= float(found.running)


def test_borders_and_underflow_are_in_the_bound() -> None:
    volume = torch.randn(1, 1, 5, 4, 3) * 1e-42
    network = nn.Upsample(scale_factor=2, mode="trilinear")
    found = certify(network.eval(), volume)
    assert bool((found.measured <= found.running).all())
    assert found.a_priori >= float(found.measured.max())
