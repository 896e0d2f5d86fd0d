"""Soften a MONAI SegResNet, fine-tune it, certify it, fold it.

Run with ``python -m medsym.examples.soften_segresnet`` (about a minute on one core; nothing is
downloaded). The network learns to outline lesions on synthetic brains, 8 mm voxels, in which
everybody has two normal structures on the left that look like lesions: an exactly symmetric
network cannot tell them from disease on the right, a free one can, but makes asymmetry of its own.
Every step below is one call that works on other networks and data alike.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from monai.networks.nets.segresnet import SegResNet
from torch import Tensor, nn

from medsym.benchmarks.methods.data import draw_subjects
from medsym.benchmarks.methods.method import lesion_loss
from medsym.benchmarks.methods.subjects import Subjects
from medsym.commands.console import say
from medsym.models.retrofit import SoftNetwork, soften
from medsym.symmetry import (
    SoftEquivariant,
    fold,
    harden,
    measured_defect,
    relative_defect,
    tolerance_for,
)
from medsym.symmetry.certificates import certify
from medsym.symmetry.penalties import softness_penalty
from medsym.symmetry.schedules import parameter_groups


def main(*, subjects: int = 200, steps: int = 300, tuning_steps: int = 150, seed: int = 0) -> None:
    """Run the example.

    Args:
        subjects: Synthetic brains to train on; a quarter as many again are kept for testing.
        steps: Of ordinary training.
        tuning_steps: Of fine-tuning with learned softness.
        seed: Of brains, weights and order.
    """
    torch.manual_seed(seed)
    say(f"drawing {subjects + subjects // 4} synthetic brains")
    brains = draw_subjects(subjects + subjects // 4, version="asymmetric", seed=seed)
    train, test = brains[slice(subjects)], brains[slice(subjects, None)]
    network = SegResNet(
        spatial_dims=3,
        init_filters=16,
        in_channels=1,
        out_channels=1,
        blocks_down=(1, 1, 1),
        blocks_up=(1, 1),
        norm="instance",
    )
    say("1. an ordinary network, trained as usual")
    fit(network, train, steps=steps, groups=[{"params": list(network.parameters()), "lr": 4e-3}])
    describe("plain network", network.eval(), test)
    guard_output(network, train, test)
    soft = soften_weights(network, train, test, tuning_steps=tuning_steps)
    say("4. exact symmetry, and plain speed")
    describe("hardened", harden(copy.deepcopy(soft)), test)
    compare_folded(soft, test.image[:1])


def guard_output(network: nn.Module, train: Subjects, test: Subjects) -> None:
    """Output-space softness: a guarantee without training again."""
    say("2. the same network with a guarantee, without training it again (two passes)")
    guarded = SoftEquivariant(network, tolerance=tolerance_for(network, [train.image], share=0.99))
    describe("output-space softness", lambda x: guarded(x).value, test)
    with torch.no_grad():
        defect = measured_defect(lambda x: guarded(x).value, test.image)
        ratio = defect.abs() / guarded(test.image).bound
    say(f"   measured defect / bound: largest {float(ratio.max()):.3f}, never above 1")


def soften_weights(
    network: nn.Module, train: Subjects, test: Subjects, *, tuning_steps: int
) -> SoftNetwork:
    """Weight softness: soften a copy, fine-tune it, certify its layers."""
    say("3. softness in the weights: soften, fine-tune, certify")
    soft = soften(copy.deepcopy(network), softness=0.9, learned=True)
    _say_all(str(soft.report))
    describe("softened, not yet tuned", soft.eval(), test)
    fit(
        soft,
        train,
        steps=tuning_steps,
        groups=parameter_groups(soft, learning_rate=1e-3, softness_rate=3e-2),
        penalty=lambda: 0.02 * softness_penalty(soft),
    )
    describe("softened and tuned", soft.eval(), test)
    _say_all(str(certify(soft, test.image[:1])))
    return soft


def fit(
    network: nn.Module,
    train: Subjects,
    *,
    steps: int,
    groups: list[dict[str, Any]],
    penalty: Callable[[], Tensor] | None = None,
) -> None:
    """Train with batches of four; no flips, which would undo the softness."""
    optimiser = torch.optim.AdamW(groups)
    network.train()
    for step in range(steps):
        batch = train[torch.randint(0, len(train), (4,))]
        value = lesion_loss(network(batch.image), batch)
        if penalty is not None:
            value = value + penalty()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if step % 50 == 49:
            say(f"   step {step + 1}/{steps}: loss {value.item():.3f}")


def describe(name: str, function: Callable[[Tensor], Tensor], test: Subjects) -> None:
    """Dice in the brains of all test subjects and the relative defect."""
    with torch.no_grad():
        found = (function(test.image) > 0.0).float() * test.brain
        defect = relative_defect(function, test.image)
    overlap = 2.0 * float((found * test.lesion).sum())
    total = float(found.sum() + test.lesion.sum())
    say(f"   {name}: Dice {overlap / max(total, 1.0):.3f}, relative defect {defect:.1e}")


def compare_folded(soft: SoftNetwork, image: Tensor) -> None:
    """The folded network says the same and costs what a plain network costs."""
    plain = fold(copy.deepcopy(soft)).network
    seconds = {"soft": 0.0, "folded": 0.0}
    with torch.no_grad():
        difference = float((plain(image) - soft(image)).abs().max())
        for _ in range(20):
            for name, network in (("soft", soft), ("folded", plain)):
                start = time.process_time()
                network(image)
                seconds[name] += time.process_time() - start
    ratio = seconds["folded"] / seconds["soft"]
    say(f"   folded: output changes by {difference:.1e}, {ratio:.2f} of the soft network's time")


def _say_all(text: str) -> None:
    for line in text.splitlines():
        say(f"   {line}")


if __name__ == "__main__":
    main()
