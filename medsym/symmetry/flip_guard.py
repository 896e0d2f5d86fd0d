"""The flip trap: left-right flip augmentation deletes what learned softness is to learn.

On data that are symmetrised by flips the loss is the same for W_odd and for -W_odd, so at W_odd =
0 its gradient is exactly zero, and the best network is the symmetric one whatever the scans say.
Training then either refuses such flips (:func:`refuse_flips`) or splits them: flipped samples
teach the even parts only (:func:`mirror_augmented_loss`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from medsym.errors import ConfigError
from medsym.symmetry.freezing import even_only, odd_paths
from medsym.symmetry.mirror import Axis, ChannelAction, mirror, spatial_dim

_ANATOMICAL = {"lr": 0, "l": 0, "r": 0, "left": 0, "right": 0, "lateral": 0}
_TURNING = ("Rotate90", "RandRotate90")
_MIRRORING = ("Flip", "RandFlip", "RandAxisFlip", "RandomFlip", "MirrorTransform")
_INSIDE = ("transforms", "transform", "dataset", "datasets", "transforms_dict", "_transform")


def learns_softness(model: nn.Module) -> bool:
    """True if training decides how asymmetric the network is: soft weights or a soft head."""
    return any(path.learns_odd_part for path in odd_paths(model))


def find_flips(transform: object, *, axis: Axis = "x") -> list[str]:
    """Transforms that can turn the mirror's axis around, by their place.

    Recognised by name and attributes, no package is imported: MONAI's Flip, RandFlip,
    RandAxisFlip, Rotate90 and RandRotate90 (array and dictionary versions), TorchIO's RandomFlip
    and the MirrorTransform of batchgenerators, inside Compose, OneOf, SomeOf, lists, data sets
    and loaders. Small rotations, zooms and affine or elastic deformations do not flip.

    Args:
        transform: A transform, or what holds transforms.
        axis: Of the mirror, in arrays (c, x, y, z).

    Returns:
        One entry such as ``"transforms[1] RandFlipd"`` per transform; empty if there are none.
    """
    return list(_flips(transform, spatial_dim(axis) + 3, place="", seen=set()))


def refuse_flips(transform: object, model: nn.Module, *, axis: Axis = "x") -> None:
    """Refuse augmentation that would delete the gradient of learned softness.

    Args:
        transform: As for :func:`find_flips`.
        model: The network to be trained; without learned softness every transform is accepted.
        axis: Of the mirror.

    Raises:
        ConfigError: MS-332, names the transforms.
    """
    found = find_flips(transform, axis=axis) if learns_softness(model) else []
    if found:
        raise ConfigError(
            code="MS-332",
            subject=", ".join(found),
            cause=f"flips along {axis} while softness is learned delete the gradient of the odd "
            "part",
            fix="remove it, or flip in the training step with mirror_augmented_loss()",
        )


def mirror_augmented_loss(
    model: nn.Module,
    volume: Tensor,
    target: Tensor,
    loss: Callable[[Any, Tensor], Tensor],
    *,
    flipped: Tensor | None = None,
    share: float = 0.5,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Loss of a batch in which flipped samples teach the even parts only; call ``backward()``.

    The odd parts and the softness learn from the samples as they were recorded, the even parts
    from all. Layers that mix samples (batch norm) see the two kinds apart. Not for networks that
    checkpoint activations, see :func:`~medsym.symmetry.freezing.even_only`.

    Args:
        model: The network.
        volume: (b, c, x, y, z).
        target: (b, c', x, y, z), or (b, c') where the network says that.
        loss: (output of the network, target) -> mean over samples.
        flipped: (b,) bool, which samples the data pipeline has flipped already; None draws them
            and flips volume and target here.
        share: Of samples to flip, where they are drawn here.
        action_in: Channel action on the volume, trivial if None.
        action_out: Channel action on the target, trivial if None.
        generator: Of the draw.

    Raises:
        ConfigError: MS-333, ``flipped`` is not one flag per sample.
        GridError: MS-209, a target without channels is to be flipped.
    """
    if flipped is None:
        drawn = torch.rand(volume.shape[0], generator=generator) < share
        flipped = drawn.to(volume.device)
        volume = _turned(volume, flipped, action_in)
        target = _turned(target, flipped, action_out)
    elif flipped.shape != volume.shape[:1] or flipped.dtype != torch.bool:
        raise ConfigError(
            code="MS-333",
            subject="flipped",
            cause=f"{flipped.dtype} of shape {tuple(flipped.shape)} for {volume.shape[0]} samples",
            fix="give one bool per sample of the batch",
        )
    total = volume.new_zeros(())
    for chosen, even in ((~flipped, False), (flipped, True)):
        count = int(chosen.sum())
        if count:
            part = _loss_of(model, volume[chosen], target[chosen], loss, even=even)
            total = total + part * (count / volume.shape[0])
    return total


def _turned(tensor: Tensor, flipped: Tensor, action: ChannelAction | None) -> Tensor:
    chosen = flipped.reshape(-1, *(1,) * (tensor.ndim - 1))
    return torch.where(chosen, mirror(tensor, action), tensor)


def _loss_of(
    model: nn.Module,
    volume: Tensor,
    target: Tensor,
    loss: Callable[[Any, Tensor], Tensor],
    *,
    even: bool,
) -> Tensor:
    if not even:
        return loss(model(volume), target)
    with even_only(model):
        return loss(model(volume), target)


def _flips(transform: object, axis: int, *, place: str, seen: set[int]) -> Iterator[str]:
    """Walk through what holds transforms; ``place`` is how to get there."""
    if id(transform) in seen or getattr(transform, "prob", 1.0) == 0.0:
        return
    seen.add(id(transform))
    if isinstance(transform, Mapping):  # TorchIO keeps {transform: probability}
        transform = [*transform, *transform.values()]
    if isinstance(transform, list | tuple):
        for position, entry in enumerate(transform):
            yield from _flips(entry, axis, place=f"{place}[{position}]", seen=seen)
        return
    if axis in _axes_turned(transform):
        yield f"{place} {type(transform).__name__}".lstrip()
        return
    for name in _INSIDE:
        inside = getattr(transform, name, None)
        if inside is not None:
            yield from _flips(inside, axis, place=f"{place}.{name}".lstrip("."), seen=seen)


def _axes_turned(transform: object) -> set[int]:
    """Spatial axes (0 is x) that a transform can turn around or exchange."""
    names = {_plain(cls.__name__) for cls in type(transform).__mro__}
    inner: Any = getattr(transform, "flipper", getattr(transform, "rotator", transform))
    if names.intersection(_TURNING):
        return _numbers(inner.spatial_axes) if getattr(inner, "k", 1) % 4 else set()
    if not names.intersection(_MIRRORING):
        return set()
    for attribute in ("spatial_axis", "axes", "allowed_axes"):
        given = getattr(inner, attribute, None)
        if given is not None and "RandAxisFlip" not in names:
            return _numbers(given)
    return {0, 1, 2}


def _plain(name: str) -> str:
    """Class name without the ending of MONAI's dictionary versions."""
    for ending in ("Dict", "D", "d"):
        if name.endswith(ending):
            return name[: -len(ending)]
    return name


def _numbers(axes: Any) -> set[int]:
    """Axis numbers from one or several numbers (negative ones count from z) or sides."""
    listed = axes if isinstance(axes, list | tuple | set) else [axes]
    sides = {_ANATOMICAL.get(a.lower(), -1) if isinstance(a, str) else int(a) % 3 for a in listed}
    return sides - {-1}
