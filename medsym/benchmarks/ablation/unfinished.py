"""Trainings of an ablation whose process ended before they did go on from their last state."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from medsym.training.checkpoint import written_whole

FOLDER = "unfinished"
EVERY_SECONDS = 120.0  # a state is three times the weights: ten megabytes


class Stateful(Protocol):
    """What a training changes."""

    @property
    def network(self) -> nn.Module:
        """That is trained."""

    @property
    def average(self) -> nn.Module:
        """Its averaged copy."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """With the moments of all steps."""

    @property
    def flips(self) -> torch.Generator:
        """Which subjects are mirrored."""


class UnfinishedTraining:
    """The state of one training on disk, tensors and plain values only.

    Args:
        folder: Of the ablation.
        name: Of the training.
        identity: What a state has to share with the training that goes on from it.
    """

    def __init__(self, folder: Path, name: str, *, identity: Mapping[str, Any]) -> None:
        self.path = path_of(folder, name)
        self.identity = dict(identity)
        self.saved = time.monotonic()

    def restore(self, learner: Stateful) -> list[Tensor]:
        """Set a new learner to the stored state; returns the losses of the steps done, or none.

        A state that cannot be read, or that is of another training, is as good as none.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # none, cut off or altered: the training begins anew
            return []
        if not isinstance(state, dict) or state.get("identity") != self.identity:
            return []
        learner.network.load_state_dict(state["network"])
        learner.average.load_state_dict(state["average"])
        learner.optimiser.load_state_dict(state["optimiser"])
        learner.flips.set_state(state["flips"])
        torch.set_rng_state(state["random"])
        return list(state["losses"])

    def save_if_due(self, learner: Stateful, losses: list[Tensor]) -> None:
        """Keep the state if the last one is old enough."""
        if time.monotonic() - self.saved >= EVERY_SECONDS:
            self.save(learner, losses)

    def save(self, learner: Stateful, losses: list[Tensor]) -> None:
        """Keep the state after ``len(losses)`` steps; the file has its name when it is whole."""
        self.path.parent.mkdir(exist_ok=True)
        state = {
            "identity": self.identity,
            "losses": torch.stack([loss.cpu() for loss in losses]),
            "network": learner.network.state_dict(),
            "average": learner.average.state_dict(),
            "optimiser": learner.optimiser.state_dict(),
            "flips": learner.flips.get_state(),
            "random": torch.get_rng_state(),
        }
        with written_whole(self.path) as stream:
            torch.save(state, stream)
        self.saved = time.monotonic()


def path_of(folder: Path, name: str) -> Path:
    """Where the state of a training is kept."""
    return folder / FOLDER / f"{name.replace('/', '-').replace(' ', '-')}.pt"


def forget(folder: Path, name: str) -> None:
    """Remove the state of a training that is done."""
    path_of(folder, name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are not done
        (folder / FOLDER).rmdir()
