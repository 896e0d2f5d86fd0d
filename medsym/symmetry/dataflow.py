"""Which tensors hold what came from an input, seen below torch's functions.

The dispatcher runs every kernel, also those inside compiled functions (``torch.jit``), which a
torch function mode does not see; and it knows which tensors a kernel writes to, whose memory other
tensors may share. ``medsym.symmetry.walk`` asks here before it takes a tensor for a constant.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, UntypedStorage
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode


class Dataflow(TorchDispatchMode):
    """While active, follows what comes from marked tensors through every kernel.

    Memory is followed, not tensors: what is written through one view is read through the others.

    Attributes:
        overwritten: Memory that kernels have written to since it was last cleared.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.overwritten: set[int] = set()
        self._derived: dict[int, UntypedStorage] = {}  # held, so that an address stays its own

    def mark(self, tensor: Tensor) -> None:
        """State that a tensor comes from the input."""
        self._derived[memory_of(tensor)] = tensor.untyped_storage()

    def release(self, tensor: Tensor) -> None:
        """State that a tensor counts as a constant, however it was made."""
        self._derived.pop(memory_of(tensor), None)

    def derived(self, tensor: Tensor) -> bool:
        """Whether a tensor was computed from marked ones."""
        return memory_of(tensor) in self._derived

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the kernel and note where its results are."""
        named = dict(kwargs or {})
        output = func(*args, **named)
        read = {memory_of(tensor) for tensor in tensors_in((args, named))}
        written = list(_written(func, args, named))
        self.overwritten.update(memory_of(tensor) for tensor in written)
        if read & self._derived.keys():
            for tensor in (*written, *tensors_in(output)):
                self.mark(tensor)
        return output


def memory_of(tensor: Tensor) -> int:
    """The memory that a tensor shares with its views; valid while one of them lives."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001


def tensors_in(value: object) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from tensors_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from tensors_in(entry)


def _written(func: OpOverload, args: Sequence[Any], named: Mapping[str, Any]) -> Iterator[Tensor]:
    """The arguments that a kernel writes to."""
    if not func._schema.is_mutable:  # noqa: SLF001
        return
    for place, argument in enumerate(func._schema.arguments):  # noqa: SLF001
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else named.get(argument.name)
            yield from tensors_in(value)
