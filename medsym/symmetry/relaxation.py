"""The relaxation morphism: a strict network becomes soft without changing its function.

Named after the architecture search of Maile, Wilson & Forre (arXiv 2210.05484), which lets layers
leave an equivariance constraint during training: the new freedom starts at zero. Here the raw
weights are first projected, so that W_odd = 0, and then get a softness that can be learned. The
way back is ``medsym.symmetry.harden`` (the odd part goes, the even part stays) or a schedule that
ends in softness 0.
"""

from collections.abc import Callable

import torch
from torch import nn

from medsym.errors import ModelError
from medsym.symmetry.freezing import odd_paths
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.softness import Softness, not_in_a_kernel

NewSoftness = Callable[[str], Softness]
"""Name of a layer -> its softness."""


def relax(model: nn.Module, softness: float | NewSoftness = 0.1) -> nn.Module:
    """Give every softened layer a softness of its own, in place, with the same function.

    The raw weights become ``W_even + (a_old / a_new) W_odd``: for a strict layer (a_old = 0) this
    is W_even, and the output does not change by a single bit. The gradient of the odd part is
    ``a_new`` times that of a free weight, so the softness must not start at 0; the softness itself
    starts to learn as soon as the odd part has left 0. Parameters keep their identity, but
    optimisers have to be built after this call, or they do not know the new softness. What has no
    weights to project (running statistics and Swin's position biases in softened MONAI networks)
    keeps the softness that it has.

    Args:
        model: A network with softened layers.
        softness: Start of one learned softness per layer, in (0, 1]; or a function of the layer's
            name, for example ``lambda name: Softness(0.1, learned=True, num_channels=8)``.

    Raises:
        ModelError: MS-229, no softened layers, a new softness of 0 or a softness that shares
            several kernels out; MS-223, a softness that varies over voxels or inputs.
    """
    made: dict[str, Softness] = {}
    tensors = list(soft_tensors(model))
    for tensor in tensors:
        if tensor.layer not in made:
            made[tensor.layer] = (
                softness(tensor.layer) if callable(softness) else Softness(softness, learned=True)
            )
        if tensor.weight.softness.varies or made[tensor.layer].varies:
            raise not_in_a_kernel(tensor.layer or type(model).__name__)
        if tensor.weight.split(tensor.raw)[0].shape != tensor.raw.shape:
            raise ModelError(
                code="MS-229",
                subject=tensor.layer or type(model).__name__,
                cause="its softness shares several kernels out, which no single one replaces",
                fix="harden() and fold() it, and soften the plain layer again",
            )
    smallest = min((float(new.value.detach().min()) for new in made.values()), default=0.0)
    if smallest <= 0.0:
        raise ModelError(
            code="MS-229",
            subject=type(model).__name__,
            cause="there are no softened layers"
            if not made
            else "a new softness of 0 cannot learn",
            fix="soften the network first; start the softness above 0, for example at 0.1",
        )
    for tensor in tensors:
        weight, raw = tensor.weight, tensor.raw
        with torch.no_grad():
            even, odd = weight.parts(raw)
            weight.softness = made[tensor.layer].to(raw.device)
            exact = not bool(odd.any())
            raw.copy_(even if exact else even + odd / weight.factor(raw))
    return model


@torch.no_grad()
def clear_odd_parts(model: nn.Module) -> nn.Module:
    """Set W_odd = 0 in every softened layer, in place: exact now, whatever the softness.

    Parts without weights to project (see :func:`relax`) become strict for good.

    The start that constraint relaxation (arXiv 2408.13242) and ACE need: softness may rise, and
    the network stays symmetric until the data pull it away.
    """
    for tensor in soft_tensors(model):
        tensor.raw.copy_(tensor.weight.split(tensor.raw)[0])
    for path in odd_paths(model):
        path.clear()
    return model
