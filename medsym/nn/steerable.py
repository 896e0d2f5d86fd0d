"""A softly steerable encoder: escnn's R3Conv with softness, in the place of mirror convolutions.

The symmetric part of every 3x3x3 kernel is expanded by escnn from a basis of steerable kernels
(Cesa, Lang, Weiler, "A program to build E(n)-equivariant steerable CNNs", ICLR 2022) under the
mirror; the odd part comes from a free kernel that starts at zero, so a soft layer starts as the
strict one (relaxation morphism). ``fold`` leaves a plain convolution, ``harden`` the strict one.

The basis spans every symmetric kernel (:mod:`medsym.nn.steerable_basis`). escnn finds no basis for
kernel 2 stride 2, so resolution changes use this package's own layer.
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.nn.layers import MirrorInstanceNorm3d, activation, downsample
from medsym.nn.steerable_basis import SteerableBasis
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import attach
from medsym.symmetry.parts import split_kernel
from medsym.symmetry.relaxation import clear_odd_parts
from medsym.symmetry.soft_weight import SoftKernel, SoftVector
from medsym.symmetry.softness import Softness


class SteerableKernel(SoftKernel):
    """Parametrisation: free kernel -> ``W_even + a W_odd``, W_even from escnn's coefficients.

    Of the raw (free) kernel only the odd part is used, and at softness 0 nothing.
    """

    def __init__(
        self, action_in: ChannelAction, action_out: ChannelAction, softness: Softness
    ) -> None:
        super().__init__(action_in, action_out, softness)
        self.basis = SteerableBasis(action_in, action_out)
        self.coefficients = nn.Parameter(self.basis.initial.clone())
        self._fresh = True

    def even_kernel(self) -> Tensor:
        """W_even; the basis is even up to its own rounding, and the rest is taken out."""
        return split_kernel(self.basis(self.coefficients), self.action_in, self.action_out)[0]

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even from the coefficients, W_odd from the free kernel)."""
        return self.even_kernel(), split_kernel(raw, self.action_in, self.action_out)[1]

    def forward(self, raw: Tensor) -> Tensor:
        """The kernel that the layer runs with."""
        if self.softness.is_exact and not self.frozen:
            return self.even_kernel()
        even, odd = self.parts(raw)
        return even + odd

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Start the free kernel at zero, in place of torch's kernel.

        Raises:
            ModelError: MS-238, a kernel assigned later, which has no unique coefficients.
        """
        if not self._fresh:
            raise ModelError(
                code="MS-238",
                subject="steerable convolution",
                cause="its kernel is expanded from coefficients and cannot be assigned",
                fix="load a state_dict, or assign to a MirrorConv3d",
            )
        self._fresh = False
        return torch.zeros_like(weight)


class SteerableConv3d(nn.Conv3d):
    """3x3x3 convolution whose even kernel escnn expands, (b, c_in, x, y, z) -> (b, c_out, x, y, z).

    Args:
        action_in: Channel action on the input: trivial, sign and adjacent regular channels.
        action_out: Channel action on the output.
        softness: Of the odd kernel and the bias; None is exact.
        bias: Add a bias.

    Raises:
        ModelError: MS-237, an action that escnn has no field for.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        softness: Softness | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(action_in.channels, action_out.channels, 3, padding=1, bias=bias)
        self.action_in, self.action_out = action_in, action_out
        shared = Softness() if softness is None else softness
        attach(self, "weight", SteerableKernel(action_in, action_out, shared))
        attach(self, "bias", SoftVector(action_out, shared))
        clear_odd_parts(self)


class SteerableLevel(nn.Module):
    """One encoder resolution, as the mirror's: (down, unit), then a residual unit.

    Args:
        before: Channel action of what comes in.
        action: Channel action of the features, a permutation.
        softness: Shared by all its layers.
        first: The finest level, which keeps the resolution.
    """

    def __init__(
        self, before: ChannelAction, action: ChannelAction, softness: Softness, *, first: bool
    ) -> None:
        super().__init__()
        self.enter = (
            SteerableConv3d(before, action, softness=softness)
            if first
            else downsample(before, action, softness=softness)
        )
        self.unit = nn.Sequential(
            SteerableConv3d(action, action, softness=softness, bias=False),
            MirrorInstanceNorm3d(action, softness=softness),
            activation(action),
        )
        clear_odd_parts(self)

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, x, y, z) -> the same size, or half of it below the first level."""
        entered: Tensor = self.enter(features)
        return entered + self.unit(entered)
