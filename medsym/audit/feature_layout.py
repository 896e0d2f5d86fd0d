"""Which tensors inside a network are volumes, and how their axes are ordered.

A mirror can be compared only where the left-right axis is known. Features of convolutional
networks are (b, c, x, y, z); transformers also hold (b, x, y, z, c) and sequences of tokens
(b, n, c), where n counts the places of a coarser grid, z fastest. Anything else (windows,
attention maps, vectors) is not a volume here and is reported as not compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

Order = Literal["channels first", "channels last", "tokens"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor holds a volume.

    Args:
        order: Order of its axes.
        grid: Its spatial sizes (x, y, z).
    """

    order: Order
    grid: tuple[int, ...]

    def volume(self, tensor: Tensor) -> Tensor:
        """The tensor as (b, c, x, y, z); a view."""
        if self.order == "channels first":
            return tensor
        if self.order == "tokens":
            tensor = tensor.unflatten(1, self.grid)
        return tensor.movedim(-1, 1)

    def tensor(self, volume: Tensor) -> Tensor:
        """Back from (b, c, x, y, z) to the tensor's own axes."""
        if self.order == "channels first":
            return volume
        last = volume.movedim(1, -1)
        return last.flatten(1, 3) if self.order == "tokens" else last


def layout_of(
    tensor: Tensor, module: nn.Module, *, batch: int, grid: Sequence[int]
) -> Layout | None:
    """How a tensor that enters or leaves a module holds a volume; None if it does not.

    Args:
        tensor: Input or output of the module.
        module: Linear layers and layer norms act on the last axis, which settles doubtful cases;
            other tensors of five axes count as channels first unless only channels last fits.
        batch: Size that the first axis has to have.
        grid: Spatial sizes of the network's input.
    """
    if tensor.shape[:1] != (batch,) or not tensor.is_floating_point():
        return None
    if tensor.ndim == 3:
        places = _token_grid(tensor.shape[1], grid)
        return Layout("tokens", places) if places is not None else None
    if tensor.ndim != 5:
        return None
    first = Layout("channels first", tuple(tensor.shape[2:]))
    last = Layout("channels last", tuple(tensor.shape[1:4]))
    if isinstance(module, nn.Linear | nn.LayerNorm):
        return last if _is_coarser(last.grid, grid) else None
    return last if _is_coarser(last.grid, grid) and not _is_coarser(first.grid, grid) else first


def _is_coarser(sizes: Sequence[int], grid: Sequence[int]) -> bool:
    """Whether sizes are those of the grid divided by one factor, rounded either way, or +-1."""
    factor = max(1, round(grid[0] / sizes[0]))
    return all(abs(n - full / factor) <= 1.0 for n, full in zip(sizes, grid, strict=True))


def _token_grid(places: int, grid: Sequence[int]) -> tuple[int, ...] | None:
    """The grid divided by a whole factor that has so many places."""
    for factor in range(1, min(grid) + 1):
        sizes = tuple(size // factor for size in grid)
        if sizes[0] * sizes[1] * sizes[2] == places and not any(s % factor for s in grid):
            return sizes
    return None
