"""Parts of ``W_even + a W_odd`` that do not learn: for a stage of training, or for some samples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from medsym.errors import ConfigError
from medsym.symmetry.parametrisation import SoftTensor, soft_tensors
from medsym.symmetry.soft_weight import OddPath, Part, SoftWeight
from medsym.symmetry.softness import Softness, softnesses

_ODD_PATH: frozenset[Part] = frozenset(("odd", "softness"))


@contextmanager
def even_only(model: nn.Module) -> Iterator[None]:
    """Within the block, passes through ``model`` give gradients to even parts only.

    The function is unchanged: the odd parts and the softness still act, as constants. A network
    that checkpoints activations runs again during ``backward()``: call it within the block too.
    """
    paths = odd_paths(model)
    before = [path.frozen for path in paths]
    try:
        for path in paths:
            path.frozen = path.frozen | _ODD_PATH
        yield
    finally:
        for path, frozen in zip(paths, before, strict=True):
            path.frozen = frozen


def odd_paths(model: nn.Module) -> list[OddPath]:
    """All modules of a network that have an odd part."""
    return [module for module in model.modules() if isinstance(module, OddPath)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A span of training in which some parts of ``W_even + a W_odd`` do not move.

    Attributes:
        until: Progress at which the stage ends, in (0, 1].
        frozen: Any of "even", "odd" and "softness".
    """

    until: float
    frozen: frozenset[Part]


class StagedFreezing:
    """Freezes parts of all soft weights by stages; exact with every optimiser.

    A frozen part gets no gradient, but an optimiser with momentum, with decay or with a scale per
    element (Adam) would move it all the same: it is put back after each step. Call ``at`` before
    the forward pass and ``after_step`` after the optimiser's step.

    Args:
        model: A network with softened layers.
        stages: In order of ``until``; after the last one nothing is frozen.

    Raises:
        ConfigError: MS-227, stages out of order or an unknown part; a layer whose raw tensor does
            not hold the part that a stage freezes.
    """

    def __init__(self, model: nn.Module, stages: Sequence[Stage]) -> None:
        ends = [stage.until for stage in stages]
        unknown = {part for stage in stages for part in stage.frozen} - set(get_args(Part))
        in_order = ends == sorted(set(ends)) and all(0.0 < end <= 1.0 for end in ends)
        if not in_order or unknown:
            raise ConfigError(
                code="MS-227",
                subject="stages",
                cause=f"unknown parts {sorted(unknown)}" if unknown else f"they end at {ends}",
                fix="freeze 'even', 'odd' or 'softness'; let `until` rise within (0, 1]",
            )
        self._tensors = list(soft_tensors(model))
        for part in sorted({p for stage in stages for p in stage.frozen} & {"even", "odd"}):
            _check_holds(self._tensors, part)
        trained = [s for _, s in softnesses(model) if any(p.requires_grad for p in s.parameters())]
        self._softnesses = trained
        self._stages = tuple(stages)
        self._frozen: frozenset[Part] = frozenset()
        self._kept: list[Tensor] = []

    def at(self, progress: float) -> None:
        """Enter the stage of this progress in [0, 1]."""
        current = (frozenset(s.frozen) for s in self._stages if progress < s.until)
        frozen = next(current, frozenset())
        if frozen == self._frozen:
            return
        self._frozen = frozen
        for tensor in self._tensors:
            tensor.weight.frozen = frozen
        for softness in self._softnesses:
            _train(softness, on="softness" not in frozen)
        self._kept = [_part(t.weight, t.raw, frozen).clone() for t in self._tensors]

    @torch.no_grad()
    def after_step(self) -> None:
        """Put the frozen parts back."""
        if self._frozen & {"even", "odd"}:
            for tensor, kept in zip(self._tensors, self._kept, strict=True):
                tensor.raw.copy_(tensor.raw - _part(tensor.weight, tensor.raw, self._frozen) + kept)


@torch.no_grad()
def _part(weight: SoftWeight, raw: Tensor, frozen: frozenset[Part]) -> Tensor:
    """The frozen part of a raw tensor."""
    even, odd = weight.split(raw)
    return even * float("even" in frozen) + odd * float("odd" in frozen)


def _check_holds(tensors: Sequence[SoftTensor], part: Part) -> None:
    """Refuse raw tensors from which the part cannot be taken out and put back.

    A steerable kernel has its even part elsewhere, a softness of a grid group mixes its kernels.
    """
    chosen: frozenset[Part] = frozenset((part,))
    drawn = torch.Generator().manual_seed(0)
    for tensor in tensors:
        shape, device = tensor.raw.shape, tensor.raw.device
        probe = torch.rand(shape, generator=drawn, dtype=torch.float64).to(device)
        held = _part(tensor.weight, probe, chosen)
        fits = held.shape == shape
        left = _part(tensor.weight, probe - held, chosen) if fits else held
        if not fits or float(left.abs().max()) > 1e-3:
            raise ConfigError(
                code="MS-227",
                subject=tensor.layer or "stages",
                cause=f"its raw {tensor.name} does not hold an {part} part of its own",
                fix="freeze 'softness' alone, or set requires_grad_(False) on its parameters",
            )


def _train(softness: Softness, *, on: bool) -> None:
    """Let a softness learn, or not: optimisers pass over parameters without a gradient."""
    for parameter in softness.parameters():
        parameter.requires_grad_(on)
        if not on:
            parameter.grad = None
