"""A planned change of one layer: everything is planned and checked before anything is changed."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from medsym.models.retrofit.channels import LayerActions
from medsym.models.retrofit.report import Finding, Outcome, Problem
from medsym.symmetry.mirror import Axis
from medsym.symmetry.softness import Softness

SoftnessFor = Callable[[str, int], Softness]
"""(path of the layer, number of its output channels) -> its softness."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What will be done to one layer.

    Attributes:
        findings: For the report.
        apply: Changes the layer in place; None if nothing has to change.
    """

    findings: tuple[Finding, ...]
    apply: Callable[[], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Planning:
    """What planners know.

    Attributes:
        network: The network, not changed yet.
        axis: The mirrored axis.
        actions: Channel actions of its layers.
        softness: Makes the softness of a layer.
        grid: A grid (x, y, z) that the network runs on.
        window: Edge of attention windows along the axis, None to choose.
    """

    network: nn.Module
    axis: Axis
    actions: LayerActions
    softness: SoftnessFor
    grid: tuple[int, int, int]
    window: int | None = None


Planner = Callable[[Planning, str, nn.Module], Step]


def said(
    path: str, problem: Problem, outcome: Outcome, text: str, *, exact: bool = True
) -> Finding:
    """A finding, in one line."""
    return Finding(path=path, problem=problem, outcome=outcome, text=text, exact=exact)


def kept(path: str, problem: Problem, text: str) -> Step:
    """Nothing has to change."""
    return Step(findings=(said(path, problem, "kept", text),))


def refused(path: str, problem: Problem, text: str) -> Step:
    """Not possible."""
    return Step(findings=(said(path, problem, "refused", text),))
