"""The one training loop: the same subjects in the same order and the same schedule for all."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from medsym.benchmarks.methods.data import cached_subjects
from medsym.benchmarks.methods.method import Method, lesion_loss
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.subjects import Subjects, Version

CURVE_POINTS = 6
CURVE_SUBJECTS = 40
EVALUATION_BATCH = 20
MakeMethod = Callable[[TrainingBudget], Method]


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """Subjects of one version; the test subjects have a seed of their own."""

    version: Version
    train: Subjects
    test: Subjects


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A finished training.

    Attributes:
        method: The method with its trained network.
        cpu_seconds: Processor time of the steps alone.
        curve: Steps, processor seconds so far and loss on test subjects, along the training.
    """

    method: Method
    cpu_seconds: float
    curve: list[dict[str, float]]


def draw_population(version: Version, budget: TrainingBudget, cache: Path | None) -> Population:
    """Training and test subjects of one version."""
    seed = budget.data_seed
    sizes = {seed: budget.train_subjects, seed + 1: budget.test_subjects}
    train, test = (
        cached_subjects(number, version=version, seed=own, cache=cache)
        for own, number in sizes.items()
    )
    return Population(version=version, train=train, test=test)


def train(
    make: MakeMethod, population: Population, *, seed: int, budget: TrainingBudget
) -> Trained:
    """Train one method once; the same seed gives the same network on the same machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method = make(budget)
    order = torch.Generator().manual_seed(seed)
    subjects = method.training_data(population.train)
    optimiser = torch.optim.AdamW(method.groups(), lr=budget.learning_rate)
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    seconds, curve = 0.0, []
    for step in range(budget.steps):
        start = time.process_time()
        factor = rate_factor(step, budget)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        index = torch.randint(0, len(subjects), (budget.batch,), generator=order)
        batch = method.augment(subjects[index], order)
        training_step(method, optimiser, batch, progress=step / budget.steps)
        seconds += time.process_time() - start
        if method.curve and (step + 1) % max(1, budget.steps // CURVE_POINTS) == 0:
            loss = test_loss(method, population.test[slice(CURVE_SUBJECTS)])
            curve.append({"steps": step + 1, "cpu_seconds": seconds, "loss": loss})
    method.finish()
    return Trained(method=method, cpu_seconds=seconds, curve=curve)


def training_step(
    method: Method, optimiser: torch.optim.Optimizer, batch: Subjects, *, progress: float
) -> float:
    """One step; returns the loss that was minimised."""
    method.before_step(progress)
    with torch.autocast("cpu", torch.bfloat16, enabled=method.budget.mixed_precision):
        loss = method.loss(batch)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    method.after_step(optimiser)
    return float(loss.detach())


def rate_factor(step: int, budget: TrainingBudget) -> float:
    """Linear warm-up, then a linear fall to ``last_rate``."""
    fall = 1.0 - (1.0 - budget.last_rate) * step / budget.steps
    return fall * min(1.0, (step + 1) / budget.warmup)


def test_loss(method: Method, subjects: Subjects) -> float:
    """Task loss of the network as it is, mean over batches, single precision."""
    losses = []
    with torch.inference_mode():
        for start in range(0, len(subjects), EVALUATION_BATCH):
            group = subjects[slice(start, start + EVALUATION_BATCH)]
            losses.append(float(lesion_loss(method.predict(group.image), group)))
    return sum(losses) / len(losses)
