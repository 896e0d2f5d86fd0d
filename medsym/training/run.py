"""One training run: synthetic subjects in, a model folder out; MONAI's engine drives it."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from ignite.engine import Engine, Events
from monai.engines.trainer import SupervisedTrainer
from torch import Tensor
from torch.utils.data import Dataset

from medsym.config import read_config
from medsym.synthesis.generator import SyntheticCase
from medsym.training.checkpoint import load_checkpoint, save_checkpoint
from medsym.training.distributed import Ranks, launched_ranks
from medsym.training.finish import reference_subjects, write_model
from medsym.training.loader import (
    PLANES,
    Packed,
    Waiting,
    box_of,
    load,
    starts_afresh,
    synthesis_device,
    training_device,
    unpack,
)
from medsym.training.losses import Batch
from medsym.training.progress import Meter, duration
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState, build_state
from medsym.training.step import Stepper, fast_products
from medsym.training.user_data import make_dataset
from medsym.training.validation import UnseenSubjects, unseen_subjects

logger = logging.getLogger(__name__)
Say = Callable[[str], None]


def train(
    config: Path, *, out: Path, resume: bool = False, report: Say | None = None
) -> Path | None:
    """Train an AsymmetryNet as ``config`` says; with torchrun, on several devices.

    Args:
        config: YAML file of :class:`TrainSettings`.
        out: Folder for checkpoints and, at the end, the model.
        resume: Go on from the checkpoint in ``out``: same numbers as an uninterrupted run.
        report: Receives lines of progress.

    Returns:
        Folder of the finished model (weights, manifest, healthy reference). None if the run
        stopped at ``max_minutes``, or is not rank 0 of several processes.

    Raises:
        ConfigError: The configuration is wrong.
        ModelError: ``resume`` without a fitting checkpoint; ``start_from`` does not fit.
    """
    began = time.monotonic()
    settings = read_config(config, TrainSettings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with launched_ranks() as ranks:
        run = _begin(settings, ranks, out=out, resume=resume, say=report or logger.info)
        if settings.max_minutes is not None:
            run.deadline = began + 60.0 * settings.max_minutes
        with fast_products():
            finished = _loop(run)
    if not (finished and ranks.is_first):
        return None
    assert run.unseen is not None
    assert run.healthy is not None
    return write_model(
        settings,
        run.state.average,
        unseen=run.unseen,
        healthy=run.healthy,
        device=run.device,
        out=out,
        say=run.say,
    )


@dataclass(kw_only=True, slots=True)
class _Run:
    """What the pieces of a run share."""

    settings: TrainSettings
    state: TrainingState
    ranks: Ranks
    device: torch.device
    out: Path
    say: Say
    done: int
    deadline: float = float("inf")
    unseen: UnseenSubjects | None = None
    healthy: tuple[Dataset[SyntheticCase], int] | None = None
    asked_to_stop: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.settings.optimiser.steps


def _begin(settings: TrainSettings, ranks: Ranks, *, out: Path, resume: bool, say: Say) -> _Run:
    """Build or restore the state, and say what will happen."""
    out.mkdir(parents=True, exist_ok=True)
    device = training_device(settings, ranks)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.manual_seed(settings.seed)
    state = build_state(settings, device)
    tell = say if ranks.is_first else _silent
    done = load_checkpoint(out, state, say=tell) if resume else 0
    ranks.share_of(settings.optimiser.batch)
    tell(
        f"training {settings.name} on {ranks.world} x {device.type}, subjects drawn on "
        f"{synthesis_device(settings, device).type} by {settings.workers} processes each: "
        f"{settings.optimiser.steps} steps, {done} done"
    )
    return _Run(
        settings=settings, state=state, ranks=ranks, device=device, out=out, say=tell, done=done
    )


def _silent(_line: str) -> None:
    """What ranks other than the first say."""


def _batches(run: _Run) -> Iterator[Packed]:
    """Batches of the steps that remain; a resumed run draws the subjects it would have drawn."""
    settings, batch = run.settings, run.settings.optimiser.batch
    drawing = synthesis_device(settings, run.device)
    indices = run.ranks.indices(first=run.done, last=run.total, batch=batch)
    return iter(
        load(
            make_dataset(settings, split="train", device=drawing, report=run.say),
            indices,
            batch=run.ranks.share_of(batch),
            workers=settings.workers,
            synthesis=drawing,
            training=run.device,
        )
    )


def _prepare(run: _Run) -> Waiting:
    """Draw the unseen subjects and start the workers.

    Workers that start afresh do so while the unseen subjects are drawn. Workers that are forked
    come after them: a process should not be forked while it has threads.
    """
    settings = run.settings
    batches = _batches(run) if starts_afresh(settings, run.device) else None
    if run.ranks.is_first:
        run.say(f"drawing {settings.validation_cases} unseen subjects")
        multiple = run.state.network.size_multiple
        run.unseen = unseen_subjects(settings, multiple=multiple, device=run.device, say=run.say)
        run.healthy = reference_subjects(settings, device=run.device, say=run.say)
    return Waiting(_batches(run) if batches is None else batches)


def _loop(run: _Run) -> bool:
    """Run the remaining steps; False if the run stopped before the last."""
    settings, state, multiple = run.settings, run.state, run.state.network.size_multiple
    waiting = _prepare(run)
    if run.done >= run.total:
        return True
    take_step = Stepper(state, settings, ranks=run.ranks)
    meter = Meter(
        total=run.total,
        done=run.done,
        subjects_per_step=settings.optimiser.batch,
        every=settings.report_every,
        waited=lambda: waiting.seconds,
    )

    def step(_engine: Engine, packed: Packed) -> dict[str, Tensor]:
        return take_step(_agreed(run, packed, multiple=multiple))

    trainer = SupervisedTrainer(
        device=run.device,
        max_epochs=1,
        train_data_loader=waiting,
        epoch_length=run.total - run.done,
        network=state.network,
        optimizer=state.optimiser,
        loss_function=take_step.loss,
        iteration_update=step,
    )

    def after_step(engine: Engine) -> None:
        at = run.done + engine.state.iteration
        report = meter.add(cast("dict[str, Tensor]", engine.state.output))
        if report is not None:
            run.say(f"at {report.line()}")
        if at % settings.checkpoint_every == 0 or at == run.total or run.asked_to_stop:
            _checkpoint(run, meter, step=at)
        if run.asked_to_stop and at < run.total:
            run.say(
                f"stopped after {at} of {run.total} steps ({run.asked_to_stop[0]}); "
                "the same command with --resume goes on"
            )
            engine.terminate()

    trainer.add_event_handler(Events.ITERATION_COMPLETED, after_step)
    trainer.run()
    return run.done + trainer.state.iteration >= run.total


def _agreed(run: _Run, packed: Packed, *, multiple: int) -> Batch:
    """The batch in the box, and the decision to go on, that all processes agree on."""
    late = time.monotonic() > run.deadline
    shape = packed["image"].shape[2:]
    flags = run.ranks.largest(torch.cat([packed[PLANES], torch.tensor([late], dtype=torch.uint8)]))
    if bool(flags[-1]) and not run.asked_to_stop:
        run.asked_to_stop.append(f"max_minutes {run.settings.max_minutes:g}")
    return unpack(packed, box_of(flags[:-1], shape=shape, multiple=multiple), run.device)


def _checkpoint(run: _Run, meter: Meter, *, step: int) -> None:
    """Save, score, report."""
    means = run.ranks.mean_of(meter.means())
    if run.ranks.is_first:
        began = time.monotonic()
        save_checkpoint(run.out, run.state, step=step)
        assert run.unseen is not None
        scores = run.unseen.score(
            run.state.average.module, mixed_precision=run.settings.mixed_precision
        )
        text = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        took = duration(time.monotonic() - began)
        run.say(f"step {step}/{run.total}: {text} | unseen: {scores.line()} | took {took}")
    meter.pause()
