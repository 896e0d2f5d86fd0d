"""Certificates are exact for one layer, hold for every rule, and refuse what they do not know."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import GridError, ModelError
from medsym.nn.layers import MirrorConv3d, MirrorInstanceNorm3d, downsample
from medsym.symmetry import ChannelAction, Softness, harden, mirror
from medsym.symmetry.certificates import certify, layer_certificates
from medsym.symmetry.certificates.pointwise import CURVES
from medsym.symmetry.walk import Call, Walk
from tests.builders_certificate import certificate, varied_inputs

IMAGE, PAIR = ChannelAction.trivial(1), ChannelAction.regular(1)


def soft_conv(given: ChannelAction, taken: ChannelAction, softness: float = 0.3) -> MirrorConv3d:
    return MirrorConv3d(given, taken, softness=Softness(softness))


def strict(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = soft_conv(IMAGE, PAIR), nn.ReLU(), soft_conv(PAIR, PAIR), nn.ReLU()
    network = nn.Sequential(*layers, soft_conv(PAIR, IMAGE)).eval()
    harden(network)
    return network


@pytest.mark.parametrize("action", [PAIR, ChannelAction.sign(2), ChannelAction.trivial(2)])
def test_for_one_layer_the_running_bound_is_the_defect(action: ChannelAction) -> None:
    layer = soft_conv(IMAGE, action).double()
    found = certify(layer, varied_inputs(0, 5).double(), action_out=action)
    assert bool((found.measured > 0.0).all())
    assert bool((found.tightness <= 1.0).all())
    assert bool((found.tightness > 1.0 - 1e-9).all())


def test_for_one_layer_the_a_priori_bound_is_nearly_attained() -> None:
    torch.manual_seed(0)
    layer = MirrorConv3d(IMAGE, PAIR, softness=Softness(0.5), bias=False).double()
    row = layer_certificates(layer)[0]
    kernel, raw = layer.parametrizations.weight[0], layer.parametrizations.weight.original
    odd = kernel.parts(raw.detach())[1]
    volume = torch.randn(1, 1, 14, 14, 14, dtype=torch.float64)
    for _ in range(60):  # power iteration to the input with the largest defect
        volume = F.conv_transpose3d(F.conv3d(volume, odd, padding=1), odd, padding=1)
        volume = volume / volume.norm()
    found = certify(layer, volume, action_out=PAIR)
    assert 0.9 < float(found.measured) / row.defect <= 1.0
    assert found.a_priori == pytest.approx(row.defect, rel=1e-3)
    assert row.softness == 0.5


def test_an_exact_network_is_bounded_by_its_rounding_which_is_not_zero() -> None:
    network, volume = strict(), varied_inputs(1, 20)
    found = certify(network, volume)
    assert bool((found.measured <= found.running).all())
    assert bool((found.measured > 0.0).any())  # a bound without the rounding term is violated
    assert torch.equal(found.running, found.rounding)
    precise = certify(network.double(), volume.double())
    assert bool((precise.running < 1e-7 * found.running).all())


def test_the_bound_grows_with_softness_and_names_the_softest_layer_first() -> None:
    torch.manual_seed(0)
    layers = soft_conv(IMAGE, PAIR, 0.01), nn.ReLU(), soft_conv(PAIR, PAIR, 0.9), nn.ReLU()
    network = nn.Sequential(*layers, soft_conv(PAIR, IMAGE, 0.01)).eval()
    found = certify(network, varied_inputs(2, 1))
    assert found.sources[0].name == "2 (conv3d)"
    assert layer_certificates(network)[0].name == "2"
    text = str(found)
    assert text.splitlines()[1].startswith("2 (conv3d)")
    assert "describe no scan" in text
    assert f"{float(found.measured):.4g}" in text


def test_the_mirror_axis_and_the_swap_of_labels_matter() -> None:
    network = strict()
    volume = torch.rand(1, 1, 6, 6, 6)
    across_x = certify(network, volume)
    turned = (network(volume.flip(3)) - network(volume).flip(3)).detach()
    assert float(turned.norm()) > 20.0 * float(across_x.running)  # symmetric along x only
    with pytest.raises(GridError, match="MS-205"):
        certify(network, volume, action_in=ChannelAction.trivial(1, axis="y"))
    plain = nn.Conv3d(1, 2, 3, padding=1)
    sides = ChannelAction.labels([1, 0])
    swapped = certify(plain, volume, action_out=sides)
    measured = plain(mirror(volume)) - mirror(plain(volume), sides)
    assert float(swapped.measured) == pytest.approx(float(measured.detach().norm()), rel=1e-5)
    assert float(swapped.measured) <= float(swapped.running)
    assert float(swapped.running) > float(certify(plain, volume).running)


class Together(nn.Module):
    """A function of two convolutions of the input."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = soft_conv(IMAGE, PAIR), soft_conv(IMAGE, PAIR)
        self.narrow = soft_conv(IMAGE, IMAGE)
        self.constant = nn.Parameter(torch.randn(1, 2, 8, 8, 4))
        self.function = function

    def forward(self, volume: Tensor) -> Tensor:
        first = self.first(volume)
        if self.function.__name__ == "gate":
            return self.function(first, torch.sigmoid(self.narrow(volume)))
        if self.function.__name__ == "place":
            return first + self.constant
        return self.function(first, self.second(volume))


