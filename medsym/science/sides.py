"""How much of what a network carries differs between the sides, layer by layer.

Features split into a symmetric and an antisymmetric part, ``h = (h + S h)/2 + (h - S h)/2``, whose
energies add up. In an exactly symmetric backbone ``S h(x) = h(Sx)``, so both follow from the two
passes that the comparison makes anyway; for other backbones the two are not the same thing, and
nothing is measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from medsym.science.intervals import (
    Numbers,
    mean_over_subjects,
    subject_weights,
    with_interval,
)

SCAN = "scan"
#: Lists of layers of an ``AsymmetryNet`` in the order of the data, and what they are called.
_LAYERS = (("levels", "level"), ("exchanges", "exchange"), ("ascents", "decoder"))
_EXACT = ("head", "none")


@dataclass(slots=True)
class SideEnergy:
    """Shares of the antisymmetric energy by layer and subject.

    Attributes:
        shares: by group of subjects, by layer, one number per subject.
    """

    shares: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    _first: dict[str, Tensor] = field(default_factory=dict)
    _found: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """While open, every pair of passes (scan, mirrored scan) of the network is measured."""
        named = layers_of(network)
        handles = [layer.register_forward_hook(self._hook(name)) for name, layer in named.items()]
        if named:
            handles.append(network.register_forward_pre_hook(self._scan_hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def keep(self, group: str) -> None:
        """Count the last subject into a group."""
        for name, share in self._found.items():
            self.shares.setdefault(group, {}).setdefault(name, []).append(share)

    def finish(self) -> Numbers:
        """Mean share of every layer by group, with intervals over subjects."""
        return {
            group: {name: _mean(values) for name, values in rows.items()}
            for group, rows in self.shares.items()
        }

    def _hook(self, name: str) -> Any:
        def measure(_layer: nn.Module, _given: Any, features: Tensor) -> None:
            self._see(name, features)

        return measure

    def _scan_hook(self, _network: nn.Module, given: tuple[Any, ...]) -> None:
        self._see(SCAN, given[0])

    def _see(self, name: str, features: Tensor) -> None:
        first = self._first.pop(name, None)  # the second pass sees S x, so its features are S h
        if first is None:
            self._first[name] = features.detach().clone()
        else:
            self._found[name] = antisymmetric_share(first, features)


def antisymmetric_share(features: Tensor, mirrored: Tensor) -> float:
    """Share of the energy of features that changes sign under the mirror, in [0, 1].

    Args:
        features: h.
        mirrored: S h, of the same shape.
    """
    total = float(features.double().square().sum())
    odd = float(((features.double() - mirrored.double()) / 2).square().sum())
    return odd / total if total > 0.0 else float("nan")


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """Layers by name if the backbone is exactly symmetric; else none."""
    settings = getattr(network, "settings", None)
    if getattr(settings, "softness", None) not in _EXACT:
        return {}
    found: dict[str, nn.Module] = {}
    for attribute, words in _LAYERS:
        layers = list(getattr(network, attribute, ()))
        order = reversed(list(enumerate(layers))) if attribute == "ascents" else enumerate(layers)
        found |= {
            f"{words} {number}": layer
            for number, layer in order
            if not isinstance(layer, nn.Identity)
        }
    return found


def _mean(values: list[float]) -> Numbers:
    rows = np.asarray(values)
    return with_interval(mean_over_subjects(rows, subject_weights(rows.size)))
