"""A YAML file that names one of MONAI's networks, for measuring networks that are not ours.

The file is data: the class comes from a fixed list, the arguments are checked against its
signature, weights are safetensors. Nothing is unpickled, evaluated or imported by name.
"""

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from monai.networks import nets
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from torch import Tensor, nn

from medsym.config import read_config
from medsym.errors import ModelError
from medsym.symmetry.mirror import Axis, ChannelAction

NetworkName = Literal[
    "AttentionUnet",
    "BasicUNet",
    "DynUNet",
    "MedNeXt",
    "SegResNet",
    "SwinUNETR",
    "UNETR",
    "UNet",
    "VNet",
]

_CONSTRUCTORS: Mapping[str, type[nn.Module]] = {
    "AttentionUnet": nets.AttentionUnet,
    "BasicUNet": nets.BasicUNet,
    "DynUNet": nets.DynUNet,
    "MedNeXt": nets.MedNeXt,
    "SegResNet": nets.SegResNet,
    "SwinUNETR": nets.SwinUNETR,
    "UNETR": nets.UNETR,
    "UNet": nets.UNet,
    "VNet": nets.VNet,
}


class NetworkFile(BaseModel):
    """What a network file says; every key but ``network`` has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: NetworkName = Field(description="class of monai.networks.nets")
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="of its constructor; spatial_dims is always 3"
    )
    weights: Path | None = Field(
        default=None, description="safetensors file, relative to this one; none: random weights"
    )
    seed: int = Field(default=0, ge=0, description="of the random weights")
    axis: Axis = Field(default="x", description="axis that the mirror flips")
    labels: tuple[int, ...] | None = Field(
        default=None,
        description="for each output channel the channel of the mirrored structure; none: all stay",
    )
    shape: tuple[int, int, int] = Field(
        default=(64, 80, 64), description="voxels that the network is run on, along x, y, z"
    )
    spacing_mm: float = Field(default=3.0, gt=0.0, description="edge of a voxel")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedNetwork:
    """A network made from a file, in evaluation mode.

    Attributes:
        network: (b, in_channels, x, y, z) -> (b, out_channels, x, y, z).
        in_channels: Channels of its input.
        action_out: How the mirror acts on its output channels.
        settings: What the file says.
    """

    network: nn.Module
    in_channels: int
    action_out: ChannelAction
    settings: NetworkFile


def load_network_file(path: Path) -> NamedNetwork:
    """Build the network that a file names, with its weights.

    Args:
        path: The YAML file; see :class:`NetworkFile`.

    Raises:
        ConfigError: MS-301 to MS-303, the file is not readable, not YAML or not of this form.
        ModelError: MS-270 arguments that the class does not have; MS-271 arguments that it
            refuses; MS-272 weights that cannot be read; MS-273 weights that do not fit; MS-274
            weights that are not finite; MS-275 labels that do not fit the output.
        GridError: MS-201 labels that are not an involution.
    """
    settings = read_config(path, NetworkFile)
    network = _build(settings, path)
    if settings.weights is not None:
        _fill(network, path.parent / settings.weights)
    network.requires_grad_(False)
    channels = [_channel_count(settings, name) for name in ("in_channels", "out_channels")]
    return NamedNetwork(
        network=network.eval(),
        in_channels=channels[0],
        action_out=_action(settings, channels[1], path),
        settings=settings,
    )


def _signature(settings: NetworkFile) -> Mapping[str, inspect.Parameter]:
    known = dict(inspect.signature(_CONSTRUCTORS[settings.network]).parameters)
    known.pop("self", None)
    return known


def _build(settings: NetworkFile, path: Path) -> nn.Module:
    known = _signature(settings)
    for name in settings.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ModelError(
                code="MS-270",
                subject=str(path),
                cause=f"{settings.network} has no argument '{name}'",
                fix=f"did you mean '{near[0]}'? It knows {', '.join(known)}",
            )
    if settings.arguments.get("spatial_dims", 3) != 3:
        raise ModelError(
            code="MS-270",
            subject=str(path),
            cause=f"spatial_dims is {settings.arguments['spatial_dims']}",
            fix="use 3 or leave it out: volumes have three axes",
        )
    arguments = {**settings.arguments, "spatial_dims": 3}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return _CONSTRUCTORS[settings.network](**arguments)
    except Exception as error:  # a constructor answers wrong arguments with any exception
        raise ModelError(
            code="MS-271",
            subject=str(path),
            cause=f"{settings.network} refuses these arguments ({type(error).__name__}: {error})",
            fix="correct the arguments, or install the package that the message names",
        ) from error


def _channel_count(settings: NetworkFile, name: str) -> int:
    """Channels as given, or the constructor's default; the constructor accepted them."""
    return int(cast("int", settings.arguments.get(name, _signature(settings)[name].default)))


def _action(settings: NetworkFile, channels: int, path: Path) -> ChannelAction:
    labels = settings.labels
    if labels is None:
        return ChannelAction.trivial(channels, axis=settings.axis)
    if len(labels) != channels:
        raise ModelError(
            code="MS-275",
            subject=str(path),
            cause=f"{len(labels)} labels are given for {channels} output channels",
            fix="give one number per output channel, its own for a structure in the middle",
        )
    return ChannelAction.labels(labels, axis=settings.axis)


def _fill(network: nn.Module, path: Path) -> None:
    """Load weights, all of them and nothing else."""
    tensors = _read(path)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise ModelError(
            code="MS-273",
            subject=str(path),
            cause=f"does not fit the network ({first})",
            fix="use the arguments that the weights were trained with",
        ) from None
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise ModelError(
            code="MS-274",
            subject=str(path),
            cause="holds numbers that are not finite",
            fix="save the weights again, or train again",
        )


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return tensors_from_bytes(path.read_bytes())
    except OSError as error:
        cause, fix = f"cannot be read ({error.strerror})", "give the path relative to the YAML file"
    except SafetensorError:
        cause = "is not a safetensors file"
        fix = "save the state dict with safetensors.torch.save_file; other formats can run code"
    raise ModelError(code="MS-272", subject=str(path), cause=cause, fix=fix)
