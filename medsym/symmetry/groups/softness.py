"""Softness for a grid group: ``W_a = W_G + a (W - W_G)``, as parametrisations of torch layers.

0 is exactly equivariant, 1 the free weight, and for one mirror ``W - W_G`` is ``W_odd``: the same
family, the same :class:`Softness`, the same ``fold`` and ``harden``.
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.groups.action import GroupAction, check_same_group
from medsym.symmetry.groups.average import group_average
from medsym.symmetry.groups.degree import GroupSoftness
from medsym.symmetry.groups.parts import conjugate_kernel, project_vector
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import attach, parametrisation
from medsym.symmetry.soft_weight import SoftWeight
from medsym.symmetry.softness import Softness

Convolution = nn.Conv3d | nn.ConvTranspose3d


class GroupWeight(SoftWeight):
    """Parametrisation of one tensor: raw -> ``W_G + a (W - W_G)``, a the softness.

    Raises:
        ModelError: MS-223, a softness that varies over voxels or inputs.
    """

    def __init__(self, softness: Softness, field_out: GroupAction) -> None:
        super().__init__(softness, ChannelAction.trivial(field_out.channels))
        self.field_out = field_out
        if isinstance(softness, GroupSoftness):
            check_same_group(softness.group, field_out.group)
        if softness.varies:
            raise ModelError(
                code="MS-223",
                subject=f"softness for {field_out.group.name}",
                cause="it differs between voxels or inputs, which group layers do not carry",
                fix="use one softness per layer or per channel",
            )

    def act(self, tensor: Tensor, g: int) -> Tensor:
        """What g does to the tensor: ``g W g^-1`` for a kernel, ``rho(g) b`` for a bias."""
        raise NotImplementedError

    def projected(self, tensor: Tensor) -> Tensor:
        """W_G, the Reynolds projection."""
        return group_average(self.field_out.group, self.act, tensor)

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_G, W - W_G), orthogonal; they add up to the raw tensor, or to the mixed one."""
        softness = self.softness
        full = softness.soften(raw, self.act) if isinstance(softness, GroupSoftness) else raw
        kept = self.projected(full)
        return kept, full - kept

    def factor(self, raw: Tensor) -> Tensor:
        """The softness, averaged over the channels that the group exchanges."""
        if isinstance(self.softness, GroupSoftness):
            return raw.new_ones(())  # it is in the mixture already
        value = self.softness.value.to(raw.dtype)
        if value.numel() > 1:
            value = project_vector(value, self.field_out, signed=False)
        shape = [1] * raw.ndim
        shape[self._dim] = value.numel()
        value = value.reshape(shape)
        return value.detach() if "softness" in self.frozen else value

    def forward(self, raw: Tensor) -> Tensor:
        """The tensor that the layer runs with."""
        if self.frozen:
            return super().forward(raw)
        if isinstance(self.softness, GroupSoftness):
            return self.softness.soften(raw, self.act)
        kept = self.projected(raw)
        return kept if self.softness.is_exact else torch.lerp(kept, raw, self.factor(raw))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The raw tensor from which an ordinary tensor is trained on."""
        if isinstance(self.softness, GroupSoftness):
            return self.softness.start(weight, self.act)
        return weight


class GroupKernel(GroupWeight):
    """Parametrisation of a convolution kernel."""

    def __init__(
        self,
        field_in: GroupAction,
        field_out: GroupAction,
        softness: Softness,
        *,
        transposed: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__(softness, field_out)
        self.field_in = field_in
        self.transposed, self.groups = transposed, groups
        self._dim = int(transposed)

    def act(self, tensor: Tensor, g: int) -> Tensor:
        """Kernel of ``g W g^-1``."""
        return conjugate_kernel(
            tensor,
            g,
            self.field_in,
            self.field_out,
            transposed=self.transposed,
            groups=self.groups,
        )


class GroupVector(GroupWeight):
    """Parametrisation of a bias (signed) or of a norm's scale (unsigned)."""

    def __init__(self, field: GroupAction, softness: Softness, *, signed: bool = True) -> None:
        super().__init__(softness, field)
        self.signed = signed

    def act(self, tensor: Tensor, g: int) -> Tensor:
        """``rho(g) b``, without the signs for a scale."""
        return self.field_out.apply(tensor, g, dim=0, signed=self.signed)


def soften_group_layer(
    layer: nn.Module,
    *,
    action_in: GroupAction,
    action_out: GroupAction,
    softness: Softness | None = None,
) -> nn.Module:
    """Attach a grid group to one Conv3d, ConvTranspose3d or InstanceNorm3d, in place.

    Args:
        layer: The layer; grouped convolutions too, where the group maps groups onto groups.
        action_in: Channel action on the input.
        action_out: Channel action on the output.
        softness: Shared by the tensors of the layer; None is exact. A :class:`GroupSoftness`
            mixes subgroups or elements.

    Raises:
        ModelError: MS-233, another kind of layer; MS-212, a softness per channel on a grouped
            transposed convolution.
        GridError: MS-293, a kernel, stride, padding or dilation that the group turns into another
            one; MS-296 to MS-298.
    """
    shared = Softness() if softness is None else softness
    if isinstance(layer, nn.InstanceNorm3d):
        action_out.check_signed("InstanceNorm3d")
        if layer.affine:
            attach(layer, "weight", GroupVector(action_out, shared, signed=False))
            attach(layer, "bias", GroupVector(action_out, shared))
        return layer
    if not isinstance(layer, Convolution):
        raise ModelError(
            code="MS-233",
            subject=type(layer).__name__,
            cause="soften_group_layer() does not know this layer",
            fix="use Conv3d, ConvTranspose3d or InstanceNorm3d, or GroupEquivariant on the output",
        )
    transposed = isinstance(layer, nn.ConvTranspose3d)
    if transposed and layer.groups != 1 and shared.value.numel() > 1:
        raise ModelError(
            code="MS-212",
            subject=type(layer).__name__,
            cause=f"groups={layer.groups} with a softness per channel is not supported",
            fix="give a grouped transposed convolution a single softness",
        )
    for numbers in ("kernel_size", "stride", "padding", "dilation", "output_padding"):
        if not isinstance(getattr(layer, numbers), str):
            name = f"{type(layer).__name__} {numbers.removesuffix('_size')}"
            action_in.group.check_grid(getattr(layer, numbers), name=name)
    kernel = GroupKernel(action_in, action_out, shared, transposed=transposed, groups=layer.groups)
    attach(layer, "weight", kernel)
    attach(layer, "bias", GroupVector(action_out, shared))
    return layer


def group_kernel(layer: nn.Module) -> GroupKernel:
    """The group parametrisation of a layer's weight.

    Raises:
        ModelError: MS-213, the layer carries no symmetry; MS-233, it carries no grid group.
    """
    kernel, _ = parametrisation(layer, "weight")
    if not isinstance(kernel, GroupKernel):
        raise ModelError(
            code="MS-233",
            subject=type(layer).__name__,
            cause=f"its weight carries {type(kernel).__name__}, not a grid group",
            fix="call soften_group_layer(layer, action_in=..., action_out=...) first",
        )
    return kernel
