"""Checkpoints that resume exactly: weights, averaged weights, optimiser and step; tensors only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.training.softness import SoftnessControl

FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingState:
    """What a run changes as it goes."""

    network: AsymmetryNet
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    softness: SoftnessControl


def save_checkpoint(folder: Path, state: TrainingState, *, step: int) -> None:
    """Write the state after ``step`` steps, atomically."""
    content = {
        "step": step,
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
        "softness": state.softness.state_dict(),
    }
    temporary = folder / f".{FILE_NAME}.{os.getpid()}"
    torch.save(content, temporary)
    temporary.replace(folder / FILE_NAME)


def load_checkpoint(folder: Path, state: TrainingState) -> int:
    """Restore the state in place; returns the number of steps already done.

    Raises:
        ModelError: The file is missing, damaged or of another network.
    """
    path = folder / FILE_NAME
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.optimiser.load_state_dict(content["optimiser"])
        state.schedule.load_state_dict(content["schedule"])
        state.softness.load_state_dict(content.get("softness", {}))
    except FileNotFoundError:
        raise ModelError(
            code="MS-320",
            subject=str(path),
            cause="there is no checkpoint to resume from",
            fix="start without --resume",
        ) from None
    except Exception as error:
        raise ModelError(
            code="MS-321",
            subject=str(path),
            cause=f"the checkpoint does not fit this run ({type(error).__name__})",
            fix="resume with the configuration that wrote it, or start a new --out folder",
        ) from error
    return int(content["step"])
