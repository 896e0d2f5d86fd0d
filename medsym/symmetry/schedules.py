"""Softness over the course of training: schedules, curricula, learning rates and decay.

A schedule maps the progress of a run, 0 to 1, to a softness; :func:`set_softness` writes it.
Strict at the end is exact: softness 0 is written as 0. What is said about optimisers holds for
any torch optimiser.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from medsym.errors import ConfigError, ModelError
from medsym.symmetry.freezing import Stage, StagedFreezing
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.softness import load_softness, softness_values, softnesses

__all__ = [
    "Schedule",
    "Stage",
    "StagedFreezing",
    "constant",
    "curriculum",
    "decay_odd_parts",
    "load_softness",
    "parameter_groups",
    "set_softness",
    "soft_to_strict",
    "softness_values",
    "strict_to_soft",
    "triangle",
]

Schedule = Callable[[float], float]
"""Progress of training in [0, 1] -> softness in [0, 1]."""


def constant(softness: float) -> Schedule:
    """The same softness all along."""
    return _through((0.0, softness))


def strict_to_soft(softness: float, *, start: float = 0.0, end: float = 1.0) -> Schedule:
    """0 until ``start``, then a straight rise that reaches ``softness`` at ``end``."""
    return _through((start, 0.0), (end, softness))


def soft_to_strict(softness: float, *, start: float = 0.0, end: float = 1.0) -> Schedule:
    """``softness`` until ``start``, then a straight fall that reaches exactly 0 at ``end``."""
    return _through((start, softness), (end, 0.0))


def triangle(peak: float, *, at: float = 0.5) -> Schedule:
    """0 to ``peak`` at progress ``at``, and back to exactly 0: constraint relaxation.

    Pertigkiozoglou et al., "Improving Equivariant Model Training via Constraint Relaxation",
    NeurIPS 2024, arXiv 2408.13242: ``W_even + theta_t W_odd`` with W_odd zero at first
    (:func:`medsym.symmetry.relaxation.clear_odd_parts`) and a strict network at the end.
    """
    return _through((0.0, 0.0), (at, peak), (1.0, 0.0))


def _through(*points: tuple[float, float]) -> Schedule:
    """Straight lines through (progress, softness) points, level before and after them.

    Raises:
        ConfigError: MS-224, progress that does not rise or numbers outside [0, 1].
    """
    times, values = zip(*points, strict=True)
    rising = all(a < b for a, b in pairwise(times))
    if not rising or not all(0.0 <= number <= 1.0 for point in points for number in point):
        raise ConfigError(
            code="MS-224",
            subject="softness schedule",
            cause=f"(progress, softness) goes through {points}",
            fix="use softness and progress in [0, 1], and let start come before end",
        )

    def schedule(progress: float) -> float:
        for i in range(1, len(points)):
            if progress < times[i]:
                share = min(max((progress - times[i - 1]) / (times[i] - times[i - 1]), 0.0), 1.0)
                return float(values[i - 1] + share * (values[i] - values[i - 1]))
        return float(values[-1])

    return schedule


def curriculum(names: Sequence[str], schedule: Schedule) -> dict[str, Schedule]:
    """The schedule for one layer after the other: layer k of n runs it from k / n to (k + 1) / n.

    Args:
        names: Layers as :func:`softness_values` names them, in the order in which they start; from
            the head down to the stem is ``list(softness_values(model))[::-1]`` where layers were
            registered from stem to head.
        schedule: Of one layer over its own span.

    Returns:
        Schedule by layer; ``set_softness(model, {n: s(progress) for n, s in ...items()})``.
    """
    count = len(names)

    def during(position: int) -> Schedule:
        return lambda progress: schedule(min(max(progress * count - position, 0.0), 1.0))

    return {name: during(position) for position, name in enumerate(names)}


def set_softness(model: nn.Module, value: float | Mapping[str, float]) -> None:
    """Write softness now.

    Args:
        model: A network with softened layers.
        value: One number for every constant softness (learned ones are left alone), or a number
            per layer name, constant or learned; a learned softness written by name is from then
            on no longer trained. Layers that were built without softness are constant 0 and are
            written too: name layers where some must stay exact.

    Raises:
        ModelError: MS-225, there is no constant softness, or an unknown name.
    """
    own = dict(softnesses(model))
    if isinstance(value, Mapping):
        targets = {name: float(number) for name, number in value.items()}
    else:
        targets = {name: float(value) for name, s in own.items() if not s.learned}
    unknown = sorted(targets.keys() - own.keys())
    if unknown or not targets:
        raise ModelError(
            code="MS-225",
            subject=type(model).__name__,
            cause=f"no softness is called {', '.join(unknown)}"
            if unknown
            else "it has no constant softness to write",
            fix="use names of softness_values(model); learned softness is written by name only",
        )
    for name, number in targets.items():
        softness = own[name]
        softness.write(number)
        if softness.learned:
            softness.logit.requires_grad_(False)
            softness.logit.grad = None  # optimisers pass over it


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    softness_rate: float | None = None,
    weight_decay: float = 0.0,
    odd_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Parameter groups for a torch optimiser: learned softness has a rate of its own.

    The raw weights hold even and odd part together, so a decay of the odd part alone is applied
    after the optimiser's step: :func:`decay_odd_parts` reads it from the groups.

    Args:
        model: A network with softened layers.
        learning_rate: Of everything but softness.
        softness_rate: Of learned softness, which is never decayed; None is five times the
            learning rate, the ratio of the shipped training settings.
        weight_decay: Of everything but softness.
        odd_decay: On top of ``weight_decay``, for the odd parts alone; None has no such group.
            Residual pathway priors (Finzi et al. 2021, arXiv 2112.01388) have prior variances
            1 / weight_decay on W_even and 1 / (weight_decay + odd_decay) on W_odd.

    Returns:
        The groups, in a fixed order; parameters that are not trained are included.
    """
    soft = {id(p): p for _, s in softnesses(model) for p in s.parameters()}
    raw = {id(t.raw): t.raw for t in soft_tensors(model)} if odd_decay is not None else {}
    rest = [p for p in model.parameters() if id(p) not in soft and id(p) not in raw]
    usual = {"lr": learning_rate, "weight_decay": weight_decay}
    groups: list[dict[str, Any]] = [{"params": rest, **usual}]
    if soft:
        own = 5.0 * learning_rate if softness_rate is None else softness_rate
        groups.append({"params": list(soft.values()), "lr": own, "weight_decay": 0.0})
    if raw:
        groups.append({"params": list(raw.values()), **usual, "odd_decay": odd_decay})
    return groups


@torch.no_grad()
def decay_odd_parts(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """``W_odd <- (1 - lr odd_decay) W_odd``, decoupled as in AdamW; call after ``step()``.

    Raises:
        ConfigError: MS-226, the optimiser has no group with ``odd_decay``.
    """
    factors = {
        id(p): group["lr"] * group["odd_decay"]
        for group in optimiser.param_groups
        for p in group["params"]
        if group.get("odd_decay") is not None
    }
    if not factors:
        raise ConfigError(
            code="MS-226",
            subject="optimiser",
            cause="none of its parameter groups has an odd_decay",
            fix="build it from parameter_groups(model, ..., odd_decay=...)",
        )
    for tensor in soft_tensors(model):
        if id(tensor.raw) in factors:
            _, odd = tensor.weight.split(tensor.raw)
            tensor.raw.sub_(odd, alpha=factors[id(tensor.raw)])