def gate(first: Tensor, second: Tensor) -> Tensor:
    return first * second


def place(first: Tensor, _second: Tensor) -> Tensor:
    return first


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: torch.sub(a, b, alpha=2.0),
    "in place": lambda a, b: a.add_(b).relu_(),
    "number": lambda a, b: 1.0 - 2.0 * a / 3.0 + b.neg(),
    "product": lambda a, b: a * b,
    "gate": gate,
    "position": place,
    "cat": lambda a, b: torch.cat([a, b], dim=1)[:, 2:4],
    "repeat": lambda a, b: a.repeat(1, 2, 1, 1, 1)[:, :2] + b.repeat([1, 1, 1, 1, 1]),
    "max": lambda a, b: F.max_pool3d(a, 2) + F.max_pool3d(b, 2),
    "max overlapping": lambda a, _: F.max_pool3d(a, 4, 2, 1),
    "average": lambda a, _: F.avg_pool3d(a, 3, 1, 1, count_include_pad=False),
    "adaptive": lambda a, b: F.adaptive_avg_pool3d(a, 3) - F.adaptive_max_pool3d(b, 3),
    "trilinear": lambda a, _: F.interpolate(a, scale_factor=2, mode="trilinear"),
    "trilinear size": lambda a, _: F.interpolate(
        a, size=(5, 7, 6), mode="trilinear", align_corners=True
    ),
    "nearest": lambda a, _: F.interpolate(a, scale_factor=(2, 3, 1)),
    "area": lambda a, _: F.interpolate(a, size=(3, 3, 3), mode="area"),
    "pad": lambda a, _: F.pad(a, (1, 0, 0, 1, 2, 2), value=0.5),
    "replicate": lambda a, _: F.pad(a, (1, 0, 0, 1, 2, 2), mode="replicate"),
    "reflect": lambda a, _: F.pad(a, (1, 1, 1, 1, 1, 1), mode="reflect"),
    "crop": lambda a, _: a[:, :, 1:-1, 2:],
    "squeeze and excite": lambda a, _: a * a.mean(dim=(2, 3, 4)).view(-1, 2, 1, 1, 1),
    "vector": lambda a, _: F.adaptive_avg_pool3d(a, 1).flatten(1).tanh(),
    "copies": lambda a, _: F.dropout(a.contiguous().double().float(), 0.5, False),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_rule_holds_on_inputs_of_all_kinds_and_for_all_inputs_of_the_radius(
    name: str,
) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        network = Together(FUNCTIONS[name]).eval()
        given = varied_inputs(seed, 20, (8, 8, 4))
        action = PAIR
        found = certify(network, given, action_out=action)
        assert bool((found.measured <= found.running).all())
        assert float(found.measured.max()) <= found.a_priori
        assert float(found.tightness.max()) > 0.01, "the bound says nothing"


