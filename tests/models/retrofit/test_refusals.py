"""What cannot carry the mirror is refused by name, and the model stays as it was."""

import copy

import pytest
import torch
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

from medsym.errors import GridError, ModelError
from medsym.models.retrofit import soften
from medsym.symmetry import ChannelAction, Softness, soften_layer
from tests.models.retrofit.zoo import mednext, swin, unet


class Scaled(nn.Module):
    """A layer with a parameter that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, volume: Tensor) -> Tensor:
        return self.scale * volume


class Rolled(nn.Module):
    """No parameters, but one side goes to the other."""

    def forward(self, volume: Tensor) -> Tensor:
        return volume.roll(1, 2)


class Halved(nn.Module):
    def forward(self, volume: Tensor) -> Tensor:
        return volume[:, :, ::2]


def around(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 2, 3, stride=2, padding=1), nn.BatchNorm3d(2), layer)


REFUSED = [
    (around(Scaled()), r"MS-252 Sequential: .*2 \(Scaled\)"),
    (around(nn.Linear(16, 16)), r"MS-220 2 \(Linear\): .*linear"),
    (around(Rolled()), r"MS-220 2 \(Rolled\): .*roll"),
    (around(Halved()), r"MS-220 2 \(Halved\): .*getitem"),
    (around(nn.Conv3d(2, 2, 3, stride=2, padding=1, dilation=2)), r"MS-249 .*2 \(stride\)"),
    (around(nn.Conv3d(2, 2, 4, padding="same")), r"MS-249 .*2 \(stride\): kernel"),
    (around(nn.utils.parametrizations.weight_norm(nn.Conv3d(2, 2, 1))), r"MS-253 .*: 2\."),
    (around(nn.utils.spectral_norm(nn.Conv3d(2, 2, 1))), r"MS-252 .*2 \(Conv3d\)"),
    (nn.Sequential(nn.Conv2d(1, 1, 3)), r"MS-257 .*0 \(Conv2d\)"),
    (nn.Sequential(nn.ReLU()), r"MS-241 Sequential: it has no 3D convolution"),
    (
        SegResNet(3, upsample_mode="pixelshuffle"),
        r"MS-220 up_samples\.0\.1\.pixelshuffle \(SubpixelUpsample\): .*the mirror of this",
    ),
    (mednext(norm_type="layer"), r"MS-243 MedNeXt: it does not run on"),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("network", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_unknown_layers_are_refused_by_name(network: nn.Module, words: str) -> None:
    untouched = copy.deepcopy(network.state_dict())
    kinds = [type(module) for module in network.modules()]
    with pytest.raises(ModelError, match=words):
        soften(network)
    assert [type(module) for module in network.modules()] == kinds
    assert network.state_dict().keys() == untouched.keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, untouched[name])


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GridError, match=r"MS-204 .*'w'"):
        soften(unet(), "w")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"MS-247 .*along 'x', soften\(\) along 'y'"):
        soften(unet(), "y", action_out=ChannelAction.labels([0, 2, 1]))
    with pytest.raises(ModelError, match=r"MS-246 action_out: it acts on 4 channels, .* 3"):
        soften(unet(), action_out=ChannelAction.trivial(4))
    with pytest.raises(ModelError, match=r"MS-210 .*1.5"):
        soften(unet(), softness=1.5)
    with pytest.raises(ModelError, match=r"MS-248 window: a window of 7"):
        soften(swin(), window=7)
    with pytest.raises(ModelError, match=r"MS-242 size: \(16, 16\)"):
        soften(unet(), size=(16, 16))
    with pytest.raises(ModelError, match=r"MS-243 UNet: it does not run on the grid 9x9x9"):
        soften(unet(), size=9)


def test_a_network_is_not_softened_twice() -> None:
    network = unet()
    soften(network)
    with pytest.raises(ModelError, match=r"MS-253 UNet: weights are parametrised already: model"):
        soften(network)
    layer = nn.Sequential(nn.Conv3d(1, 1, 3))
    soften_layer(layer, action_in=ChannelAction.trivial(1), action_out=ChannelAction.trivial(1))
    with pytest.raises(ModelError, match="MS-253"):
        soften(layer)


def test_a_network_that_returns_no_volume_is_refused() -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    with pytest.raises(ModelError, match=r"MS-220 2 \(Flatten\)"):
        soften(network)


def test_causal_attention_is_refused() -> None:
    pytest.importorskip("einops")
    from monai.networks.blocks.selfattention import SABlock

    network = nn.Sequential(nn.Conv3d(1, 4, 1), SABlock(4, 2, causal=True, sequence_length=8))
    with pytest.raises(ModelError, match=r"MS-252 .*1 \(causal attention\)"):
        soften(network)


def test_softness_that_a_layer_cannot_have_is_refused_before_any_change() -> None:
    network = unet()
    with pytest.raises(ModelError, match=r"MS-254 model\.0\.conv: a softness of shape \(3,\)"):
        soften(network, softness=lambda _path, _channels: Softness(0.5, num_channels=3))
    assert type(network.model[0].conv) is nn.Conv3d  # type: ignore[index,union-attr]
    assert network.model[0].conv.kernel_size == (3, 3, 3)  # type: ignore[index,union-attr]


class Added(nn.Module):
    """Adds what differs between voxels and no layer owns."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("ramp", torch.randn(shape))

    def forward(self, volume: Tensor) -> Tensor:
        return volume + self.get_buffer("ramp")


class Blanked(nn.Module):
    def forward(self, volume: Tensor) -> Tensor:
        kept = volume.clone()
        kept[:, :, :1] = 0.0
        return kept


@pytest.mark.parametrize("layer", [Added(4, 1, 1), Added(1, 2, 1, 1, 1), Added(4), Blanked()])
def test_what_moves_only_one_side_is_refused(layer: nn.Module) -> None:
    with pytest.raises(ModelError, match=rf"MS-220 2 \({type(layer).__name__}\)"):
        soften(around(layer), size=8)


def test_one_number_added_everywhere_is_accepted() -> None:
    soften(around(Added(1, 1, 1)), size=8)


def test_shared_weights_are_refused_by_name() -> None:
    model = nn.Sequential(nn.Conv3d(1, 1, 3, padding=1), nn.Conv3d(1, 1, 3, padding=1))
    model[1].weight = model[0].weight
    with pytest.raises(ModelError, match=r"MS-256 Sequential: layers share weights: 0.weight = 1"):
        soften(model)


@pytest.mark.parametrize("softness", [None, 0.0, Softness(0.2)])
def test_learning_from_zero_is_refused(softness: float | Softness | None) -> None:
    with pytest.raises(ModelError, match="MS-255 learned softness"):
        soften(nn.Conv3d(1, 1, 3, padding=1), softness=softness, learned=True)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_networks_of_fewer_dimensions_are_refused_as_such(dimensions: int) -> None:
    flat = UNet(dimensions, 1, 2, channels=(2, 4), strides=(2,))
    with pytest.raises(ModelError, match=rf"MS-257 UNet: .*three-dimensional: .*{dimensions}d.*"):
        soften(flat)


def test_too_few_input_channels_are_refused_with_the_number() -> None:
    network = nn.Conv3d(3, 1, 3, padding=1)
    with pytest.raises(ModelError, match=r"MS-243.*action_in with as many channels.*here 1"):
        soften(network, action_in=ChannelAction.trivial(1))
