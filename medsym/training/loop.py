"""The loop of a run: batches in, steps, reports and checkpoints; MONAI's engine drives it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from ignite.engine import Engine, Events
from monai.engines.trainer import SupervisedTrainer
from torch import Tensor
from torch.utils.data import Dataset

from medsym.synthesis.case import SyntheticCase
from medsym.training.checkpoint import save_checkpoint
from medsym.training.distributed import Ranks
from medsym.training.finish import reference_subjects
from medsym.training.loader import (
    PLANES,
    Packed,
    Waiting,
    box_of,
    load,
    starts_afresh,
    synthesis_device,
    unpack,
)
from medsym.training.losses import Batch
from medsym.training.progress import Meter, duration
from medsym.training.recorder import Recorder
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState
from medsym.training.step import Stepper
from medsym.training.user_data import make_dataset
from medsym.training.validation import UnseenSubjects, unseen_subjects

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What only the first rank does: score, record and write."""

    unseen: UnseenSubjects
    healthy: tuple[Dataset[SyntheticCase], int]
    recorder: Recorder


@dataclass(kw_only=True, slots=True)
class Run:
    """What the pieces of a run share.

    Attributes:
        settings: Of the run.
        state: Changed in place.
        ranks: The processes that train together.
        device: Of this process.
        out: Folder of the run.
        say: Receives lines.
        done: Steps done before.
        stop: Says why this process should stop now; empty to go on.
        watch: Of the first rank; None in the others.
        stopped: Why the run stops after this step; empty to go on.
    """

    settings: TrainSettings
    state: TrainingState
    ranks: Ranks
    device: torch.device
    out: Path
    say: Say
    done: int
    stop: Callable[[], str]
    watch: Watch | None = None
    stopped: str = ""

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.settings.optimiser.steps


def run_steps(run: Run) -> bool:
    """Take the remaining steps; False if the run stopped before the last."""
    with closing(_prepare(run)) as waiting:
        return run.done >= run.total or _train(run, waiting)


def _train(run: Run, waiting: Waiting) -> bool:
    """Let MONAI's engine take the steps; False if the run stopped before the last."""
    take_step = Stepper(run.state, run.settings, ranks=run.ranks)
    meter = Meter(
        total=run.total,
        done=run.done,
        subjects_per_step=run.settings.optimiser.batch,
        every=run.settings.report_every,
        waited=lambda: waiting.seconds,
    )

    def step(_engine: Engine, packed: Packed) -> dict[str, Tensor]:
        meter.begin()
        return take_step(_agree(run, packed))

    trainer = SupervisedTrainer(
        device=run.device,
        max_epochs=1,
        train_data_loader=waiting,
        epoch_length=run.total - run.done,
        network=run.state.network,
        optimizer=run.state.optimiser,
        loss_function=take_step.loss,
        iteration_update=step,
    )

    def after_step(engine: Engine) -> None:
        parts = cast("dict[str, Tensor]", engine.state.output)
        _after_step(run, meter, parts, at=run.done + engine.state.iteration)
        if run.stopped:
            engine.terminate()

    trainer.add_event_handler(Events.ITERATION_COMPLETED, after_step)
    trainer.run()
    return run.done + trainer.state.iteration >= run.total


def _prepare(run: Run) -> Waiting:
    """Draw the unseen subjects and start the workers.

    Workers that start afresh do so while the unseen subjects are drawn. Workers that are forked
    come after them: a process should not be forked while it has threads.
    """
    settings, device = run.settings, run.device
    batches = _batches(run) if starts_afresh(settings, device) else None
    unseen = healthy = None
    if run.ranks.is_first:
        run.say(f"drawing {settings.validation_cases} unseen subjects")
        multiple = run.state.network.size_multiple
        unseen = unseen_subjects(settings, multiple=multiple, device=device, say=run.say)
        healthy = reference_subjects(settings, device=device, say=run.say)
    if batches is None:
        batches = _batches(run)
    if unseen is not None and healthy is not None:
        recorder = Recorder(run.out, settings, done=run.done)  # has a thread
        run.watch = Watch(unseen=unseen, healthy=healthy, recorder=recorder)
    return Waiting(batches)


def _batches(run: Run) -> Iterator[Packed]:
    """Batches of the steps that remain; a resumed run draws the subjects it would have drawn."""
    settings, batch = run.settings, run.settings.optimiser.batch
    drawing = synthesis_device(settings, run.device)
    return iter(
        load(
            make_dataset(settings, split="train", device=drawing, report=run.say),
            run.ranks.indices(first=run.done, last=run.total, batch=batch),
            batch=run.ranks.share_of(batch),
            workers=settings.workers,
            synthesis=drawing,
            training=run.device,
        )
    )


def _agree(run: Run, packed: Packed) -> Batch:
    """The batch in the box, and the decision to go on, that all processes agree on."""
    reason = run.stop()
    flags = torch.cat([packed[PLANES], torch.tensor([bool(reason)], dtype=torch.uint8)])
    flags = run.ranks.largest(flags)
    if bool(flags[-1]):
        run.stopped = reason or "another process was asked to stop"
    shape = packed["image"].shape[2:]
    box = box_of(flags[:-1], shape=shape, multiple=run.state.network.size_multiple)
    return unpack(packed, box, run.device)


def _after_step(run: Run, meter: Meter, parts: dict[str, Tensor], *, at: int) -> None:
    """Report, checkpoint, or stop, as it is time to."""
    report = meter.add(parts)
    if report is not None and run.watch is not None:
        run.say(f"at {report.line()}")
        run.watch.recorder.progress(report)
    if at % run.settings.checkpoint_every == 0 or at == run.total or run.stopped:
        _checkpoint(run, meter, step=at)
    if run.stopped and at < run.total:
        run.say(
            f"stopped after {at} of {run.total} steps ({run.stopped}); "
            "the same command with --resume goes on"
        )


def _checkpoint(run: Run, meter: Meter, *, step: int) -> None:
    """Save, score, report."""
    means = run.ranks.mean_of(meter.means())
    if run.watch is not None:
        began = time.monotonic()
        save_checkpoint(run.out, run.state, step=step, settings=run.settings)
        scores = run.watch.unseen.score(
            run.state.average.module, mixed_precision=run.settings.mixed_precision
        )
        run.watch.recorder.checkpoint(
            step, means=means, scores=scores, state=run.state, unseen=run.watch.unseen
        )
        text = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        took = duration(time.monotonic() - began)
        run.say(f"step {step}/{run.total}: {text} | unseen: {scores.line()} | took {took}")
    meter.pause()