REFUSED: list[tuple[str, nn.Module, str]] = [
    ("unknown function", nn.Hardswish(), r"MS-220 1 \(Hardswish\): .*no rule"),
    ("batch statistics", nn.BatchNorm3d(2).train(), r"MS-220 1 \(BatchNorm3d\): .*eval\(\)"),
    ("random", nn.Dropout(0.5).train(), r"MS-220 1 \(Dropout\): .*eval\(\)"),
    ("odd stride", nn.Conv3d(2, 2, 3, 2, 1), r"MS-203 1: size 8 .*stride 2"),
    ("uneven maximum", nn.MaxPool3d(3, 2, 1), r"MS-220 1 \(MaxPool3d\): .*8 voxels across"),
    ("uneven border", nn.ConstantPad3d((0, 0, 0, 0, 1, 0), 0.0), r"MS-220 1 .*treats the two"),
    ("nearest", nn.Upsample((13, 8, 4)), r"MS-220 1 \(Upsample\): .*treats the two"),
    ("output padding", nn.ConvTranspose3d(2, 2, 3, 2, 1, 1), r"MS-203 1: size 16"),
]


@pytest.mark.parametrize(
    ("module", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_breaks_the_mirror_or_has_no_rule_is_refused_by_name(
    module: nn.Module, message: str
) -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), module)
    with pytest.raises((ModelError, GridError), match=message):
        certify(network, torch.randn(1, 1, 8, 8, 4))


def test_what_mixes_signs_is_refused_by_name() -> None:
    action = ChannelAction.trivial(1) + ChannelAction.sign(1)
    for module in (nn.ReLU(), nn.GroupNorm(1, 2), nn.MaxPool3d(2), nn.Softmax(1), nn.PReLU()):
        network = nn.Sequential(soft_conv(IMAGE, action), module).eval()
        with pytest.raises(ModelError, match=rf"MS-220 1 \({type(module).__name__}\)"):
            certify(network, torch.randn(1, 1, 8, 8, 4))
    with pytest.raises(ModelError, match="MS-261 Two"):
        certify(Two(), torch.randn(1, 1, 4, 4, 4))


class Two(nn.Module):
    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        return volume + 1.0, volume


@pytest.mark.parametrize("function", CURVES, ids=map(str, range(len(CURVES))))
def test_slopes_of_activations_are_upper_bounds_and_no_looser_than_a_thousandth(
    function: Callable[[Tensor], Tensor],
) -> None:
    z = torch.linspace(-8.0, 8.0, 40_001, dtype=torch.float64).requires_grad_()
    slopes = torch.autograd.grad(function(z.clone()).sum(), z)[0].abs().max()
    curve = CURVES[function]
    walk = Walk(nn.Identity(), rules={})
    call = Call(
        function=function, name="", module=nn.Identity(), path="", args=(z,), kwargs={}, walk=walk
    )
    assert float(slopes) <= curve.slope(call) <= 1.001 * float(slopes) + 1e-12
    assert float(function(torch.zeros(1))) == curve.at_zero


def test_instance_norm_saturates_at_the_range_of_its_output() -> None:
    torch.manual_seed(0)
    layers = soft_conv(IMAGE, PAIR, 1.0), MirrorInstanceNorm3d(PAIR)
    network = nn.Sequential(*layers).double().eval()
    volume = torch.randn(1, 1, 8, 4, 4, dtype=torch.float64)
    cap = 2.0 * math.sqrt(2.0 * volume.numel())
    found = certify(network, volume, action_out=PAIR, radius=1e3)
    assert float(found.measured) <= float(found.running) <= cap * (1.0 + 1e-9)
    assert found.a_priori == pytest.approx(cap, rel=1e-6)


def test_downsampling_and_norms_in_random_networks_hold() -> None:
    for seed in range(12):
        found = certificate(seed, 8)
        assert bool((found.measured <= found.running).all())
    network = nn.Sequential(downsample(IMAGE, PAIR, softness=Softness(0.2)), nn.GELU())
    found = certify(network.eval(), torch.randn(1, 1, 8, 4, 4), action_out=PAIR)
    assert 0.5 < float(found.tightness) <= 1.0


def test_report_is_told_every_layer_before_its_turn() -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv3d(2, 1, 1)).eval()
    told: list[str] = []
    certify(network, torch.ones(1, 1, 4, 4, 4), report=told.append)
    assert told == ["0", "2"]
    network(torch.ones(1, 1, 4, 4, 4))
    assert told == ["0", "2"]  # no hook is left behind
