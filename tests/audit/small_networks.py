"""Small networks with a known mirror behaviour, for the tests of the audit."""

import torch
from torch import Tensor, nn

from medsym.symmetry import Axis, ChannelAction, Softness, soften_layer


def exact_network(axis: Axis = "x", *, softness: float = 0.0) -> nn.Sequential:
    """Trivial -> pairs that swap -> trivial, exactly symmetric at softness 0."""
    one = ChannelAction.trivial(1, axis=axis)
    pairs = ChannelAction.regular(2, axis=axis)
    soft = Softness(softness)
    net = nn.Sequential()
    net.add_module("first", nn.Conv3d(1, 4, 3, padding=1))
    net.add_module("norm", nn.InstanceNorm3d(4, affine=True))
    net.add_module("act", nn.LeakyReLU(0.1))
    net.add_module("down", nn.Conv3d(4, 4, 2, stride=2))
    net.add_module("up", nn.ConvTranspose3d(4, 4, 2, stride=2))
    net.add_module("last", nn.Conv3d(4, 1, 3, padding=1))
    actions = {"first": (one, pairs), "last": (pairs, one)}
    for name, layer in net.named_children():
        before, after = actions.get(name, (pairs, pairs))
        if name != "act":
            soften_layer(layer, action_in=before, action_out=after, softness=soft)
    return net


def asymmetric_volume(size: tuple[int, int, int] = (16, 12, 8), *, seed: int = 1) -> Tensor:
    """(1, 1, x, y, z) standard normal noise."""
    return torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(seed))


class GainOnTheRight(nn.Module):
    """Doubles the patient's right half: breaks the mirror there and nowhere else."""

    def forward(self, volume: Tensor) -> Tensor:
        gain = torch.ones(volume.shape[2])
        gain[volume.shape[2] // 2 :] = 2.0
        return volume * gain.reshape(-1, 1, 1)
