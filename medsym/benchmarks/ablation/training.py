"""One training of an ablation: an arm and a seed, on the shared subjects."""

import copy
import time
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from medsym.benchmarks.ablation.clock import SharedClock
from medsym.benchmarks.ablation.settings import AblationSettings, Arm
from medsym.benchmarks.ablation.subjects import SubjectFiles, mirrored, order_of
from medsym.benchmarks.ablation.unfinished import UnfinishedTraining
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.symmetry.schedules import parameter_groups
from medsym.training.losses import AsymmetryLoss, Batch
from medsym.training.rate import rate_share

CPU = torch.device("cpu")
_PAUSE_SECONDS = 0.1
_TIMED_STEPS = 4  # of each precision; the first is left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """An arm and a seed.

    Attributes:
        arm: Which network.
        seed: Of the first weights and of the order of the subjects.
        rate: Learning rate.
        searching: Whether it only helps to choose the rate.
        place: Its entry in the shared clock.
        mixed_precision: Whether its passes run in bfloat16.
        device: Where it runs.
    """

    arm: Arm
    seed: int
    rate: float
    searching: bool = False
    place: int = 0
    mixed_precision: bool
    device: torch.device = CPU

    @property
    def name(self) -> str:
        """Unique in an ablation."""
        return f"{self.arm.name}/{f'rate {self.rate:g}' if self.searching else self.seed}"

    @property
    def split(self) -> str:
        """Subjects that it is scored on."""
        return "reference" if self.searching else "test"


class Learner:
    """A network with its optimiser and its averaged copy, as ``medsym train`` makes them.

    Args:
        arm: Which network.
        seed: Of the first weights and of the flips.
        settings: Of the ablation.
        rate: Learning rate; None takes the one of the settings.
        mixed_precision: Run the passes in bfloat16.
        device: Of the network.
    """

    def __init__(
        self,
        arm: Arm,
        *,
        seed: int,
        settings: AblationSettings,
        rate: float | None = None,
        mixed_precision: bool,
        device: torch.device = CPU,
    ) -> None:
        torch.manual_seed(seed)
        self.arm, self.how, self.mixed = arm, settings.optimiser, mixed_precision
        self.network = AsymmetryNet(arm.model(settings.model)).to(device).train()
        self.average = AveragedModel(
            copy.deepcopy(self.network), multi_avg_fn=get_ema_multi_avg_fn(self.how.average)
        )
        self.optimiser = torch.optim.AdamW(
            parameter_groups(
                self.network,
                learning_rate=rate or self.how.learning_rate,
                softness_rate=self.how.softness_rate,
                weight_decay=self.how.weight_decay,
            )
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.loss = AsymmetryLoss(settings.loss)
        self.flips = torch.Generator().manual_seed(seed)

    def step(self, batch: Batch, *, share: float) -> Tensor:
        """One step at a share of the learning rate; returns the loss, detached."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = share * rate
        if self.arm.flips:
            batch = mirrored(batch, torch.rand(len(batch.image), generator=self.flips) < 0.5)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(batch.image.device.type, dtype=torch.bfloat16, enabled=self.mixed):
            output = self.network(batch.image)
        total, _ = self.loss(output, batch)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.how.clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return total.detach()


def train(
    training: Training, files: SubjectFiles, clock: SharedClock
) -> tuple[AsymmetryNet, float] | None:
    """Train until the clock says that it is enough.

    Where the number of steps is known from the start, a training whose process ended goes on from
    its last state, on a CPU to the same network as without a stop.

    Returns:
        The averaged network and the mean loss of the last tenth of the steps; None when the
        deadline came first.
    """
    settings, place = files.settings, training.place
    learner = Learner(
        training.arm,
        seed=training.seed,
        settings=settings,
        rate=training.rate,
        mixed_precision=training.mixed_precision,
        device=training.device,
    )
    kept = _kept(training, files, total=clock.total.value)
    losses = [] if kept is None else kept.restore(learner)
    clock.done[place] = len(losses)
    while not clock.finished(place):
        if clock.late():
            return None
        step, total = clock.done[place], clock.total.value
        if total == 0 and step >= (1.0 - settings.optimiser.cooldown) * settings.optimiser.steps:
            time.sleep(_PAUSE_SECONDS)  # it depends on the total how the rate goes on
            continue
        indices = order_of(
            training.seed, subjects=settings.subjects, step=step, batch=settings.optimiser.batch
        )
        share = rate_share(step, total=total, how=settings.optimiser)
        batch = files.batch("train", indices, device=training.device)
        losses.append(learner.step(batch, share=share))
        clock.tick(place)
        if kept is not None:
            kept.save_if_due(learner, losses)
    last = losses[-max(len(losses) // 10, 1) :]
    network = cast("AsymmetryNet", learner.average.module)
    return network.eval(), float(torch.stack(last).mean())


def _kept(training: Training, files: SubjectFiles, *, total: int) -> UnfinishedTraining | None:
    """Where the training is kept on its way; nowhere if its steps depend on the time."""
    if total == 0:
        return None
    identity = {
        "key": files.settings.run_key(),
        "training": training.name,
        "rate": training.rate,
        "steps": total,
        "mixed_precision": training.mixed_precision,
    }
    return UnfinishedTraining(files.folder.parent, training.name, identity=identity)


def bfloat16_is_faster(files: SubjectFiles, device: torch.device) -> bool:
    """Time a few steps in both precisions on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = files.settings
    indices = order_of(0, subjects=settings.subjects, step=0, batch=settings.optimiser.batch)
    batch = files.batch("train", indices, device=device)
    arm = settings.chosen()[0]
    seconds = {}
    for mixed in (False, True):
        learner = Learner(arm, seed=0, settings=settings, mixed_precision=mixed, device=device)
        times = []
        for _ in range(_TIMED_STEPS):
            start = time.perf_counter()
            float(learner.step(batch, share=1.0))  # waits for the device
            times.append(time.perf_counter() - start)
        seconds[mixed] = min(times[1:])
    torch.set_num_threads(threads)
    return seconds[True] < seconds[False]
