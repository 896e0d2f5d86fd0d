"""Small networks of the MONAI zoo, and what softening did to each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from monai.networks.nets.attentionunet import AttentionUnet
from monai.networks.nets.basic_unet import BasicUNet
from monai.networks.nets.dynunet import DynUNet
from monai.networks.nets.mednext import MedNeXt
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.swin_unetr import SwinUNETR
from monai.networks.nets.unet import UNet
from monai.networks.nets.unetr import UNETR
from monai.networks.nets.vnet import VNet
from torch import Tensor, nn

from medsym.models.retrofit import RetrofitReport, SoftNetwork, soften
from medsym.symmetry import Axis, ChannelAction, flip, fold, harden, mirror, relative_defect

Shape = tuple[int, int, int]
DYN = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "kernel_size": [3] * 4,
    "strides": [1, 2, 2, 2],
    "upsample_kernel_size": [2] * 3,
    "filters": [4, 4, 8, 8],
}


def unet(**settings: object) -> nn.Module:
    return UNet(3, 1, 3, channels=(4, 6, 8), strides=(2, 2), **settings)  # type: ignore[arg-type]


def mednext(**settings: object) -> nn.Module:
    one = {"blocks_down": (1,) * 4, "blocks_up": (1,) * 4, "blocks_bottleneck": 1}
    small = {"init_filters": 4, "out_channels": 3, "kernel_size": 3}
    return MedNeXt(**{**one, **small, **settings})  # type: ignore[arg-type]


def swin(**settings: object) -> nn.Module:
    pytest.importorskip("einops")
    network = SwinUNETR(1, 3, **{"feature_size": 12, "depths": (1, 2, 1, 2), **settings})  # type: ignore[arg-type]
    return loud_positions(network)


def unetr(**settings: object) -> nn.Module:
    pytest.importorskip("einops")
    small = {"feature_size": 4, "hidden_size": 16, "mlp_dim": 16, "num_heads": 2}
    return loud_positions(UNETR(1, 3, (32, 48, 32), **{**small, **settings}))  # type: ignore[arg-type]


ZOO: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "BasicUNet": (
        lambda: BasicUNet(spatial_dims=3, out_channels=3, features=(4,) * 6),
        (32, 16, 32),
    ),
    "VNet": (lambda: VNet(out_channels=3), (16, 16, 16)),
    "UNet": (unet, (16, 12, 8)),
    "UNet residual": (lambda: unet(num_res_units=2), (16, 12, 8)),
    "UNet kernel 5": (lambda: unet(kernel_size=5, up_kernel_size=5), (16, 12, 8)),
    "SegResNet": (lambda: SegResNet(spatial_dims=3, out_channels=3), (16, 16, 24)),
    "SegResNet deconv": (
        lambda: SegResNet(spatial_dims=3, out_channels=3, upsample_mode="deconv"),
        (16, 16, 24),
    ),
    "DynUNet": (
        lambda: DynUNet(**DYN, deep_supervision=True, deep_supr_num=2),  # type: ignore[arg-type]
        (16, 16, 24),
    ),
    "DynUNet residual": (lambda: DynUNet(**DYN, res_block=True), (16, 16, 24)),  # type: ignore[arg-type]
    "AttentionUnet": (lambda: AttentionUnet(3, 1, 3, (4, 6, 8), (2, 2)), (16, 12, 8)),
    "MedNeXt": (
        lambda: mednext(use_residual_connection=True, global_resp_norm=True),
        (32, 16, 32),
    ),
    "SwinUNETR": (lambda: swin(window_size=4, use_v2=True), (64, 32, 32)),
    "SwinUNETR odd window": (lambda: swin(window_size=5), (64, 32, 32)),
    "UNETR": (unetr, (32, 48, 32)),
    "UNETR perceptron": (lambda: unetr(proj_type="perceptron"), (32, 48, 32)),
}
CHANGED = {"MedNeXt", "SwinUNETR odd window"}
"""Networks whose function changes at softness 1 (the report says why)."""
CONVOLUTIONAL = [name for name in ZOO if "UNETR" not in name]
SIDES = (0, 2, 1)


def loud_positions(network: nn.Module) -> nn.Module:
    """Position embeddings as large as activations; fresh ones are hardly visible."""
    for name, parameter in network.named_parameters():
        if "position" in name:
            nn.init.normal_(parameter)
    return network


def disturbed(network: nn.Module) -> nn.Module:
    """A network in evaluation whose scales, shifts and statistics are as if trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return disturbed(ZOO[name][0]())


def noise(name: str, *, channels: int = 1, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, *ZOO[name][1], generator=generator)


def labels(axis: Axis) -> ChannelAction:
    return ChannelAction.labels(SIDES, axis=axis)


def defect(network: nn.Module, volume: Tensor, axis: Axis) -> float:
    plain = ChannelAction.trivial(volume.shape[1], axis=axis)
    with torch.no_grad():
        return relative_defect(network, volume, action_in=plain, action_out=labels(axis))


def difference(first: Tensor, second: Tensor) -> float:
    return float(((first - second).norm() / second.norm()).detach())


@dataclass(frozen=True)
class Measured:
    """One network before and after: defects and changes are relative, in the 2-norm."""

    defect_before: float
    change_at_one: float
    defect_hard: float
    change_by_fold: float
    folded: nn.Module
    report: RetrofitReport


@cache
def measured(name: str, axis: Axis) -> Measured:
    network, volume = made(name), noise(name)
    mirrored = flip(volume, axis)
    with torch.no_grad():
        before, before_mirrored = network(volume), network(mirrored)
        soft = soften(network, axis, softness=1.0, action_out=labels(axis))
        change = difference(soft(volume), before)
        harden(soft)
        hard, hard_mirrored = soft(volume), soft(mirrored)
        folded = fold(soft)
        assert isinstance(folded, SoftNetwork)
        return Measured(
            defect_before=difference(mirror(before_mirrored, labels(axis)), before),
            change_at_one=change,
            defect_hard=difference(mirror(hard_mirrored, labels(axis)), hard),
            change_by_fold=difference(folded.network(volume), hard),
            folded=folded.network,
            report=soft.report,
        )
