"""Methods that are ``W_even + a W_odd``: one family, told apart by who sets a and the odd part.

For the two-element group every method of this file trains the same network (see
``medsym.symmetry.softness``). Strict is a = 0 and plain is a = 1; the differences are

* soft by weights: a is learned, one per layer, with an l1 price;
* residual pathway priors: a = 1 and the odd part decays faster;
* projection regulariser: a = 1 and the odd part has a price in the loss;
* ACE: a is learned under a dual variable per layer;
* constraint relaxation: a is scheduled up and back to exactly 0.
"""

from typing import Any

import torch
from torch import Tensor, nn

from medsym.benchmarks.methods.backbone import UNet, soften_unet
from medsym.benchmarks.methods.method import FREE, TIED, Method
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.parametrisation import harden, soft_tensors
from medsym.symmetry.penalties import (
    DualSoftness,
    SoftnessPenalty,
    odd_weight_penalty,
    softness_penalty,
)
from medsym.symmetry.relaxation import clear_odd_parts
from medsym.symmetry.schedules import (
    decay_odd_parts,
    parameter_groups,
    set_softness,
    triangle,
)
from medsym.symmetry.softness import Softness, softness_values


def free_weights() -> Softness:
    """Softness 1, constant: the layer is free, and its odd part can be told apart."""
    return Softness(1.0)


class SoftWeights(Method):
    """A softness per layer, learned, with an l1 price (tunable softness: arXiv 2603.26657).

    Other than there, softness is learned and not set by hand; see ``medsym.symmetry.Softness``.
    """

    name, title, curve = "soft_weights", "soft by weights (ours)", True
    start, price = 0.3, 1e-3
    penalty: SoftnessPenalty = "l1"

    def build(self) -> nn.Module:
        """Free weights with a learned softness per layer."""
        return soften_unet(UNet(FREE), lambda: Softness(self.start, learned=True))

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the price of softness."""
        return super().loss(batch) + self.price * softness_penalty(self.network, self.penalty)

    def findings(self) -> dict[str, float]:
        """Mean learned softness, and its range over the layers."""
        values = torch.stack([v.mean() for v in softness_values(self.network).values()])
        return {
            "softness_mean": float(values.mean()),
            "softness_least": float(values.min()),
            "softness_most": float(values.max()),
        }


class ResidualPathwayPriors(Method):
    """RPP (Finzi, Benton, Wilson 2021, arXiv 2112.01388, section 4).

    ``(W_even + W_free) x`` under Gaussian priors whose variance is small on the free pathway. The
    even part of the free pathway adds to W_even, so for one mirror this is a decay of W_odd on
    top of the common one; as there, the free pathway starts at 1e-3 of its usual size.
    """

    name, title = "rpp", "residual pathway priors"
    start, odd_decay = 1e-3, 0.5

    def build(self) -> nn.Module:
        """Free weights with a small odd part."""
        network = soften_unet(UNet(FREE), free_weights)
        with torch.no_grad():
            for tensor in soft_tensors(network):
                even, odd = tensor.weight.split(tensor.raw)
                tensor.raw.copy_(even + self.start * odd)
        return network

    def groups(self) -> list[dict[str, Any]]:
        """The usual groups, with the prior of the odd part."""
        return parameter_groups(
            self.network,
            learning_rate=self.budget.learning_rate,
            softness_rate=self.budget.softness_rate,
            weight_decay=self.budget.weight_decay,
            odd_decay=self.odd_decay,
        )

    def after_step(self, optimiser: torch.optim.Optimizer) -> None:
        """Shrink the odd part."""
        decay_odd_parts(self.network, optimiser)


class ProjectionRegulariser(Method):
    """Task + ``price |W - P W|^2``, P the Reynolds projection (arXiv 2601.05028)."""

    name, title = "projection", "projection regulariser"
    price = 10.0

    def build(self) -> nn.Module:
        """Free weights."""
        return soften_unet(UNet(FREE), free_weights)

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the price of the odd weights."""
        return super().loss(batch) + self.price * odd_weight_penalty(self.network)


class Ace(Method):
    """ACE (Manolache, Chamon, Niepert 2025, arXiv 2505.13631): softness under dual control.

    Starts free; a multiplier per layer pulls its softness to 0, with slack where the data resist.
    """

    name, title = "ace", "ACE (dual variables)"
    start, dual_rate, slack_price = 0.9, 0.05, 1.0

    def build(self) -> nn.Module:
        """Free weights with a learned softness per layer, nearly 1."""
        network = soften_unet(UNet(FREE), lambda: Softness(self.start, learned=True))
        self.dual = DualSoftness(network, rate=self.dual_rate, slack_price=self.slack_price)
        return network

    def loss(self, batch: Subjects) -> Tensor:
        """The Lagrangian."""
        return super().loss(batch) + self.dual.penalty()

    def after_step(self, optimiser: torch.optim.Optimizer) -> None:
        """Dual ascent."""
        del optimiser
        self.dual.step()

    def findings(self) -> dict[str, float]:
        """Mean softness and largest multiplier."""
        values = torch.stack([v.mean() for v in softness_values(self.network).values()])
        multipliers = self.dual.ranking().values()
        return {"softness_mean": float(values.mean()), "multiplier_most": max(multipliers)}


class ConstraintRelaxation(Method):
    """Relax during training, end strict (Pertigkiozoglou et al. 2024, arXiv 2408.13242).

    The softness rises from 0 to its peak at half of the training and falls back to exactly 0; the
    odd part starts at 0 and has a price, the finite-group form of their Lie-derivative term. The
    evaluated network is strict; in training it has twice as many free parameters.
    """

    name, title, exact = "relaxation", "constraint relaxation", True
    peak, price = 1.0, 0.01

    def build(self) -> nn.Module:
        """The strict network with an odd part that waits at 0."""
        return clear_odd_parts(soften_unet(UNet(TIED), Softness))

    def before_step(self, progress: float) -> None:
        """Write the scheduled softness."""
        set_softness(self.network, triangle(self.peak)(progress))

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the price of the odd weights."""
        return super().loss(batch) + self.price * odd_weight_penalty(self.network)

    def finish(self) -> None:
        """Exactly strict."""
        harden(self.network)
