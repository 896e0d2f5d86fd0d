"""Pointwise maps and GELU on channels in two halves, trivial then sign.

Linear maps that commute with the mirror do not mix the types: two blocks of half the size do all
(Boekman, Nordstroem, Kahl, "Flopping for FLOPs", arXiv 2502.05169, section 3). A non-linearity
has to act in the regular basis, one butterfly ``(t + s, t - s)`` away; the factors 1 / sqrt 2 of
the butterflies are in the weights. Tensors here are (b, 2, c / 2, voxels), dimension 1 the type.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Typed = Callable[[int, int], Tensor]

_CHUNK = 1024  # voxels whose hidden channels stay in the cache; 512 to 2048 measure alike


def butterfly(pair: Tensor) -> Tensor:
    """(t, s) -> (t + s, t - s) along dimension -3; twice is 2."""
    first, second = pair.unbind(-3)
    return torch.stack((first + second, first - second), dim=-3)


def _butterfly_in_place(pair: Tensor) -> Tensor:
    first, second = pair.unbind(-3)
    first.add_(second)
    torch.sub(first, second, alpha=2, out=second)  # t + s - 2 s
    return pair


class _RegularGelu(torch.autograd.Function):
    """Butterfly, GELU, butterfly; keeps one tensor for the backward pass instead of three."""

    generate_vmap_rule = True

    @staticmethod
    def forward(hidden: Tensor) -> Tensor:
        """(..., 2, c, voxels) to the same shape."""
        return _butterfly_in_place(F.gelu(butterfly(hidden)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Keep the input."""
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The Jacobian is symmetric, so it serves both directions."""
        return _regular_slope(ctx.saved_tensors[0], gradients[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        """Forward mode: the same Jacobian."""
        return _regular_slope(ctx.saved_tensors[0], tangents[0])


def _regular_slope(hidden: Tensor, direction: Tensor) -> Tensor:
    regular, turned = butterfly(hidden), butterfly(direction)
    return butterfly(torch.ops.aten.gelu_backward(turned, regular))


def regular_gelu(hidden: Tensor) -> Tensor:
    """GELU in the regular basis, without the two factors 1 / sqrt 2.

    Args:
        hidden: (..., 2, c, voxels), dimension -3 the type, already divided by sqrt 2.

    Returns:
        The same shape, sqrt 2 times too large: the next map divides by it.
    """
    output: Tensor = _RegularGelu.apply(hidden)  # type: ignore[no-untyped-call]
    return output


@dataclass(frozen=True, kw_only=True, slots=True)
class HalfMaps:
    """Block-diagonal weights of expansion, GELU and projection, 1 / sqrt 2 included.

    Args:
        expand: (2, hidden / 2, c / 2).
        expand_bias: (hidden / 2, 1), of the trivial channels; sign channels have none.
        project: (2, c / 2, hidden / 2).
        project_bias: (c / 2, 1).
    """

    expand: Tensor
    expand_bias: Tensor
    project: Tensor
    project_bias: Tensor

    def apply(self, features: Tensor, residual: Tensor) -> Tensor:
        """``residual + project(gelu(expand(features)))``, differentiable.

        Args:
            features: (b, 2, ..., voxels), dimension 1 the type, c / 2 channels between.
            residual: (b, 2, c / 2, voxels).
        """
        batch, voxels = residual.shape[0], residual.shape[-1]

        def mapped(weight: Tensor, bias: Tensor, channels: Tensor) -> Tensor:
            both = torch.stack((bias, torch.zeros_like(bias)))
            rows = channels.reshape(2 * batch, -1, voxels)
            return torch.baddbmm(both.repeat(batch, 1, 1), weight.repeat(batch, 1, 1), rows)

        hidden = mapped(self.expand, self.expand_bias, features)
        active = regular_gelu(hidden.view(batch, 2, -1, voxels))
        output = mapped(self.project, self.project_bias, active)
        return residual + output.view(residual.shape)

    def apply_in_chunks(self, typed: Typed, residual: Tensor, target: Tensor) -> None:
        """The same for one sample without gradients; the hidden channels never leave the cache.

        Args:
            typed: (first voxel, count) -> features (2, c / 2, count).
            residual: (2, c / 2, voxels).
            target: Receives the output, of the same shape.
        """
        for start in range(0, residual.shape[-1], _CHUNK):
            size = min(_CHUNK, residual.shape[-1] - start)
            hidden = torch.bmm(self.expand, typed(start, size))
            hidden[0].add_(self.expand_bias)
            hidden = _butterfly_in_place(F.gelu(_butterfly_in_place(hidden)))
            part = torch.baddbmm(residual.narrow(-1, start, size), self.project, hidden)
            part[0].add_(self.project_bias)
            target.narrow(-1, start, size).copy_(part)


@dataclass(frozen=True, kw_only=True, slots=True)
class DenseMaps:
    """Expansion and projection of an ordinary block, hidden channels in the regular basis.

    Args:
        expand: (hidden, c, 1, 1, 1).
        expand_bias: (hidden,).
        project: (c, hidden, 1, 1, 1).
        project_bias: (c,).
    """

    expand: Tensor
    expand_bias: Tensor
    project: Tensor
    project_bias: Tensor

    def apply(self, features: Tensor) -> Tensor:
        """``project(gelu(expand(features)))`` of (b, c, x, y, z)."""
        hidden = F.gelu(F.conv3d(features, self.expand, self.expand_bias))
        return F.conv3d(hidden, self.project, self.project_bias)
