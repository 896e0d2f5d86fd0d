"""One pre-training: unlabelled scans in, a model folder out that a training can start from."""

import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from medsym.config import read_config
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import save_model
from medsym.training.checkpoint import claim_folder
from medsym.training.finish import portable
from medsym.training.loader import device_named, load
from medsym.training.pretraining.corruption import Views
from medsym.training.pretraining.data import Images, ImagesOf, ViewsOf, collate_views
from medsym.training.pretraining.data import to_device as views_to
from medsym.training.pretraining.objective import pretraining_loss
from medsym.training.pretraining.settings import PretrainSettings
from medsym.training.pretraining.state import (
    CHECKPOINT,
    PretrainState,
    build_pretraining,
    load_pretraining,
    save_pretraining,
)
from medsym.training.user_data import make_dataset

MODEL_FOLDER = "model"
_OWN = {"seed", "split", "projection", "corruption", "loss", "optimiser"}
TASK = "pre-training: the heads are untrained"
Report = Callable[[str], None]
Stop = Callable[[], str]


def pretrain(
    config: Path,
    *,
    out: Path,
    resume: bool = False,
    report: Report = lambda _line: None,
    stop: Stop = lambda: "",
) -> Path | None:
    """Pre-train an AsymmetryNet as ``config`` says.

    Args:
        config: YAML file of :class:`PretrainSettings`.
        out: Folder for the checkpoint and, at the end, the model.
        resume: Go on from the checkpoint in ``out``: same numbers as an uninterrupted run.
        report: Receives one line per checkpoint.
        stop: Asked after every step; a reason ends the run with a checkpoint.

    Returns:
        Model folder for ``start_from`` of a training with the same ``model``; None if the run was
        stopped. The heads in it are as random as those of a new network, and it has no healthy
        reference, so it judges no scan.

    Raises:
        ConfigError: The configuration is wrong.
        ModelError: MS-321, MS-376, MS-377: ``resume`` without a fitting checkpoint; MS-324: a
            checkpoint without ``resume``.
        OutputError: MS-140, ``out`` is no folder that can be written to.
    """
    settings = read_config(config, PretrainSettings)
    claim_folder(out, resume=resume, names=(CHECKPOINT,))
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = device_named(settings.device)
    state = build_pretraining(settings, device)
    done = load_pretraining(out, state, settings=settings) if resume else 0
    report(
        f"pre-training {settings.name} on {device}: {settings.optimiser.steps} steps, {done} done"
    )
    subjects = make_dataset(settings.subjects(), split="train", report=report)
    batches = _batches(settings, ImagesOf(subjects), done=done, device=device)
    finished = run_steps(
        state,
        batches,
        settings=settings,
        device=device,
        done=done,
        out=out,
        report=report,
        stop=stop,
    )
    if not finished:
        return None
    return write_pretrained(state.reader.network, settings, folder=out / MODEL_FOLDER)


def _batches(
    settings: PretrainSettings, images: Images, *, done: int, device: torch.device
) -> DataLoader[Any]:
    """Batches of the steps that remain; a resumed run draws what it would have drawn."""
    batch = settings.optimiser.batch
    views = ViewsOf(
        images,
        corruption=settings.corruption,
        spacing_mm=settings.model.spacing_mm,
        seed=settings.seed,
    )
    return load(
        views,
        range(done * batch, settings.optimiser.steps * batch),
        batch=batch,
        workers=settings.workers,
        synthesis=torch.device("cpu"),
        training=device,
        collate=partial(collate_views, multiple=2 ** (len(settings.model.pairs) - 1)),
    )


def run_steps(
    state: PretrainState,
    batches: Iterable[Views],
    *,
    settings: PretrainSettings,
    device: torch.device,
    done: int = 0,
    out: Path | None = None,
    report: Report = lambda _line: None,
    stop: Stop = lambda: "",
) -> bool:
    """Take a step per batch; checkpoint and report as configured.

    Args:
        state: Changed in place.
        batches: Views of the steps that remain.
        settings: Of the run.
        device: Where the network is.
        done: Steps taken before.
        out: Folder of the checkpoints; None keeps none.
        report: Receives one line per checkpoint.
        stop: Asked after every step.

    Returns:
        True after the last step, False when it was stopped before.
    """
    sums: dict[str, float] = {}
    since, step, total = done, done, settings.optimiser.steps
    for step, batch in enumerate(batches, start=done + 1):
        for name, value in _step(state, views_to(batch, device), settings, step=step).items():
            sums[name] = sums.get(name, 0.0) + value
        reason = stop()
        if step % settings.checkpoint_every == 0 or step == total or reason:
            if out is not None:
                save_pretraining(out, state, step=step, settings=settings)
            means = ", ".join(f"{name} {v / (step - since):.4f}" for name, v in sums.items())
            report(f"step {step}/{total}: {means}")
            sums, since = {}, step
        if reason:
            report(f"stopped after step {step} ({reason}); go on with --resume")
            break
    return step == total


def _step(
    state: PretrainState, views: Views, settings: PretrainSettings, *, step: int
) -> dict[str, float]:
    """One optimiser step."""
    state.reader.train()
    state.optimiser.zero_grad(set_to_none=True)
    places = torch.Generator().manual_seed(settings.seed * 7919 + step)
    device = views.target.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=settings.mixed_precision):
        readings = state.reader(views.first, views.second)
    total, parts = pretraining_loss(readings, views, settings=settings.loss, generator=places)
    total.backward()
    torch.nn.utils.clip_grad_norm_(state.reader.parameters(), settings.optimiser.clip)
    state.optimiser.step()
    state.schedule.step()
    return parts


def write_pretrained(network: AsymmetryNet, settings: PretrainSettings, *, folder: Path) -> Path:
    """Save encoder, exchange and decoder with fresh heads as a model folder; returns it."""
    manifest = {
        "name": settings.name,
        "version": version("medsym"),
        "created": datetime.now(UTC).date().isoformat(),
        "intended_use": "to start a training from; research only, not a medical device",
        "task": TASK,
        "training_data": list(settings.data_licences),
        "training": portable(settings.subjects()),
        "pretraining": settings.model_dump(mode="json", include=_OWN),
        "packages": {"torch": version("torch")},
        "python": platform.python_version(),
    }
    save_model(folder, network.to("cpu"), manifest)
    return folder
