"""What a training step costs: processor time next to plain, and peak tensor memory.

Times are the processor's, on one thread, taken in turns so that a busy machine slows all methods
alike; the ratio is formed within each round. Memory is the largest sum of tensor bytes that torch's
allocator held during a step above what it held before (weights and optimiser state are older),
read from the profiler's record of allocations; scratch space of the kernels is not in it.
"""

import statistics
import time

import torch
from torch.profiler import ProfilerActivity, profile

from medsym.benchmarks.methods.method import Method
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.subjects import Subjects
from medsym.benchmarks.methods.training import Population, training_step

STEPS = 2  # per round: some methods do more in every second step
Cost = dict[str, float]


class StepRunner:
    """A method that has taken its first steps, ready to be timed."""

    def __init__(self, kind: type[Method], population: Population, budget: TrainingBudget) -> None:
        self.method = kind(budget)
        subjects = self.method.training_data(population.train)
        self.batch: Subjects = subjects[slice(budget.batch)]
        self.optimiser = torch.optim.AdamW(self.method.groups(), lr=1e-6)
        self.order = torch.Generator().manual_seed(0)
        self.run()

    def run(self) -> None:
        """Two steps in the middle of training."""
        for _ in range(STEPS):
            batch = self.method.augment(self.batch, self.order)
            training_step(self.method, self.optimiser, batch, progress=0.5)


def measure_costs(
    kinds: tuple[type[Method], ...],
    population: Population,
    *,
    budget: TrainingBudget,
    rounds: int,
) -> dict[str, Cost]:
    """step_ms, step_over_plain and peak_mb of a training step of every method.

    The first of ``kinds`` is what the others are compared with.
    """
    runners = {kind.name: StepRunner(kind, population, budget) for kind in kinds}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            start = time.process_time()
            runner.run()
            seconds[name].append((time.process_time() - start) / STEPS)
    base = seconds[kinds[0].name]
    return {
        name: {
            "step_ms": 1000.0 * statistics.median(own),
            "step_over_plain": statistics.median(t / b for t, b in zip(own, base, strict=True)),
            "peak_mb": peak_bytes(runners[name]) / 2**20,
        }
        for name, own in seconds.items()
    }


def peak_bytes(runner: StepRunner) -> int:
    """Largest sum of tensor bytes during two steps, above what was held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        runner.run()
    kineto = record.profiler.kineto_results if record.profiler is not None else None
    events = kineto.events() if kineto is not None else []
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    held = most = 0
    for _, change in sorted(changes, key=lambda entry: entry[0]):
        held += change
        most = max(most, held)
    return most
