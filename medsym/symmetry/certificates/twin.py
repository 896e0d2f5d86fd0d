"""A network and its mirror twin ``S f S``: the gap between them bounds the defect."""

from torch import Tensor

from medsym.symmetry.certificates.comparison import (
    Comparison,
    Geometry,
    KernelPair,
    Parameter,
    soft_weight,
)
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import SoftKernel
from medsym.symmetry.parts import twin_kernel


class Twin(Comparison):
    """f and its mirror twin ``S f S``: the gap at the output bounds the defect."""

    def kernel(self, use: Parameter, form: Geometry) -> KernelPair:
        """The twin kernel ``S W S`` differs by ``-2 a W_odd``; the gain uses W_even."""
        kernel, action_in = use.values.detach().double(), use.action
        outputs = kernel.shape[1] * form.groups if form.transposed else kernel.shape[0]
        found = soft_weight(use.call, "weight")
        soft = found[0] if found else None
        if soft is not None and not isinstance(soft, SoftKernel) and kernel.ndim == 5:
            raise use.call.refuse(
                "its kernel follows another group than one mirror", "fold it, or use two passes"
            )
        action_out = ChannelAction.trivial(outputs, axis=action_in.axis)
        if isinstance(soft, SoftKernel):
            action_out = soft.action_out
        volume = kernel if kernel.ndim == 5 else kernel[..., None, None, None]
        twin = twin_kernel(
            volume, action_in, action_out, transposed=form.transposed, groups=form.groups
        ).reshape(kernel.shape)
        odd_norm = form.norm((kernel - twin) / 2)
        gain = form.norm(kernel)
        return KernelPair(
            difference=twin - kernel,
            difference_norm=2.0 * odd_norm,
            gain=gain,
            gain_any=form.norm((kernel + twin) / 2) if odd_norm else gain,
            absolute=form.absolute(kernel),
            action_out=action_out,
        )

    def vector(self, use: Parameter) -> Tensor:
        """``R v - v``."""
        values, action = use.values.detach().double(), use.action
        if values.numel() == 1:
            return values.new_zeros(1) if not use.signed else action.apply(values, dim=0) - values
        return action.apply(values, dim=0, signed=use.signed) - values
