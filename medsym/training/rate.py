"""The learning rate over a run, as a share of the full one; the same for every kind of training."""

from typing import Protocol


class Ramps(Protocol):
    """Settings that say how the rate rises and falls."""

    @property
    def warmup(self) -> int:
        """Steps in which it rises."""

    @property
    def cooldown(self) -> float:
        """Last share of the steps, in which it falls."""


def rate_share(step: int, *, total: int, how: Ramps) -> float:
    """Share of the learning rate at a step: rises, stays, falls linearly to 1 %.

    Args:
        step: 0 and up.
        total: Steps in all; 0 while undecided, when the rate does not fall yet.
        how: Warm-up and cool-down.
    """
    rising = min(1.0, (step + 1) / (how.warmup + 1))
    if total == 0:
        return rising
    left = (total - step) / max(round(how.cooldown * total), 1)
    return rising * (0.01 + 0.99 * min(1.0, max(0.0, left)))
