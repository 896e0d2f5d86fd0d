r"""Attention over a small window of places, one kernel for all its terms.

    match(v) = sum_o a_o(v) x(v + o),    a = softmax_o l,    l_o(v) = -s |k(v) - q(v + o)|^2 / K

over the (2 r + 1)^3 offsets o of a window, edges repeated, K the number of key channels. Left to
autograd, every offset keeps its own difference of keys, 216 values per voxel at radius 1 and 8 key
channels, and the gradient of every shifted view is written into a volume of zeros. Here the inputs
alone are kept and gradients are added in place. With ``g`` the gradient of the match and ``e_o =
a_o (g.x(v + o) - g.match)`` that of ``l_o``:

    dx(v + o) += a_o g,    dk -= 2 s/K e_o (k - q(v + o)),    dq(v + o) += 2 s/K e_o (k - q(v + o))

and ``ds = sum_o e_o l_o / s``. The forward mode follows from the same terms, and the gradients are
differentiable again.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def window_match(
    keys: Tensor, queried: Tensor, values: Tensor, sharpness: Tensor, *, radius: int
) -> Tensor:
    """Mean of the values in a window about every voxel, weighted by how well the keys agree.

    Args:
        keys: k (b, K, x, y, z).
        queried: q (b, K, x, y, z), compared with the keys at every offset.
        values: x (b, c, x, y, z).
        sharpness: s > 0, a single number.
        radius: r >= 1, voxels.

    Returns:
        (b, c, x, y, z) in float32, or in the type of the keys if that is wider.
    """
    wide = torch.promote_types(keys.dtype, torch.float32)
    tensors = (keys.to(wide), queried.to(wide), values, sharpness.to(wide))
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        match: Tensor = _WindowMatch.apply(*tensors, radius)  # type: ignore[no-untyped-call]
        return match
    return _match(*tensors, radius)


class _WindowMatch(torch.autograd.Function):
    """Keeps its inputs and computes the attention again for the backward pass."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        keys: Tensor, queried: Tensor, values: Tensor, sharpness: Tensor, radius: int
    ) -> Tensor:
        """See ``window_match``."""
        return _match(keys, queried, values, sharpness, radius)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the inputs."""
        del output
        *tensors, ctx.radius = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the four tensors."""
        return (*_gradients(*ctx.saved_tensors, ctx.radius, *gradients), None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Change of the match; the change of an input that is not asked for is None."""
        changes = [
            torch.zeros_like(tensor) if change is None else change
            for tensor, change in zip(ctx.saved_tensors, tangents[:4], strict=True)
        ]
        return _change(*ctx.saved_tensors, ctx.radius, *changes)


def _match(keys: Tensor, queried: Tensor, values: Tensor, sharpness: Tensor, radius: int) -> Tensor:
    attention = _logits(keys, queried, sharpness, radius).softmax(dim=1)
    match = torch.zeros_like(values, dtype=attention.dtype)
    for weight, value in zip(_each(attention), _windows(values, radius), strict=True):
        match.addcmul_(weight, value)
    return match


def _logits(keys: Tensor, queried: Tensor, sharpness: Tensor, radius: int) -> Tensor:
    """(b, offsets, x, y, z), the l of the module."""
    distances = [
        (keys - there).square_().sum(dim=1, keepdim=True) for there in _windows(queried, radius)
    ]
    return torch.cat(distances, dim=1).mul_(-sharpness / keys.shape[1])


def _gradients(
    keys: Tensor, queried: Tensor, values: Tensor, sharpness: Tensor, radius: int, *by: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of keys, queried, values and sharpness for that of the match."""
    (gradient,) = by
    logits = _logits(keys, queried, sharpness, radius)
    attention = logits.softmax(dim=1)
    places = _padded(values, radius)
    of_values, agreement = gradient.new_zeros(places.shape), []
    windows = zip(_shifts(places, radius), _shifts(of_values, radius), strict=True)
    for weight, (value, changed) in zip(_each(attention), windows, strict=True):
        agreement.append((gradient * value).sum(dim=1, keepdim=True))
        changed.addcmul_(weight, gradient)
    gains = torch.cat(agreement, dim=1)
    error = attention * (gains - (attention * gains).sum(dim=1, keepdim=True))
    slopes = error * (2.0 * sharpness / keys.shape[1])
    places = _padded(queried, radius)
    of_keys, of_queried = slopes.new_zeros(keys.shape), slopes.new_zeros(places.shape)
    windows = zip(_shifts(places, radius), _shifts(of_queried, radius), strict=True)
    for slope, (there, changed) in zip(_each(slopes), windows, strict=True):
        change = slope * (keys - there)
        of_keys.sub_(change)
        changed.add_(change)
    return (
        of_keys,
        _folded(of_queried, radius),
        _folded(of_values, radius).to(values.dtype),
        (error * logits).sum() / sharpness,
    )


def _change(
    keys: Tensor,
    queried: Tensor,
    values: Tensor,
    sharpness: Tensor,
    radius: int,
    *changes: Tensor,
) -> Tensor:
    """First-order change of the match for changes of the four tensors."""
    of_keys, of_queried, of_values, of_sharpness = changes
    logits = _logits(keys, queried, sharpness, radius)
    attention = logits.softmax(dim=1)
    places = zip(_windows(queried, radius), _windows(of_queried, radius), strict=True)
    moved = [
        ((keys - there) * (of_keys - moved_there)).sum(dim=1, keepdim=True)
        for there, moved_there in places
    ]
    risen = torch.cat(moved, dim=1) * (-2.0 * sharpness / keys.shape[1])
    risen = risen + logits * (of_sharpness / sharpness)
    shifted = attention * (risen - (attention * risen).sum(dim=1, keepdim=True))
    return sum(
        (
            moving * value + weight * moved_value
            for weight, moving, value, moved_value in zip(
                _each(attention),
                _each(shifted),
                _windows(values, radius),
                _windows(of_values, radius),
                strict=True,
            )
        ),
        start=torch.zeros_like(values, dtype=attention.dtype),
    )


def _each(weights: Tensor) -> tuple[Tensor, ...]:
    """The channels of (b, offsets, x, y, z), each (b, 1, x, y, z)."""
    return weights.split(1, dim=1)


def _padded(volume: Tensor, radius: int) -> Tensor:
    return F.pad(volume, (radius,) * 6, mode="replicate")


def _windows(volume: Tensor, radius: int) -> Iterator[Tensor]:
    """x(v + o) for every offset, edges repeated; views of one padded copy."""
    return _shifts(_padded(volume, radius), radius)


def _shifts(padded: Tensor, radius: int) -> Iterator[Tensor]:
    """Views of a padded volume that start at every offset of the window."""
    sizes = [n - 2 * radius for n in padded.shape[2:]]
    for starts in product(range(2 * radius + 1), repeat=3):
        x, y, z = (slice(s, s + n) for s, n in zip(starts, sizes, strict=True))
        yield padded[:, :, x, y, z]


def _folded(padded: Tensor, radius: int) -> Tensor:
    """Adjoint of padding with edges: what the margins hold is added to the edges."""
    for dim in (2, 3, 4):
        size = padded.shape[dim] - 2 * radius
        inner = padded.narrow(dim, radius, size).clone()
        inner.narrow(dim, 0, 1).add_(padded.narrow(dim, 0, radius).sum(dim, keepdim=True))
        last = padded.narrow(dim, radius + size, radius).sum(dim, keepdim=True)
        inner.narrow(dim, size - 1, 1).add_(last)
        padded = inner
    return padded
