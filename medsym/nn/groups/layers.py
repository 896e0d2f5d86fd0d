"""Softly equivariant layers for any grid group; for the group of one mirror those of layers.py.

They read like those and share no class: actions, size check, first scale and errors are others.
Every layer is an ordinary torch layer that carries the actions of its input and output channels
and an optional :class:`Softness`; ``fold`` and ``harden`` of :mod:`medsym.symmetry` work on it.
Resolution changes use kernel 2, stride 2 on even sizes along every axis that the group flips.
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.parts import project_kernel
from medsym.symmetry.groups.softness import soften_group_layer
from medsym.symmetry.softness import Softness


class GroupConv3d(nn.Conv3d):
    """Convolution (b, c_in, x, y, z) -> (b, c_out, x', y', z') with ``W_G + a (W - W_G)``.

    Args:
        action_in: Channel action on the input; its size is the number of input channels.
        action_out: Channel action on the output, of the same group.
        kernel_size: Odd for stride 1.
        stride: 1, or an even-size reduction such as kernel 2 stride 2.
        padding: Zeros on both sides; None keeps the size at stride 1 and is 0 otherwise.
        softness: Shared by weight and bias; None is exact. ``SubgroupShares`` make it the [G]-mixed
            layer, an ``ElementDistribution`` the layer with a learned degree of equivariance.
        bias: Add a bias.
        groups: Blocks of a grouped convolution, which the group must map onto each other.

    Raises:
        ModelError: MS-234, an even kernel at stride 1, which shifts the grid by half a voxel.
        GridError: MS-297, actions of two groups; MS-298, groups torn apart; at run time MS-203
            and MS-293, sizes on which the layer breaks the group.
    """

    def __init__(
        self,
        action_in: GroupAction,
        action_out: GroupAction,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        softness: Softness | None = None,
        bias: bool = True,
        groups: int = 1,
    ) -> None:
        if stride == 1 and kernel_size % 2 == 0:
            raise ModelError(
                code="MS-234",
                subject="GroupConv3d",
                cause=f"kernel {kernel_size} at stride 1 moves the grid by half a voxel",
                fix="use an odd kernel, or stride equal to the kernel",
            )
        pad = padding if padding is not None else (kernel_size // 2 if stride == 1 else 0)
        super().__init__(
            action_in.channels,
            action_out.channels,
            kernel_size,
            stride,
            pad,
            bias=bias,
            groups=groups,
        )
        self.action_in, self.action_out = action_in, action_out
        _restore_scale(self, action_in, action_out)
        soften_group_layer(self, action_in=action_in, action_out=action_out, softness=softness)

    def forward(self, volume: Tensor) -> Tensor:
        """Convolve after the check that this size keeps the group."""
        self.action_in.group.check_strided(
            volume.shape[-3:],
            kernel=self.kernel_size,
            stride=self.stride,
            padding=[int(p) for p in self.padding],
            name="GroupConv3d",
        )
        return super().forward(volume)


class GroupUpsample(nn.ConvTranspose3d):
    """Transposed convolution, kernel 2 stride 2: doubles every size, exact on every size.

    Args:
        action_in: Channel action on the input.
        action_out: Channel action on the output.
        softness: Shared by weight and bias; None is exact.
    """

    def __init__(
        self,
        action_in: GroupAction,
        action_out: GroupAction,
        *,
        softness: Softness | None = None,
    ) -> None:
        super().__init__(action_in.channels, action_out.channels, 2, 2)
        self.action_in, self.action_out = action_in, action_out
        _restore_scale(self, action_in, action_out)
        soften_group_layer(self, action_in=action_in, action_out=action_out, softness=softness)

    def forward(self, volume: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Upsample after the check that the group keeps this size."""
        self.action_in.group.check_grid(volume.shape[-3:], name="GroupUpsample")
        return super().forward(volume, output_size)


@torch.no_grad()
def _restore_scale(
    layer: nn.Conv3d | nn.ConvTranspose3d, action_in: GroupAction, action_out: GroupAction
) -> None:
    """Scale the equivariant part of a fresh kernel up to the norm that torch meant it to have.

    The projection onto regular fields leaves a share of 1 / sqrt(order) of a random kernel.
    """
    transposed = isinstance(layer, nn.ConvTranspose3d)
    kept = project_kernel(
        layer.weight, action_in, action_out, transposed=transposed, groups=layer.groups
    )
    ratio = layer.weight.norm() / kept.norm().clamp_min(1e-6 * layer.weight.norm())
    layer.weight += (ratio - 1.0) * kept


def group_downsample(
    action_in: GroupAction, action_out: GroupAction, *, softness: Softness | None = None
) -> GroupConv3d:
    """Convolution, kernel 2 stride 2: halves every (even) size."""
    return GroupConv3d(action_in, action_out, kernel_size=2, stride=2, softness=softness)


class GroupInstanceNorm3d(nn.InstanceNorm3d):
    """Instance norm whose scale is tied on exchanged channels and whose shift is invariant.

    Statistics run over the whole volume, which the group only permutes. There are no running
    statistics: they untie in training.

    Args:
        action: Channel action on input and output, a signed permutation.
        softness: Of scale and shift; None is exact.
    """

    def __init__(self, action: GroupAction, *, softness: Softness | None = None) -> None:
        super().__init__(action.channels, affine=True)
        self.action_in = self.action_out = action
        soften_group_layer(self, action_in=action, action_out=action, softness=softness)


def group_activation(action: GroupAction) -> nn.Module:
    """A pointwise non-linearity that commutes with the action.

    LeakyReLU where the group only permutes channels; tanh (an odd function) where it also
    changes signs.

    Raises:
        GridError: MS-296, an action that is no signed permutation has no such non-linearity.
    """
    action.check_signed("pointwise non-linearity")
    return nn.LeakyReLU(0.01) if action.is_permutation else nn.Tanh()
