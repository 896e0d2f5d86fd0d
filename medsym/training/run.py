"""One training run: synthetic subjects in, a model folder out; MONAI's engine drives it."""

import copy
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.trainer import SupervisedTrainer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from medsym.config import read_config
from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import load_model
from medsym.symmetry.schedules import parameter_groups
from medsym.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from medsym.training.data import SyntheticSubjects, collate
from medsym.training.finish import write_model
from medsym.training.losses import AsymmetryLoss, Batch
from medsym.training.settings import OptimiserSettings, TrainSettings
from medsym.training.softness import SoftnessControl
from medsym.training.validation import score_cases, unseen_subjects

logger = logging.getLogger(__name__)
Report = Callable[[str], None]


def train(config: Path, *, out: Path, resume: bool = False, report: Report | None = None) -> Path:
    """Train an AsymmetryNet as ``config`` says.

    Args:
        config: YAML file of :class:`TrainSettings`.
        out: Folder for checkpoint, log and, at the end, the model.
        resume: Go on from the checkpoint in ``out``: same numbers as an uninterrupted run.
        report: Receives one line per checkpoint.

    Returns:
        Folder of the finished model (weights, manifest, healthy reference).

    Raises:
        ConfigError: The configuration is wrong.
        ModelError: ``resume`` without a fitting checkpoint; ``start_from`` does not fit.
    """
    settings = read_config(config, TrainSettings)
    out.mkdir(parents=True, exist_ok=True)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    device = _device(settings.device)
    state = build_state(settings, device)
    done = load_checkpoint(out, state) if resume else 0
    say = report or logger.info
    say(f"training {settings.name} on {device}: {settings.optimiser.steps} steps, {done} done")
    _loop(settings, state, device, done=done, out=out, say=say)
    return write_model(settings, state.average, out=out, say=say)


def build_state(settings: TrainSettings, device: torch.device) -> TrainingState:
    """Network, averaged copy, AdamW and its schedule, all fresh."""
    network = _start(settings).to(device)
    softness = SoftnessControl(settings.softness, network)
    average = AveragedModel(
        copy.deepcopy(network), multi_avg_fn=get_ema_multi_avg_fn(settings.optimiser.average)
    )
    for parameter in average.parameters():
        parameter.requires_grad = False
    how = settings.optimiser
    groups = parameter_groups(
        network,
        learning_rate=how.learning_rate,
        softness_rate=how.softness_rate,
        weight_decay=how.weight_decay,
        odd_decay=settings.softness.odd_decay,
    )
    optimiser = torch.optim.AdamW(groups)
    return TrainingState(
        network=network,
        average=average,
        optimiser=optimiser,
        schedule=_schedule(optimiser, how),
        softness=softness,
    )


def _start(settings: TrainSettings) -> AsymmetryNet:
    """The network before the first step: random, or another run's."""
    if settings.start_from is None:
        return AsymmetryNet(settings.model)
    network = load_model(settings.start_from, folded=False).network
    if network.settings != settings.model:
        raise ModelError(
            code="MS-322",
            subject=str(settings.start_from),
            cause="the model to start from has other settings than `model` in the configuration",
            fix="copy `settings` from its manifest into `model`, or set start_from to null",
        )
    return network


def _schedule(
    optimiser: torch.optim.Optimizer, how: OptimiserSettings
) -> torch.optim.lr_scheduler.LRScheduler:
    """The rate as :class:`OptimiserSettings` describes it."""
    falling = max(round(how.cooldown * how.steps), 1)

    def share(step: int) -> float:
        rising = min(1.0, (step + 1) / (how.warmup + 1))
        left = (how.steps - step) / falling
        return rising * (0.01 + 0.99 * min(1.0, max(0.0, left)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, share)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _loop(
    settings: TrainSettings,
    state: TrainingState,
    device: torch.device,
    *,
    done: int,
    out: Path,
    say: Report,
) -> None:
    """Run the remaining steps; checkpoint, validate and report as configured."""
    total = settings.optimiser.steps
    if done >= total:
        return
    _write_softness(state, settings, done=done)
    loss = AsymmetryLoss(settings.loss)
    unseen = unseen_subjects(settings)
    sums: dict[str, float] = {}

    def step(_engine: Engine, batch: Batch) -> dict[str, float]:
        return _step(state, loss, batch.to(device), settings, sums)

    trainer = SupervisedTrainer(
        device=device,
        max_epochs=1,
        train_data_loader=_batches(settings, done=done, multiple=state.network.size_multiple),
        epoch_length=total - done,
        network=state.network,
        optimizer=state.optimiser,
        loss_function=loss,
        iteration_update=step,
    )

    def checkpoint(engine: Engine) -> None:
        at = done + engine.state.iteration
        save_checkpoint(out, state, step=at)
        since = settings.checkpoint_every
        means = " ".join(f"{name} {value / since:.4f}" for name, value in sorted(sums.items()))
        sums.clear()
        scores = score_cases(state.average.module, unseen)
        say(f"step {at}/{total}: {means} | unseen: {scores.line()}")

    every = Events.ITERATION_COMPLETED(every=settings.checkpoint_every)
    trainer.add_event_handler(every, checkpoint)
    trainer.run()
    save_checkpoint(out, state, step=total)


def _batches(settings: TrainSettings, *, done: int, multiple: int) -> DataLoader[Any]:
    """Batches of the steps that remain; a resumed run draws the subjects it would have drawn."""
    batch = settings.optimiser.batch
    return DataLoader(
        SyntheticSubjects(settings.synthesis, seed=settings.seed, split="train"),
        batch_size=batch,
        sampler=range(done * batch, settings.optimiser.steps * batch),
        num_workers=settings.workers,
        collate_fn=partial(collate, multiple=multiple),
        prefetch_factor=4 if settings.workers else None,
    )


def _step(
    state: TrainingState,
    loss: AsymmetryLoss,
    batch: Batch,
    settings: TrainSettings,
    sums: dict[str, float],
) -> dict[str, float]:
    """One optimiser step on one batch."""
    state.network.train()
    state.optimiser.zero_grad(set_to_none=True)
    with torch.autocast(
        batch.image.device.type, dtype=torch.bfloat16, enabled=settings.mixed_precision
    ):
        output = state.network(batch.image)
    total, parts = loss(output, batch)
    penalty = state.softness.penalty()
    if penalty is not None:
        total = total + penalty
        parts["softness"] = float(penalty.detach())
    total.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.optimiser.clip)
    state.optimiser.step()
    state.schedule.step()
    state.softness.after_step(state.optimiser)
    state.average.update_parameters(state.network)
    _write_softness(state, settings, done=state.schedule.last_epoch)
    for name, value in parts.items():
        sums[name] = sums.get(name, 0.0) + value
    return parts


def _write_softness(state: TrainingState, settings: TrainSettings, *, done: int) -> None:
    """Scheduled softness after ``done`` steps, in the network and in its average."""
    progress = done / settings.optimiser.steps
    state.softness.write(progress, state.network, state.average.module)
