"""One optimiser step; nothing in it makes the processor wait for the device."""

from collections.abc import Mapping

import torch
from torch import Tensor

from medsym.models.settings import ModelSettings
from medsym.training.distributed import Ranks
from medsym.training.losses import AsymmetryLoss, Batch
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState


class Stepper:
    """Takes optimiser steps; calling it returns the parts of the loss, on the device.

    Args:
        state: Changed in place.
        settings: Of the run.
        ranks: The processes that train together.
    """

    def __init__(
        self, state: TrainingState, settings: TrainSettings, *, ranks: Ranks | None = None
    ) -> None:
        self.state = state
        self.settings = settings
        self.loss = AsymmetryLoss(settings.loss)
        self.network = (ranks or Ranks()).wrap(
            state.network, some_unused=_leaves_head_unused(settings.model)
        )
        state.write_softness(state.schedule.last_epoch / settings.optimiser.steps)

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """One step on one batch."""
        state, settings = self.state, self.settings
        device, how = batch.image.device, settings.optimiser
        self.network.train()
        state.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.mixed_precision):
            output = self.network(batch.image)
        total, found = self.loss(output, batch)
        parts: Mapping[str, Tensor | float] = found
        penalty = state.softness.penalty()
        if penalty is not None:
            total = total + penalty
            parts = {**parts, "softness": penalty}
        total.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), how.clip)
        state.optimiser.step()
        state.schedule.step()
        state.softness.after_step(state.optimiser)
        state.update_average()
        state.write_softness(state.schedule.last_epoch / how.steps)
        return {name: torch.as_tensor(value).detach() for name, value in parts.items()}


def _leaves_head_unused(model: ModelSettings) -> bool:
    """Whether the head's odd part and tolerance have no part in the output."""
    return model.softness not in ("head", "both")
