"""How much of the space of equivariant kernels a layer's parameters reach.

The equivariant 3x3x3 kernels from one regular field to one are half of all 108 numbers; what a
layer reaches is the rank of the linear map from its parameters to its kernel.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from medsym.nn.representations import Fields, escnn, mirror_space, representations_of
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parts import split_kernel


def kernel_spaces() -> dict[str, float]:
    """Rank over dimension of the equivariant kernels: ours and escnn's default ``R3Conv``.

    Returns:
        ``dimension``, ``ours`` and ``escnn`` (shares of it), and ``escnn_parameters``, escnn's
        number of parameters over the dimension.
    """
    action = ChannelAction.regular(1)
    shape = (2, 2, 3, 3, 3)
    size = 2 * 2 * 27
    ours = _rank(lambda raw: split_kernel(raw.reshape(shape), action, action)[0], size)
    fields = escnn.nn.FieldType(mirror_space(), representations_of(Fields(regular=1)))
    layer = escnn.nn.R3Conv(fields, fields, 3, padding=1, bias=False)
    parameters = layer.weights.numel()
    theirs = _rank(layer.basisexpansion, parameters)
    dimension = size // 2
    return {
        "dimension": float(dimension),
        "ours": ours / dimension,
        "escnn": theirs / dimension,
        "escnn_parameters": parameters / dimension,
    }


def _rank(kernel: Callable[[Tensor], Tensor], parameters: int) -> int:
    """Rank of a linear map from ``parameters`` numbers to a kernel."""
    with torch.no_grad():
        rows = [kernel(unit).flatten() for unit in torch.eye(parameters)]
    return int(torch.linalg.matrix_rank(torch.stack(rows).double(), rtol=1e-4))
