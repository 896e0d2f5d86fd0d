"""What symmetry costs: processor time of the network as audited against cheaper forms of it.

All forms run in turns, so that other programs disturb them alike; the ratio is taken within each
round, and its median over the rounds is reported.
"""

import copy
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsym.audit.layers import evaluating
from medsym.audit.subject import Subject
from medsym.symmetry.parametrisation import fold, soft_tensors

REPEATS = 5
"""Rounds after one that warms up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """One form of the network.

    Attributes:
        form: What ran.
        cpu_seconds: Median processor time of one pass over one volume, on one thread.
        ratio: Median over the rounds of this time over the last form's.
    """

    form: str
    cpu_seconds: float
    ratio: float


def cost_of(subject: Subject, volume: Tensor, *, repeats: int = REPEATS) -> tuple[Cost, ...]:
    """Processor time of the subject's network and of its cheaper forms, the cheapest last.

    Forms: the network as audited; folded, if it is softened and its softness is uniform; one
    plain pass, if it wraps a network that it calls twice.
    """
    forms: dict[str, nn.Module] = {"as audited": subject.network}
    folded = _folded(subject.network)
    if folded is not None:
        forms["folded"] = folded
    if subject.plain is not None:
        forms["one plain pass"] = _folded(subject.plain) or subject.plain
    return measured_cost(forms, volume, repeats=repeats)


def _folded(network: nn.Module) -> nn.Module | None:
    """A folded copy; None if nothing can be folded."""
    weights = [tensor.weight for tensor in soft_tensors(network)]
    if not weights or any(weight.softness.uniform is None for weight in weights):
        return None
    return fold(copy.deepcopy(network))


def measured_cost(
    forms: Mapping[str, nn.Module], volume: Tensor, *, repeats: int = REPEATS
) -> tuple[Cost, ...]:
    """Processor time of several networks on one volume; ratios are to the last one.

    Args:
        forms: Name -> network.
        volume: (1, c, x, y, z).
        repeats: Rounds that count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(repeats + 1):
            for name, network in forms.items():
                with evaluating(network), torch.no_grad():
                    start = time.process_time()
                    network(volume)
                    spent = time.process_time() - start
                if number:
                    seconds[name].append(spent)
    finally:
        torch.set_num_threads(threads)
    reference = list(seconds.values())[-1]
    return tuple(
        Cost(
            form=name,
            cpu_seconds=statistics.median(spent),
            ratio=statistics.median(a / b for a, b in zip(spent, reference, strict=True)),
        )
        for name, spent in seconds.items()
    )
