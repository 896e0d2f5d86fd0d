"""One training run: subjects in, a model folder out."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from medsym.config import read_config
from medsym.nn.products import fast_products
from medsym.training.checkpoint import claim_folder, load_checkpoint
from medsym.training.distributed import Ranks, launched_ranks
from medsym.training.finish import write_model
from medsym.training.loader import synthesis_device, training_device
from medsym.training.loop import Run, Say, run_steps
from medsym.training.recorder import check_recorder
from medsym.training.settings import TrainSettings
from medsym.training.state import build_state

logger = logging.getLogger(__name__)


def train(
    config: Path,
    *,
    out: Path,
    resume: bool = False,
    report: Say | None = None,
    stop: Callable[[], str] = lambda: "",
) -> Path | None:
    """Train an AsymmetryNet as ``config`` says; started by torchrun, on several devices.

    Args:
        config: YAML file of :class:`TrainSettings`.
        out: Folder for checkpoints, history, pictures and, at the end, the model.
        resume: Go on from the checkpoint in ``out``: same numbers as an uninterrupted run.
        report: Receives lines of progress.
        stop: Asked before every step; a reason ends the run after it, with a checkpoint.

    Returns:
        Folder of the finished model (weights, manifest, healthy reference). None if the run was
        stopped, or if this is not the first of several processes.

    Raises:
        ConfigError: The configuration is wrong.
        ModelError: ``resume`` without a fitting checkpoint, a checkpoint without ``resume``;
            ``start_from`` does not fit.
        OutputError: MS-140, ``out`` is no folder that can be written to.
    """
    began = time.monotonic()
    settings = read_config(config, TrainSettings)
    check_recorder(settings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    reasons = _with_time_limit(stop, settings.max_minutes, began=began)
    with launched_ranks() as ranks:
        tell = (report or logger.info) if ranks.is_first else _silent
        run = _begin(settings, ranks, out=out, resume=resume, say=tell, stop=reasons)
        try:
            with fast_products():
                finished = run_steps(run)
        finally:
            if run.watch is not None:
                run.watch.recorder.close()
    if not finished or run.watch is None:
        return None
    return write_model(
        settings,
        run.state.average,
        unseen=run.watch.unseen,
        healthy=run.watch.healthy,
        device=run.device,
        out=out,
        say=run.say,
    )


def _with_time_limit(
    stop: Callable[[], str], minutes: float | None, *, began: float
) -> Callable[[], str]:
    """Also stop when the minutes are over."""
    if minutes is None:
        return stop

    def reason() -> str:
        over = time.monotonic() - began > 60.0 * minutes
        return stop() or (f"max_minutes: {minutes:g} are over" if over else "")

    return reason


def _begin(
    settings: TrainSettings,
    ranks: Ranks,
    *,
    out: Path,
    resume: bool,
    say: Say,
    stop: Callable[[], str],
) -> Run:
    """Build or restore the state, and say what will happen."""
    claim_folder(out, resume=resume)
    device = training_device(settings, ranks)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.manual_seed(settings.seed)
    state = build_state(settings, device)
    done = load_checkpoint(out, state, settings=settings, say=say) if resume else 0
    ranks.share_of(settings.optimiser.batch)
    say(
        f"training {settings.name} on {ranks.world} x {device.type}, subjects drawn on "
        f"{synthesis_device(settings, device).type} by {settings.workers} processes each: "
        f"{settings.optimiser.steps} steps, {done} done"
    )
    return Run(
        settings=settings,
        state=state,
        ranks=ranks,
        device=device,
        out=out,
        say=say,
        done=done,
        stop=stop,
    )


def _silent(_line: str) -> None:
    """What ranks other than the first say."""
