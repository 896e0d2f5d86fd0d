"""Where volumes hide in tensors, where a defect lies, and how layers follow a motion."""

import pytest
import torch
from torch import nn

from medsym.audit.feature_layout import layout_of
from medsym.audit.layer_motion import layer_motion
from medsym.audit.layer_softness import layer_softness
from medsym.audit.place import place_of
from medsym.symmetry.lie_derivative import Motion, smoothed
from tests.audit.small_networks import asymmetric_volume, exact_network

GRID = (32, 48, 32)


@pytest.mark.parametrize(
    ("shape", "module", "order"),
    [
        ((2, 8, 32, 48, 32), nn.ReLU(), "channels first"),
        ((2, 8, 16, 24, 16), nn.ReLU(), "channels first"),
        ((2, 8, 17, 25, 17), nn.ReLU(), "channels first"),
        ((2, 8, 32, 24, 16), nn.ReLU(), "channels first"),  # strides (1, 2, 2)
        ((2, 16, 24, 16, 8), nn.ReLU(), "channels last"),
        ((2, 16, 24, 16, 24), nn.LayerNorm(24), "channels last"),
        ((2, 2 * 3 * 2, 5), nn.Linear(5, 5), "tokens"),
    ],
)
def test_layout_goes_to_a_volume_and_back(
    shape: tuple[int, ...], module: nn.Module, order: str
) -> None:
    tensor = torch.rand(shape)
    layout = layout_of(tensor, module, batch=2, grid=GRID)
    assert layout is not None
    assert layout.order == order
    volume = layout.volume(tensor)
    assert volume.shape[2:] == layout.grid
    assert torch.equal(layout.tensor(volume), tensor)


def test_tokens_count_z_fastest() -> None:
    volume = torch.arange(12.0).reshape(1, 1, 2, 3, 2)
    tokens = volume.flatten(2).transpose(1, 2).repeat(2, 1, 1)
    layout = layout_of(tokens, nn.Identity(), batch=2, grid=GRID)
    assert layout is not None
    assert torch.equal(layout.volume(tokens)[:1], volume)


@pytest.mark.parametrize("shape", [(4, 8, 32, 48, 32), (2, 7), (2, 7, 5), (2, 3, 8, 8)])
def test_other_tensors_are_no_volumes(shape: tuple[int, ...]) -> None:
    assert layout_of(torch.rand(shape), nn.ReLU(), batch=2, grid=GRID) is None


def test_place_tells_border_from_midplane_along_the_named_axis() -> None:
    at_border, in_middle = torch.zeros(1, 1, 32, 8, 8), torch.zeros(1, 1, 32, 8, 8)
    at_border[:, :, -1], in_middle[:, :, 15] = 1.0, 1.0
    assert place_of(at_border, "x").border == pytest.approx(8.0)
    assert place_of(at_border, "x").midplane == 0.0
    assert place_of(in_middle, "x").midplane == pytest.approx(8.0)
    assert place_of(in_middle, "x").border == 0.0
    assert place_of(in_middle, "y").midplane == pytest.approx(1.0)
    assert place_of(torch.zeros(1, 1, 8, 8, 8), "x").border == 1.0


def test_layers_lose_a_shift_where_they_alias() -> None:
    conv = nn.Conv3d(1, 2, 3, padding=1, padding_mode="replicate", bias=False)
    net = nn.Sequential(conv, nn.ReLU(), nn.AvgPool3d(1, 4))
    empty = torch.nn.functional.pad(smoothed(asymmetric_volume((16, 16, 16))), (8,) * 6)
    shares = layer_motion(net, smoothed(empty), Motion("x"))
    assert shares["0"] < 1e-5 < shares["1"] < shares["2"]
    assert shares["2"] > 0.5


class NoForward(torch.autograd.Function):
    """Identity without a forward derivative."""

    @staticmethod
    def forward(volume: torch.Tensor) -> torch.Tensor:
        return volume.clone()

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: object) -> None:
        """Nothing is kept."""


class Opaque(nn.Module):
    """A layer that forward differentiation cannot enter."""

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        return NoForward.apply(volume)


def test_networks_without_forward_derivative_have_no_layer_motion() -> None:
    net = nn.Sequential(nn.Tanh(), Opaque())
    assert layer_motion(net, asymmetric_volume(), Motion("x")) == {}


def test_softness_and_odd_share_are_listed_per_weight() -> None:
    hard, soft = layer_softness(exact_network()), layer_softness(exact_network(softness=0.25))
    assert [row.path for row in hard] == ["first", "norm", "down", "up", "last"]
    assert {(row.low, row.high, row.odd_share) for row in hard} == {(0.0, 0.0, 0.0)}
    assert {row.high for row in soft} == {0.25}
    assert all(0.0 < (row.odd_share or 0.0) < 0.5 for row in soft if row.path != "norm")
    assert layer_softness(nn.Conv3d(1, 1, 1)) == ()
