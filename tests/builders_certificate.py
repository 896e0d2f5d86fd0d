"""Small soft networks of every kind, and what the certificates of batches of inputs say."""

import torch
from torch import Tensor, nn

from medsym.nn.layers import MirrorConv3d, MirrorInstanceNorm3d, MirrorUpsample, downsample
from medsym.symmetry import ChannelAction, Softness
from medsym.symmetry.certificates.certify import NetworkCertificate, certify

TYPES = {
    "trivial": ChannelAction.trivial(2),
    "sign": ChannelAction.sign(2),
    "regular": ChannelAction.regular(1),
    "mixed": ChannelAction.regular(1) + ChannelAction.trivial(1),
}
SIZE = (8, 4, 4)


def choose(generator: torch.Generator, options: list[object]) -> object:
    return options[int(torch.randint(len(options), (1,), generator=generator))]


def softness(generator: torch.Generator, channels: int) -> Softness:
    value = float(torch.rand((), generator=generator)) ** 3
    per_channel = bool(torch.rand((), generator=generator) < 0.3)
    return Softness(value, num_channels=channels if per_channel else None)


def activation(generator: torch.Generator, action: ChannelAction) -> nn.Module:
    if not action.is_permutation:
        return nn.Tanh()
    kinds = [nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.PReLU()]
    more = [nn.PReLU(action.channels), nn.Sigmoid(), nn.Softmax(1), nn.MaxPool3d(3, 1, 1)]
    return choose(generator, kinds + more)  # type: ignore[return-value]


def norm(generator: torch.Generator, action: ChannelAction) -> nn.Module:
    batch = nn.BatchNorm3d(action.channels)
    batch.running_mean = torch.randn(action.channels, generator=generator)
    batch.running_var = torch.rand(action.channels, generator=generator) + 0.1
    soft = MirrorInstanceNorm3d(action, softness=softness(generator, action.channels))
    kinds = [nn.Identity(), batch, soft, nn.InstanceNorm3d(action.channels)]
    if len(set(action.signs)) == 1:
        kinds.append(nn.GroupNorm(1, action.channels))
    return choose(generator, kinds)  # type: ignore[return-value]


def random_network(seed: int) -> tuple[nn.Sequential, ChannelAction]:
    """(network in evaluation mode, action on its output); its input has one trivial channel."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    current, layers, halved = ChannelAction.trivial(1), [], False
    for _ in range(int(torch.randint(1, 4, (1,), generator=generator))):
        after = TYPES[str(choose(generator, list(TYPES)))]
        soft = softness(generator, after.channels)
        kind = choose(generator, ["1", "3", "down", "pool", "plain", "up"])
        if kind == "pool" and not halved:
            layers.append(nn.AvgPool3d(2))
            halved = True
        if kind == "down" and not halved:
            layers.append(downsample(current, after, softness=soft))
            halved = True
        elif kind == "up" and halved:
            single = Softness(float(soft.value[0]))
            layers += [MirrorUpsample(current, after, softness=single)]
            halved = False
        elif kind == "plain" and not halved and current.is_permutation:
            after = ChannelAction.trivial(2)
            layers.append(nn.Conv3d(current.channels, 2, 4, 2, 1))
            halved = True
        else:
            size = 1 if kind == "1" else 3
            layers.append(MirrorConv3d(current, after, kernel_size=size, softness=soft))
        current = after
        layers += [norm(generator, current), activation(generator, current)]
    for module in list(layers):
        for name, value in module.named_parameters():
            if "original" not in name or value.ndim > 1 or "bias" in name:
                continue
            nn.init.normal_(value)  # scales of norms, which start at 1
    return nn.Sequential(*layers).eval(), current


def varied_inputs(seed: int, count: int, size: tuple[int, int, int] = SIZE) -> Tensor:
    """(count, 1, x, y, z): noise of many scales, symmetric, one-sided, constant and sparse."""
    generator = torch.Generator().manual_seed(seed)
    volume = torch.randn(count, 1, *size, generator=generator)
    volume[1::5] = volume[1::5] + volume[1::5].flip(2)
    volume[2::5, :, : size[0] // 2] = 0.0
    volume[3::5] = 1.0 + 1e-3 * volume[3::5]
    volume[4::5] = volume[4::5] * (volume[4::5] > 2.0)
    scale = 10.0 ** (4.0 * torch.rand(count, 1, 1, 1, 1, generator=generator) - 2.0)
    return volume * scale


def certificate(seed: int, count: int) -> NetworkCertificate:
    network, action_out = random_network(seed)
    return certify(network, varied_inputs(seed, count), action_out=action_out)
