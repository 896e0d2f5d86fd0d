"""What a pre-training changes as it goes, and its checkpoints; tensors and numbers only."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.training.checkpoint import fixed_settings, refuse_other_settings, written_whole
from medsym.training.pretraining.objective import PretrainingNet
from medsym.training.pretraining.settings import PretrainSettings
from medsym.training.rate import rate_share

CHECKPOINT = "pretraining.pt"


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainState:
    """What a pre-training changes as it goes."""

    reader: PretrainingNet
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler


def build_pretraining(settings: PretrainSettings, device: torch.device) -> PretrainState:
    """Network, what reads its latent, AdamW and its schedule, all fresh from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        reader = PretrainingNet(
            AsymmetryNet(settings.model), projection=settings.projection, split=settings.split
        ).to(device)
    how = settings.optimiser
    optimiser = torch.optim.AdamW(
        reader.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, partial(rate_share, total=how.steps, how=how)
    )
    return PretrainState(reader=reader, optimiser=optimiser, schedule=schedule)


def save_pretraining(
    folder: Path, state: PretrainState, *, step: int, settings: PretrainSettings
) -> None:
    """Write the state after ``step`` steps, atomically; tensors, numbers and text only."""
    content = {
        "step": step,
        "settings": fixed_settings(settings),
        "reader": state.reader.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
    }
    with written_whole(folder / CHECKPOINT) as stream:
        torch.save(content, stream)


def load_pretraining(folder: Path, state: PretrainState, *, settings: PretrainSettings) -> int:
    """Restore the state in place; returns the number of steps already done.

    Raises:
        ModelError: MS-376 there is no checkpoint, MS-321 it is of other settings, MS-377 it is
            damaged.
    """
    path = folder / CHECKPOINT
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        refuse_other_settings(path, content.get("settings"), settings)
        state.reader.load_state_dict(content["reader"])
        state.optimiser.load_state_dict(content["optimiser"])
        state.schedule.load_state_dict(content["schedule"])
        return int(content["step"])
    except FileNotFoundError:
        raise ModelError(
            code="MS-376",
            subject=str(path),
            cause="there is no checkpoint of a pre-training to resume from",
            fix="start without --resume",
        ) from None
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            code="MS-377",
            subject=str(path),
            cause=f"the checkpoint does not fit this pre-training ({type(error).__name__})",
            fix="resume with the configuration that wrote it, or start a new --out folder",
        ) from error
