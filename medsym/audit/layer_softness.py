"""The softness of every softened layer, and how much of its weights breaks the mirror."""

from dataclasses import dataclass

import torch
from torch import nn

from medsym.symmetry.parametrisation import soft_tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSoftness:
    """One softened weight.

    Attributes:
        path: Dotted name of the layer.
        low: Smallest softness in it, in [0, 1].
        high: Largest softness in it.
        learned: Whether it is trained.
        odd_share: ``|a W_odd| / |W_a|`` in the 2-norm: 0 is exact; None where the softness
            varies over voxels or inputs and no single weight exists.
    """

    path: str
    low: float
    high: float
    learned: bool
    odd_share: float | None


def layer_softness(network: nn.Module) -> tuple[LayerSoftness, ...]:
    """Softness of every softened weight (not of biases), in the order of the network."""
    rows = []
    with torch.no_grad():
        for tensor in soft_tensors(network):
            if tensor.name != "weight":
                continue
            soft = tensor.weight.softness
            share = None
            if soft.uniform is not None:
                even, odd = tensor.weight.parts(tensor.raw)
                share = float(odd.norm() / (even + odd).norm().clamp_min(1e-30))
            rows.append(
                LayerSoftness(
                    path=tensor.layer,
                    low=float(soft.value.min()),
                    high=float(soft.value.max()),
                    learned=soft.learned,
                    odd_share=share,
                )
            )
    return tuple(rows)
