"""Rules of a walk looked up by the bare name of the torch function.

``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``+`` are one operation; a table of bare names
says so once.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from torch.overrides import resolve_name

from medsym.symmetry.walk import Rule

Fact = TypeVar("Fact")


def bare_name(function: Callable[..., Any]) -> str:
    """The name without module, class, underscores and the r or i of operators.

    Example:
        >>> import torch
        >>> bare_name(torch.Tensor.add_), bare_name(torch.Tensor.__rmul__)
        ('add', 'mul')
    """
    full = resolve_name(function) or getattr(function, "__name__", str(function))
    name = full.rsplit(".", 1)[-1]
    if name.startswith("__") and name.endswith("__"):
        inner = name.strip("_")
        return inner[1:] if inner[1:] in _OPERATORS and inner[0] in "ri" else inner
    return name.rstrip("_")


_OPERATORS = {"add", "sub", "mul", "truediv", "div", "pow"}


class NamedRules(Mapping[Callable[..., Any], Rule[Fact]]):
    """A mapping for :class:`Walk`: bare name -> rule, with a rule for everything else.

    Args:
        rules: One rule per bare name.
        otherwise: The rule of every other function.
    """

    def __init__(self, rules: Mapping[str, Rule[Fact]], otherwise: Rule[Fact]) -> None:
        self._rules, self._otherwise = rules, otherwise

    def __contains__(self, _function: object) -> bool:
        return True

    def __getitem__(self, function: Callable[..., Any]) -> Rule[Fact]:
        return self._rules.get(bare_name(function), self._otherwise)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter(())

    def __len__(self) -> int:
        return len(self._rules)
