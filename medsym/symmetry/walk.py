"""Following facts about tensors through every torch function that a network calls.

A network is run once under a torch function mode. Whoever asks gives facts about the input
(which channels the mirror swaps, how large a value or an error can be) and one rule per torch
function; a function without a rule that meets a known tensor is refused by the name of the
module that called it, never passed over in silence. This sees what happens between modules
(``torch.cat``, ``+``, ``interpolate``), which hooks on modules do not. What leaves torch
(``item``, ``numpy``), runs compiled, or is read after it was overwritten through another tensor
is refused too: nothing that comes from the input is taken for a constant.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils.weak import WeakIdKeyDictionary

from medsym.errors import ModelError
from medsym.symmetry.dataflow import Dataflow, memory_of, tensors_in

_TREAT_AS_WHOLE = "replace the operation, or treat the network as a whole by two passes"
_METADATA = frozenset(
    (
        *("__get__", "__len__", "__repr__", "__format__", "__hash__"),
        *("size", "dim", "ndimension", "numel", "nelement", "stride", "storage_offset"),
        *("element_size", "get_device", "type", "data_ptr", "untyped_storage", "is_same_size"),
        *("is_floating_point", "is_complex", "is_contiguous", "is_signed", "is_inference"),
        *("is_pinned", "is_shared", "has_names", "result_type"),
    )
)
"""Functions that tell the form of a tensor, not its values."""

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
            only if they return no tensor (sizes, types) and write to none (``x[...] = y``).
    """

    def __init__(
        self, network: nn.Module, *, rules: Mapping[Callable[..., Any], Rule[Fact]]
    ) -> None:
        super().__init__()
        self.network, self.rules = network, rules
        self._facts = WeakIdKeyDictionary()
        self._stale = WeakIdKeyDictionary()
        self._flow = Dataflow()
        self._running: list[tuple[str, nn.Module]] = []

    def fact(self, tensor: Tensor) -> Fact | None:
        """What is known about a tensor; None for weights and constants."""
        found: Fact | None = self._facts.get(tensor)
        return found

    def learn(self, tensor: Tensor, fact: Fact) -> None:
        """State a fact about a tensor."""
        self._facts[tensor] = fact
        self._stale.pop(tensor, None)
        self._flow.mark(tensor)

    def run(self, *inputs: tuple[Tensor, Fact]) -> Any:
        """The network's output for inputs with known facts; ask :meth:`fact` about it.

        Raises:
            ModelError: MS-220, a torch function without a rule, by module and function, or a
                compiled module.
        """
        for tensor, fact in inputs:
            self.learn(tensor, fact)
        with ExitStack() as stack:
            for path, module in self.network.named_modules():
                _check_visible(path, module)
                enter = partial(self._enter, path)
                stack.callback(module.register_forward_pre_hook(enter).remove)
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            stack.enter_context(self._flow)
            stack.enter_context(self)
            return self._passed(*(tensor for tensor, _ in inputs))

    def _passed(self, *inputs: Tensor) -> Any:
        """The network's output; a compiled function cannot be followed (MS-220)."""
        try:
            return self.network(*inputs)
        except RuntimeError as error:
            if "TorchScript" not in str(error):
                raise
            path, module = self._running[-1] if self._running else ("", self.network)
            raise _hidden(path, module) from error

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
        given = list(tensors_in((args, named)))
        facts = [self.fact(tensor) for tensor in given]
        path, module = self._running[-1] if self._running else ("", self.network)
        name = resolve_name(func) or getattr(func, "__name__", str(func))
        call = Call(
            function=func, name=name, module=module, path=path, args=args, kwargs=named, walk=self
        )
        if getattr(func, "__name__", "") not in _METADATA:
            self._check_followed(call, given)
        self._flow.overwritten.clear()
        output = func(*args, **named)
        made = list(tensors_in(output))
        self._expire(made)
        if all(fact is None for fact in facts):
            return output
        if not made and getattr(func, "__name__", "") in _METADATA:
            return output
        if func not in self.rules:
            raise call.refuse(
                "no rule for this function is known", f"add a rule, {_TREAT_AS_WHOLE}"
            )
        if any(
            fact is None and any(t is m for m in made) for t, fact in zip(given, facts, strict=True)
        ):
            raise call.refuse("it overwrites a constant", "add out of place")
        self._conclude(self.rules[func](call, output), made)
        return output

    def _conclude(self, fact: Fact | None, made: Sequence[Tensor]) -> None:
        """Keep what a rule says about the results of a function."""
        for tensor in made:
            if fact is None:
                self._facts.pop(tensor, None)
                self._flow.release(tensor)
            else:
                self.learn(tensor, fact)

    def _check_followed(self, call: Call[Fact], given: Sequence[Tensor]) -> None:
        """Refuse tensors that come from the input in a way that was not followed (MS-220)."""
        for tensor in given:
            if tensor in self._stale:
                raise call.refuse(
                    "the memory of an operand was overwritten through another tensor",
                    "clone it before the in-place operation",
                )
            if self.fact(tensor) is None and self._flow.derived(tensor):
                raise call.refuse(
                    "an operand comes from the input through a function that cannot be seen, "
                    "such as a compiled one",
                    _TREAT_AS_WHOLE,
                )

    def _expire(self, made: Sequence[Tensor]) -> None:
        """Forget what was known about tensors whose memory a function has just overwritten."""
        if not self._flow.overwritten:
            return
        kept = {id(tensor) for tensor in made}
        for tensor in list(self._facts):
            if memory_of(tensor) in self._flow.overwritten and id(tensor) not in kept:
                del self._facts[tensor]
                self._stale[tensor] = True


def _check_visible(path: str, module: nn.Module) -> None:
    """Refuse a module whose functions cannot be seen (MS-220)."""
    if isinstance(module, torch.jit.ScriptModule):
        raise _hidden(path, module)


def _hidden(path: str, module: nn.Module) -> ModelError:
    return ModelError(
        code="MS-220",
        subject=f"{path or 'network'} ({type(module).__name__})",
        cause="compiled code (torch.jit) hides the functions that it calls",
        fix="give the Python code that it was compiled from",
    )
