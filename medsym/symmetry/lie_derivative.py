r"""The Lie derivative: how a function fails to follow a small shift or tilt of its input.

For a family of motions g_t with g_0 = 1 it is (Gruver, Finzi, Goldblum, Wilson, "The Lie
derivative for measuring learned equivariance", arXiv 2210.02984)::

    L f (x) = d/dt at 0 of  g_t^-1 f(g_t x)  =  J_f(x) [X x]  -  X [f(x)],

where X = d/dt g_t is the motion's generator. No volume has to be resampled: one directional
derivative of f, by forward automatic differentiation, and X on both ends are enough. A mirror
has no such derivative; its finite counterpart is the defect. For the mid-plane the motions that
matter are the shift across it and the two tilts of it.

The generator is ``-v . grad`` with the velocity field v of the motion and central differences of
sixth order, the exact derivative at the voxels of 7-point Lagrange interpolation, with edge
voxels repeated beyond the border. It is local, so a border disturbs three voxels and not the
whole volume as a Fourier derivative does, and it anti-commutes with the mirror. What it cannot
see: on the identity L is exactly 0 and on convolutions 1e-15 (float64) away from borders, but a
pointwise function makes frequencies that no grid holds. This floor, ``|L f| / |X f|`` of f = tanh
(``pointwise_floor``), was 0.38 on the masked brain of a T2 scan at 3 mm and 0.064 after smoothing
it by a Gaussian of one voxel (``smoothed``): smooth first. A Fourier derivative was no better.

A network that compares the two sides cannot follow a motion off its mid-plane, since S h moves
the other way; its Lie derivative says how much a wrong mid-plane changes the output.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import conv3d, pad

from medsym.errors import GridError
from medsym.symmetry.mirror import Axis, check_axis, spatial_dim

_TAPS = (45.0 / 60.0, -9.0 / 60.0, 1.0 / 60.0)  # at +-1, +-2, +-3 voxels

Method = Literal["forward derivative", "central difference"]


@dataclass(frozen=True, slots=True)
class Motion:
    """A small rigid motion of a volume, about the centre of its grid; voxels are cubes.

    Args:
        axis: Shift: the direction. Tilt: the axis that turns ...
        towards: ... towards this one; None is a shift.

    Raises:
        GridError: MS-204 an unknown axis; MS-283 a tilt of an axis towards itself.
    """

    axis: Axis
    towards: Axis | None = None

    def __post_init__(self) -> None:
        """Refuse what is no motion."""
        check_axis(self.axis)
        if self.towards is not None:
            check_axis(self.towards)
        if self.axis == self.towards:
            raise GridError(
                code="MS-283",
                subject="tilt",
                cause=f"axis {self.axis!r} cannot turn towards itself",
                fix="name two different axes, or leave `towards` out for a shift",
            )

    @property
    def name(self) -> str:
        """For tables."""
        return f"shift {self.axis}" if self.towards is None else f"tilt {self.axis}{self.towards}"

    @property
    def unit(self) -> str:
        """What t is counted in."""
        return "voxel" if self.towards is None else "degree"


def motions_of_plane(axis: Axis = "x") -> tuple[Motion, ...]:
    """The motions that take the mirror plane of an axis off itself: one shift, two tilts."""
    check_axis(axis)
    others = [other for other in get_args(Axis) if other != axis]
    return (Motion(axis), *(Motion(axis, other) for other in others))


def slope(volume: Tensor, axis: Axis) -> Tensor:
    """Derivative of (b, c, x, y, z) along an axis, per voxel, of sixth order."""
    dim, reach = spatial_dim(axis), len(_TAPS)
    margins = [0] * 6
    place = 2 * (-1 - dim)  # torch pads the last axis first
    margins[place] = margins[place + 1] = reach
    wide, size = pad(volume, margins, mode="replicate"), volume.shape[dim]
    result = torch.zeros_like(volume)
    for offset, weight in enumerate(_TAPS, start=1):
        ahead = wide.narrow(dim, reach + offset, size)
        result = result + weight * (ahead - wide.narrow(dim, reach - offset, size))
    return result


def generator(volume: Tensor, motion: Motion, *, voxels_per_unit: float = 1.0) -> Tensor:
    """X u = d/dt at 0 of the moved volume: ``-v . grad u``.

    Args:
        volume: u, (b, c, x, y, z).
        motion: A shift is counted in voxels, a tilt in degrees.
        voxels_per_unit: Voxels of this grid per voxel that the shift is counted in, for features
            on a coarser grid; a tilt is the same on every grid of cubes.

    Returns:
        Change of the volume per voxel or per degree, same shape.
    """
    if motion.towards is None:
        return -voxels_per_unit * slope(volume, motion.axis)
    first = _coordinate(volume, motion.axis) * slope(volume, motion.towards)
    second = _coordinate(volume, motion.towards) * slope(volume, motion.axis)
    return math.radians(1.0) * (second - first)


def _coordinate(volume: Tensor, axis: Axis) -> Tensor:
    """Voxels from the centre of the grid along an axis, broadcastable to the volume."""
    dim = spatial_dim(axis)
    size = volume.shape[dim]
    steps = torch.arange(size, device=volume.device, dtype=volume.dtype) - (size - 1) / 2.0
    shape = [1] * volume.ndim
    shape[dim] = size
    return steps.reshape(shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class LieDerivative:
    """L f at one volume.

    Attributes:
        value: L f, (b, c, x, y, z), units of the output per voxel or degree.
        output: f(x).
        moved: X f(x), what the output would do if it followed.
        method: How J_f(x)[X x] was found.
    """

    value: Tensor
    output: Tensor
    moved: Tensor
    method: Method

    @property
    def change(self) -> float:
        """|L f| / |f|: relative change of the output per voxel or degree; lower is better."""
        return _ratio(self.value, self.output)

    @property
    def share(self) -> float:
        """|L f| / |X f|: 0 follows the motion, 1 ignores it (or differs as much as it moves)."""
        return _ratio(self.value, self.moved)


def lie_derivative(
    function: Callable[[Tensor], Tensor], volume: Tensor, motion: Motion
) -> LieDerivative:
    """L f (x) for one motion; channels of input and output are taken along unchanged.

    Args:
        function: (b, c, x, y, z) -> (b, c', x', y', z'), for example a network in evaluation
            mode. One that forward differentiation does not support is differenced instead: two
            passes, relative error about 1e-2 (float32), 1e-7 (float64) of the derivative.
        volume: x.
        motion: See ``motions_of_plane``.

    Returns:
        The derivative with what it is compared to, detached.
    """
    with torch.no_grad():
        direction = generator(volume, motion)
        output, change, method = _directional(function, volume, direction)
        scale = output.shape[spatial_dim(motion.axis)] / volume.shape[spatial_dim(motion.axis)]
        moved = generator(output, motion, voxels_per_unit=scale)
    return LieDerivative(value=change - moved, output=output, moved=moved, method=method)


def _directional(
    function: Callable[[Tensor], Tensor], volume: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor, Method]:
    """(f(x), J_f(x)[direction], how it was found)."""
    try:
        both = torch.func.jvp(function, (volume,), (direction,))
    except (NotImplementedError, RuntimeError) as error:
        if "forward" not in str(error).lower():  # not about forward derivatives: a real mistake
            raise
    else:
        return both[0].detach(), both[1].detach(), "forward derivative"
    size = float(direction.norm())
    if size == 0.0:
        output = function(volume)
        return output, torch.zeros_like(output), "central difference"
    step = torch.finfo(volume.dtype).eps ** (1.0 / 3.0) * float(volume.norm()) / size
    ahead, behind = function(volume + step * direction), function(volume - step * direction)
    return function(volume), (ahead - behind) / (2.0 * step), "central difference"


def smoothed(volume: Tensor, *, sigma: float = 1.0) -> Tensor:
    """Gaussian smoothing of (b, c, x, y, z), ``sigma`` in voxels, edge voxels repeated outside.

    A grid can follow the motion of what varies slowly over a voxel, and only of that.
    """
    reach = math.ceil(4.0 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=volume.dtype, device=volume.device)
    kernel = torch.exp(-steps.square() / (2.0 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = volume.shape[1]
    for dim in (2, 3, 4):
        shape = [1] * 5
        shape[dim] = -1
        margins = [reach if place // 2 == 4 - dim else 0 for place in range(6)]
        wide = pad(volume, margins, mode="replicate")
        weight = kernel.reshape(shape).expand(channels, *[-1] * 4)
        volume = conv3d(wide, weight, groups=channels)
    return volume


def pointwise_floor(volume: Tensor, motion: Motion) -> float:
    """``share`` of f = tanh at a volume scaled to mean 0 and spread 1: what the grid alone costs.

    tanh follows every motion of a continuous picture; on a grid it makes frequencies that the
    grid cannot hold. A network can hardly do better on the same volume.
    """
    spread = float(volume.std())
    centred = volume - volume.mean()
    scaled = centred / spread if spread > 0.0 else centred
    return lie_derivative(torch.tanh, scaled, motion).share


def _ratio(first: Tensor, second: Tensor) -> float:
    """|first| / |second|, 0 if both vanish."""
    above, below = float(first.norm()), float(second.norm())
    if below == 0.0:
        return 0.0 if above == 0.0 else math.inf
    return above / below
