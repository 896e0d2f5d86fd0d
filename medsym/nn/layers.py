"""Softly equivariant layers: ordinary torch layers that carry their channel actions.

Every layer takes a :class:`ChannelAction` for its input and its output and an optional
:class:`Softness`. Weights, biases and norm scales are tied by a parametrisation on every step, so
training cannot let them drift apart; ``medsym.symmetry.fold`` turns them into plain layers.
Resolution changes use kernel 2, stride 2 on even sizes: the usual kernel 3, stride 2 breaks the
mirror by 141 % on noise, and the layer refuses sizes on which its windows are one-sided.
"""

from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction, check_strided, spatial_dim
from medsym.symmetry.parametrisation import soften_layer
from medsym.symmetry.softness import Softness


class MirrorConv3d(nn.Conv3d):
    """Convolution (b, c_in, x, y, z) -> (b, c_out, x', y', z') with ``W_even + a W_odd``.

    Args:
        action_in: Channel action on the input; its size is the number of input channels.
        action_out: Channel action on the output.
        kernel_size: Odd for stride 1.
        stride: 1, or an even-size reduction such as kernel 2 stride 2.
        padding: Zeros on both sides; None keeps the size at stride 1 and is 0 otherwise.
        softness: Shared by weight and bias; None is exact.
        bias: Add a bias (tied on swapped channels, zero on sign channels at softness 0).

    Raises:
        ModelError: An even kernel at stride 1, which shifts the grid by half a voxel.
        GridError: At run time, sizes on which the stride breaks the mirror.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        softness: Softness | None = None,
        bias: bool = True,
    ) -> None:
        if stride == 1 and kernel_size % 2 == 0:
            raise ModelError(
                code="MS-214",
                subject="MirrorConv3d",
                cause=f"kernel {kernel_size} at stride 1 moves the mid-plane by half a voxel",
                fix="use an odd kernel, or stride equal to the kernel",
            )
        pad = padding if padding is not None else (kernel_size // 2 if stride == 1 else 0)
        super().__init__(
            action_in.channels, action_out.channels, kernel_size, stride, pad, bias=bias
        )
        self.action_in, self.action_out = action_in, action_out
        soften_layer(self, action_in=action_in, action_out=action_out, softness=softness)

    def forward(self, volume: Tensor) -> Tensor:
        """Convolve after the check that this size keeps the mirror."""
        self.check_size(volume)
        return super().forward(volume)

    def check_size(self, volume: Tensor) -> None:
        """Refuse a size, along the axis of the mirror, on which the stride breaks it.

        Raises:
            GridError: MS-203, names the layer and the sizes that work.
        """
        axis = spatial_dim(self.action_in.axis)
        check_strided(
            volume.shape[axis],
            kernel=self.kernel_size[axis],
            stride=self.stride[axis],
            padding=int(self.padding[axis]),
            name=type(self).__name__,
        )


class MirrorUpsample(nn.ConvTranspose3d):
    """Transposed convolution, kernel 2 stride 2: doubles every size, exact on every size.

    Args:
        action_in: Channel action on the input.
        action_out: Channel action on the output.
        softness: Shared by weight and bias; None is exact.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        softness: Softness | None = None,
    ) -> None:
        super().__init__(action_in.channels, action_out.channels, 2, 2)
        self.action_in, self.action_out = action_in, action_out
        soften_layer(self, action_in=action_in, action_out=action_out, softness=softness)


def downsample(
    action_in: ChannelAction, action_out: ChannelAction, *, softness: Softness | None = None
) -> MirrorConv3d:
    """Convolution, kernel 2 stride 2: halves every (even) size."""
    return MirrorConv3d(action_in, action_out, kernel_size=2, stride=2, softness=softness)


class MirrorInstanceNorm3d(nn.InstanceNorm3d):
    """Instance norm whose scale is tied on swapped channels and whose shift follows the action.

    Statistics run over the whole volume, which the mirror only permutes, so the norm itself is
    equivariant. There are no running statistics: they untie in training (21 % defect).

    Args:
        action: Channel action on input and output.
        softness: Of scale and shift; None is exact.
    """

    def __init__(self, action: ChannelAction, *, softness: Softness | None = None) -> None:
        super().__init__(action.channels, affine=True)
        self.action_in = self.action_out = action
        soften_layer(self, action_in=action, action_out=action, softness=softness)


def activation(action: ChannelAction) -> nn.Module:
    """A pointwise non-linearity that commutes with the action.

    LeakyReLU where the mirror only permutes channels; tanh (an odd function) where it also
    changes signs, because a ReLU on sign channels makes a 94 % defect.
    """
    return nn.LeakyReLU(0.01) if action.is_permutation else nn.Tanh()
