"""What a run does about the weight softness of its network: schedule, penalty, dual control."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from medsym.errors import ConfigError
from medsym.symmetry.penalties import (
    DualSoftness,
    learned_softnesses,
    odd_weight_penalty,
    softness_penalty,
)
from medsym.symmetry.relaxation import clear_odd_parts
from medsym.symmetry.schedules import (
    Schedule,
    constant,
    decay_odd_parts,
    set_softness,
    soft_to_strict,
    strict_to_soft,
    triangle,
)
from medsym.symmetry.softness import softness_values
from medsym.training.settings import SoftnessSettings


class SoftnessControl:
    """Carries out :class:`SoftnessSettings` on a network and its averaged copy.

    Args:
        settings: What to do.
        network: The network that is trained. Where a schedule starts strict, its odd weights are
            set to zero, so that softness begins with nothing to show.

    Raises:
        ConfigError: MS-334, the network has no weight softness to act on.
    """

    def __init__(self, settings: SoftnessSettings, network: nn.Module) -> None:
        self.settings = settings
        self._network = network
        self._names = list(learned_softnesses(network))
        if settings != SoftnessSettings() and not self._names:
            raise ConfigError(
                code="MS-334",
                subject="softness",
                cause="the network has no weight softness for these settings to act on",
                fix="set model.softness to encoder or both, or leave out the softness section",
            )
        self._schedule = _schedule(settings)
        if self._schedule is not None and self._schedule(0.0) == 0.0:
            clear_odd_parts(network)
        self.dual = (
            DualSoftness(network, rate=settings.dual_rate, slack_price=settings.slack_price)
            if settings.dual
            else None
        )

    def write(self, progress: float, *networks: nn.Module) -> None:
        """Set scheduled softness for the progress of the run, 0 to 1."""
        if self._schedule is not None:
            for network in networks:
                set_softness(network, dict.fromkeys(self._names, self._schedule(progress)))

    def values(self) -> dict[str, float]:
        """Softness by layer, learned or scheduled; the mean where a layer has several."""
        found = softness_values(self._network)
        return {name: float(found[name].mean()) for name in self._names}

    def penalty(self) -> Tensor | None:
        """What is added to the loss; None if nothing is."""
        settings = self.settings
        terms = [] if self.dual is None else [self.dual.penalty()]
        if settings.penalty == "odd_weights":
            terms.append(settings.penalty_weight * odd_weight_penalty(self._network))
        elif settings.penalty != "none":
            terms.append(
                settings.penalty_weight * softness_penalty(self._network, settings.penalty)
            )
        return torch.stack(terms).sum() if terms else None

    def after_step(self, optimiser: torch.optim.Optimizer) -> None:
        """Decay of the odd parts and dual ascent, after the optimiser's step."""
        if self.settings.odd_decay is not None:
            decay_odd_parts(self._network, optimiser)
        if self.dual is not None:
            self.dual.step()

    def state_dict(self) -> dict[str, Any]:
        """Tensors that a resumed run needs; empty without dual control."""
        return {} if self.dual is None else self.dual.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises:
            RuntimeError: The state is of a run with other settings.
        """
        if self.dual is not None:
            self.dual.load_state_dict(state)
        elif state:
            msg = "dual multipliers for a run without dual control"
            raise RuntimeError(msg)


def _schedule(settings: SoftnessSettings) -> Schedule | None:
    span = {"start": settings.start, "end": settings.end}
    made: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: constant(settings.peak),
        "strict_to_soft": lambda: strict_to_soft(settings.peak, **span),
        "soft_to_strict": lambda: soft_to_strict(settings.peak, **span),
        "triangle": lambda: triangle(settings.peak, at=settings.end),
    }
    return None if settings.schedule == "learned" else made[settings.schedule]()
