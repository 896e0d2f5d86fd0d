"""Following facts about tensors through every torch function that a network calls.

A network is run once under a torch function mode. Whoever asks gives facts about the input
(which channels the mirror swaps, how large a value or an error can be) and one rule per torch
function; a function without a rule that meets a known tensor is refused by the name of the
module that called it, never passed over in silence. This sees what happens between modules
(``torch.cat``, ``+``, ``interpolate``), which hooks on modules do not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from medsym.errors import ModelError

Fact = TypeVar("Fact")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Fact]):
    """One torch function as the network called it, before it runs.

    Attributes:
        function: The torch function, for example ``torch.nn.functional.conv3d``.
        name: Its name, for messages.
        module: The innermost module that is running; its path in the network is ``path``.
        path: Dotted name of that module, "" for the network itself.
        args: Positional arguments.
        kwargs: Keyword arguments.
        walk: Where facts are looked up: ``call.fact(tensor)``.
    """

    function: Callable[..., Any]
    name: str
    module: nn.Module
    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    walk: "Walk[Fact]"

    def fact(self, tensor: Tensor) -> Fact | None:
        """What is known about a tensor; None for weights and constants."""
        return self.walk.fact(tensor)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, however it was given."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def refuse(self, cause: str, fix: str) -> ModelError:
        """The error for a call that a rule cannot handle; raise it."""
        place = f"{self.path or 'network'} ({type(self.module).__name__})"
        return ModelError(code="MS-220", subject=place, cause=f"{self.name}: {cause}", fix=fix)


Rule = Callable[[Call[Fact], Any], Fact | None]
"""(call, output of the function) -> what is known about the output; None forgets.

In-place functions have run by then: their input tensor holds the output.
"""


class Walk(TorchFunctionMode, Generic[Fact]):
    """Runs a network once and applies rules; use :meth:`run`.

    Args:
        network: The network.
        rules: One rule per torch function. Functions without a rule may handle known tensors
            only if they return no tensor (sizes, types).
    """

    def __init__(
        self, network: nn.Module, *, rules: Mapping[Callable[..., Any], Rule[Fact]]
    ) -> None:
        super().__init__()
        self.network, self.rules = network, rules
        self._facts: dict[int, tuple[Tensor, Fact]] = {}
        self._running: list[tuple[str, nn.Module]] = []

    def fact(self, tensor: Tensor) -> Fact | None:
        """What is known about a tensor; None for weights and constants."""
        entry = self._facts.get(id(tensor))
        return entry[1] if entry is not None else None

    def learn(self, tensor: Tensor, fact: Fact) -> None:
        """State a fact about a tensor (the tensor is kept alive, so that its id stays its own)."""
        self._facts[id(tensor)] = (tensor, fact)

    def run(self, *inputs: tuple[Tensor, Fact]) -> Any:
        """The network's output for inputs with known facts; ask :meth:`fact` about it.

        Raises:
            ModelError: MS-220, a torch function without a rule, by module and function.
        """
        for tensor, fact in inputs:
            self.learn(tensor, fact)
        with ExitStack() as stack:
            for path, module in self.network.named_modules():
                enter = partial(self._enter, path)
                stack.callback(module.register_forward_pre_hook(enter).remove)
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            stack.enter_context(self)
            return self.network(*(tensor for tensor, _ in inputs))

    def _enter(self, path: str, module: nn.Module, _inputs: object) -> None:
        self._running.append((path, module))

    def _leave(self, module: nn.Module, _inputs: object, _output: object) -> None:
        if self._running and self._running[-1][1] is module:  # not after an error on the way in
            self._running.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the function, then its rule if it was given a known tensor."""
        named = dict(kwargs or {})
        known = any(self.fact(t) is not None for t in tensors_in((args, named)))
        output = func(*args, **named)
        if not known or not list(tensors_in(output)):
            return output
        path, module = self._running[-1] if self._running else ("", self.network)
        name = resolve_name(func) or getattr(func, "__name__", str(func))
        call = Call(
            function=func, name=name, module=module, path=path, args=args, kwargs=named, walk=self
        )
        if func not in self.rules:
            raise call.refuse(
                "no rule for this function is known",
                "add a rule, replace the operation, or treat the network as a whole by two passes",
            )
        fact = self.rules[func](call, output)
        for tensor in tensors_in(output):
            if fact is None:
                self._facts.pop(id(tensor), None)
            else:
                self.learn(tensor, fact)
        return output


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
