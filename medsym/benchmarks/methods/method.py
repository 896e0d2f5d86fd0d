"""What a method is: a network, and its difference from training that network plainly.

Every method of the comparison is a subclass that overrides as few of these hooks as it can. The
training loop, the data, the backbone and the scores are the same for all.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.benchmarks.methods.backbone import UNet, Widths, free_parameters
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.schedules import parameter_groups

FREE: Widths = (16, 32, 48)
"""Widths of a network whose weights are free: 206,465 parameters."""
TIED: Widths = (16, 48, 64)
"""Widths of a network with tied weights: 193,673 free parameters, 6 % fewer."""
CROSS_ENTROPY = 10.0  # against 1 for the soft Dice loss
Predict = Callable[[Tensor], Tensor]
"""(b, 1, x, y, z) image -> (b, 1, x, y, z) log-odds of a lesion."""
Guaranteed = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Image -> (defect known without a mirrored pass, bound on its size), both like the log-odds."""


def lesion_loss(logits: Tensor, batch: Subjects) -> Tensor:
    """Cross entropy over the brain plus soft Dice over the batch; lower is better."""
    logits = logits.float()
    entropy = F.binary_cross_entropy_with_logits(
        logits, batch.lesion, weight=batch.brain, reduction="sum"
    ) / batch.brain.sum().clamp_min(1.0)
    chance = torch.sigmoid(logits) * batch.brain
    overlap = 2.0 * (chance * batch.lesion).sum() + 1.0
    dice = 1.0 - overlap / (chance.sum() + batch.lesion.sum() + 1.0)
    return CROSS_ENTROPY * entropy + dice


class Method:
    """Plain training of ``build()``; subclasses say what they do otherwise.

    An instance is one training: it holds its network and whatever else it learns.

    Attributes:
        name: Key in tables and files.
        title: Name for people.
        exact: The evaluated network commutes with the mirror up to rounding, by construction.
        network: What is trained.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    exact: ClassVar[bool] = False
    curve: ClassVar[bool] = False
    """Loss is recorded during training, for loss against compute."""

    def __init__(self, budget: TrainingBudget) -> None:
        self.budget = budget
        self.network = self.build()

    def build(self) -> nn.Module:
        """A new network with random weights: (b, 1, x, y, z) -> log-odds of the same shape."""
        return UNet(FREE)

    def training_data(self, subjects: Subjects) -> Subjects:
        """The subjects that weights are trained on; called once, before the first step."""
        return subjects

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser; learned softness has a rate of its own."""
        return parameter_groups(
            self.network,
            learning_rate=self.budget.learning_rate,
            softness_rate=self.budget.softness_rate,
            weight_decay=self.budget.weight_decay,
        )

    def augment(self, batch: Subjects, generator: torch.Generator) -> Subjects:
        """The batch as the network sees it."""
        del generator
        return batch

    def before_step(self, progress: float) -> None:
        """Called before every step with the progress of training in [0, 1)."""

    def loss(self, batch: Subjects) -> Tensor:
        """What is minimised."""
        return lesion_loss(self.network(batch.image), batch)

    def after_step(self, optimiser: torch.optim.Optimizer) -> None:
        """Called after every step of the optimiser."""

    def finish(self) -> None:
        """Called once after the last step; the network is then evaluated."""

    def predict(self, image: Tensor) -> Tensor:
        """Log-odds of the trained network."""
        logits: Tensor = self.network(image)
        return logits

    def guarantee(self) -> Guaranteed | None:
        """Defect without a mirrored pass and its bound, where the method proves one."""
        return None

    def variants(self, training: Subjects) -> Mapping[str, "Variant"]:
        """Other ways to evaluate the same trained network, by name."""
        del training
        return {}

    def free_parameters(self) -> int:
        """Degrees of freedom of what is trained, as it is when this is called."""
        return free_parameters(self.network)

    def findings(self) -> dict[str, float]:
        """What the method learned about the symmetry, for the record."""
        return {}


class Variant:
    """A trained network evaluated in another way; it costs no training.

    Args:
        predict: Image to log-odds.
        title: Name for people.
        exact: Commutes with the mirror up to rounding.
        guarantee: Known defect and bound, or None.
        findings: Numbers for the record.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        title: str,
        exact: bool = False,
        guarantee: Guaranteed | None = None,
        findings: Mapping[str, float] | None = None,
    ) -> None:
        self.predict, self.title, self.exact = predict, title, exact
        self.guarantee, self.findings = guarantee, dict(findings or {})
