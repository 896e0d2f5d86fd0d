"""Softness settings as a space to search, and the method that trains one point of it."""

from collections.abc import Callable
from typing import Literal, get_args

import optuna
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from medsym.benchmarks.methods.backbone import UNet
from medsym.benchmarks.methods.method import FREE, Method
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.parametrisation import soften_layer
from medsym.symmetry.penalties import SoftnessPenalty, learned_softnesses, softness_penalty
from medsym.symmetry.schedules import (
    Schedule,
    constant,
    soft_to_strict,
    softness_values,
    strict_to_soft,
    triangle,
)
from medsym.symmetry.softness import Softness, softnesses

Place = Literal["everywhere", "encoder", "decoder", "head"]
Course = Literal["learned", "constant", "strict_to_soft", "soft_to_strict", "triangle"]
SCHEDULES: dict[Course, Callable[[float], Schedule]] = {
    "constant": constant,
    "strict_to_soft": strict_to_soft,
    "soft_to_strict": soft_to_strict,
    "triangle": triangle,
}
HEAD, DECODER = ("hidden", "readout"), ("ups", "joins")


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SoftnessSpace(_Frozen):
    """What is searched; ranges are searched in their logarithm, choices as they are listed."""

    place: tuple[Place, ...] = Field(default=get_args(Place), min_length=1)
    course: tuple[Course, ...] = Field(default=get_args(Course), min_length=1)
    start: tuple[float, float] = (0.02, 1.0)
    softness_rate: tuple[float, float] = (2e-3, 2e-1)
    penalty: tuple[SoftnessPenalty, ...] = Field(default=get_args(SoftnessPenalty), min_length=1)
    price: tuple[float, float] = (1e-4, 1e-1)


class SoftnessChoice(_Frozen):
    """One point of the space.

    Attributes:
        place: Layers that may be soft; all others are strict.
        course: Learned from ``start``, or a schedule with ``start`` as its largest softness.
        start: Softness in (0, 1].
        softness_rate: Learning rate of learned softness.
        penalty: On learned softness.
        price: Weight of the penalty.
    """

    place: Place
    course: Course
    start: float = Field(gt=0.0, le=1.0)
    softness_rate: float = 1e-2
    penalty: SoftnessPenalty = "l1"
    price: float = 1e-3


class ChosenSoftness(Method):
    """Soft by weights, as a choice says.

    Args:
        budget: Data and steps.
        choice: Where softness is allowed and how it is set.
    """

    name, title = "chosen_softness", "soft by weights, searched"

    def __init__(self, budget: TrainingBudget, *, choice: SoftnessChoice) -> None:
        self.choice = choice
        super().__init__(budget.model_copy(update={"softness_rate": choice.softness_rate}))

    def build(self) -> nn.Module:
        """The backbone with softness where the choice allows it."""
        network, choice = UNet(FREE), self.choice
        names = {id(module): name for name, module in network.named_modules()}
        for layer, action_in, action_out in network.mirrored_layers():
            soft = allowed(names[id(layer)], choice.place)
            softness = Softness(
                choice.start if soft else 0.0, learned=soft and choice.course == "learned"
            )
            soften_layer(layer, action_in=action_in, action_out=action_out, softness=softness)
        return network

    def before_step(self, progress: float) -> None:
        """Write the scheduled softness into the layers that may be soft."""
        if self.choice.course != "learned":
            value = SCHEDULES[self.choice.course](self.choice.start)(progress)
            for name, softness in softnesses(self.network):
                if allowed(name, self.choice.place):
                    softness.write(value)

    def loss(self, batch: Subjects) -> Tensor:
        """Task, plus the price of softness where it is learned."""
        task = super().loss(batch)
        if not learned_softnesses(self.network):
            return task
        return task + self.choice.price * softness_penalty(self.network, self.choice.penalty)

    def finish(self) -> None:
        """The last value of the schedule."""
        self.before_step(1.0)

    def findings(self) -> dict[str, float]:
        """Mean softness at the end."""
        values = torch.stack([v.mean() for v in softness_values(self.network).values()])
        return {"softness_mean": float(values.mean())}


def allowed(layer: str, place: Place) -> bool:
    """Whether a layer of the backbone may be soft."""
    part = layer.split(".", maxsplit=1)[0]
    if place == "everywhere":
        return True
    of_layer = "head" if part in HEAD else "decoder" if part in DECODER else "encoder"
    return of_layer == place


def suggest(trial: optuna.trial.BaseTrial, space: SoftnessSpace) -> SoftnessChoice:
    """The next point; what has no effect on a course is not asked for."""
    place = trial.suggest_categorical("place", space.place)
    course = trial.suggest_categorical("course", space.course)
    start = trial.suggest_float("start", *space.start, log=True)
    chosen: dict[str, str | float] = {"place": place, "course": course, "start": start}
    if course == "learned":
        rate = trial.suggest_float("softness_rate", *space.softness_rate, log=True)
        penalty = trial.suggest_categorical("penalty", space.penalty)
        price = trial.suggest_float("price", *space.price, log=True)
        chosen.update(softness_rate=rate, penalty=penalty, price=price)
    return SoftnessChoice.model_validate(chosen)


def describe(choice: SoftnessChoice) -> str:
    """A choice as words."""
    words = f"{choice.place}, {choice.course} {choice.start:.3g}"
    if choice.course == "learned":
        words += f", rate {choice.softness_rate:.3g}, {choice.penalty} {choice.price:.3g}"
    return words
