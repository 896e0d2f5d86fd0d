"""The complete basis of mirror-steerable 3x3x3 kernels, taken from escnn's R3Conv.

By default escnn's basis spans 10 of the 27 symmetric dimensions per pair of a trivial and a
regular field. Rings through the voxel centres (radius 0, 1, sqrt 2, sqrt 3) with harmonics up to
the degree that tells the voxels of a ring apart span all of them. The coefficients are those of
R3Conv, in its order. Only tensors are kept: escnn shares its own expansion module among layers, so
that ``.double()`` on one converts all, and it cannot always be copied.
"""

from typing import Any

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.nn import representations
from medsym.nn.representations import mirror_space
from medsym.symmetry.mirror import ChannelAction

_RINGS = (0.0, 1.0, 2.0**0.5, 3.0**0.5)  # distances of the 27 voxels from the centre
_DEGREES = {0: 0, 1: 2, 2: 3, 3: 3}  # by squared radius: lowest that separates the ring's voxels
_RING_WIDTH = 0.05  # voxels; narrow enough that no ring reaches the next


class SteerableBasis(nn.Module):
    """Coefficients (n,) -> even kernel (out, in, 3, 3, 3), as escnn's R3Conv expands them.

    Args:
        action_in: Channel action on the input: trivial, sign and adjacent regular channels.
        action_out: Channel action on the output.

    Attributes:
        initial: escnn's initial coefficients (generalised He).

    Raises:
        ModelError: MS-237, an action that escnn has no field for.
    """

    def __init__(self, action_in: ChannelAction, action_out: ChannelAction) -> None:
        super().__init__()
        first, second = fields_of(action_in), fields_of(action_out)
        layer = steerable_layer(action_in, action_out)
        self.shape = (action_out.channels, action_in.channels)
        self.initial: Tensor = layer.weights.detach().clone()
        blocks = dict(layer.basisexpansion.named_children())
        self.pairs: list[tuple[str, int]] = []  # name of the block, number of its coefficients
        for pair in sorted({(i.name, o.name) for i in first for o in second}):
            block = blocks.get(f"block_expansion_{pair}")
            if block is None:  # no kernel maps one field to the other
                continue
            name = f"{pair[0]}_to_{pair[1]}"
            columns, rows = _channels(first, pair[0]), _channels(second, pair[1])
            basis = block.sampled_basis.detach().clone().to(self.initial.dtype)
            self.register_buffer(f"{name}_basis", basis)
            self.register_buffer(f"{name}_rows", rows, persistent=False)
            self.register_buffer(f"{name}_columns", columns, persistent=False)
            count = rows.numel() // basis.shape[1] * (columns.numel() // basis.shape[2])
            self.pairs.append((name, count * len(basis)))

    def forward(self, coefficients: Tensor) -> Tensor:
        """The kernel, in full precision also under autocast."""
        kernel = coefficients.new_zeros(*self.shape, 27)
        with torch.autocast(coefficients.device.type, enabled=False):
            parts = coefficients.split([count for _, count in self.pairs])
            for (name, _), part in zip(self.pairs, parts, strict=True):
                basis = self.get_buffer(f"{name}_basis")
                rows, columns = self.get_buffer(f"{name}_rows"), self.get_buffer(f"{name}_columns")
                fields = part.view(len(rows) // basis.shape[1], -1, len(basis))
                block = torch.einsum("oib,bpqk->opiqk", fields, basis)
                kernel[rows[:, None], columns] = block.reshape(len(rows), len(columns), 27)
        return kernel.unflatten(-1, (3, 3, 3))


def steerable_layer(action_in: ChannelAction, action_out: ChannelAction) -> Any:
    """A fresh escnn R3Conv, kernel 3, whose basis is complete.

    Raises:
        ModelError: MS-237, as :class:`SteerableBasis`.
    """
    space = mirror_space()
    escnn = representations.escnn
    return escnn.nn.R3Conv(
        escnn.nn.FieldType(space, fields_of(action_in)),
        escnn.nn.FieldType(space, fields_of(action_out)),
        3,
        padding=1,
        bias=False,
        rings=list(_RINGS),
        sigma=[_RING_WIDTH] * len(_RINGS),
        frequencies_cutoff=lambda radius: _DEGREES[round(radius**2)],
    )


def fields_of(action: ChannelAction) -> list[Any]:
    """The escnn representations of an action's channels, in channel order.

    Raises:
        ModelError: MS-237, channels that are not trivial, sign or adjacent regular ones along x.
    """
    group = representations.escnn.group.cyclic_group(2)
    fields = []
    for channel, (partner, sign) in enumerate(zip(action.perm, action.signs, strict=True)):
        if abs(partner - channel) > 1 or (partner != channel and sign < 0) or action.axis != "x":
            raise ModelError(
                code="MS-237",
                subject="steerable convolution",
                cause=f"{action} is no sum of trivial, sign and adjacent regular fields along x",
                fix="use mirror_action(trivial=..., sign=..., regular=...)",
            )
        if partner == channel:
            fields.append(group.trivial_representation if sign > 0 else group.irrep(1))
        elif partner > channel:
            fields.append(group.regular_representation)
    return fields


def _channels(fields: list[Any], name: str) -> Tensor:
    """Channels of all fields of one kind."""
    starts = torch.tensor([0, *(f.size for f in fields)]).cumsum(0)
    spans = zip(fields, starts[:-1], starts[1:], strict=True)
    return torch.cat([torch.arange(int(a), int(b)) for f, a, b in spans if f.name == name])
