"""Plain training, plain training with flips, and the strict network."""

from collections.abc import Mapping
from dataclasses import fields

import torch
from torch import Tensor, nn

from medsym.benchmarks.methods.backbone import UNet, soften_unet
from medsym.benchmarks.methods.method import TIED, Guaranteed, Method, Variant
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.output_space import SoftEquivariant
from medsym.symmetry.parts import split_function
from medsym.symmetry.softness import Softness

SHARES = (0.99, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
LEAST_TIGHTNESS = (
    0.35  # of mean |odd| over tolerance on training subjects; 0.3 is asked for on test
)


class Plain(Method):
    """The backbone with free weights, and two ways to use it with two passes.

    Mirror test-time averaging is ``(f(x) + S f(S x)) / 2``; output-space softness keeps as much of
    the rest as a tolerance allows (``medsym.symmetry.SoftEquivariant``).
    """

    name, title, curve = "plain", "plain", True

    def variants(self, training: Subjects) -> Mapping[str, Variant]:
        """Mirror averaging, and output-space softness with a tolerance from training data."""
        averaged = SoftEquivariant(self.network)
        tolerance, tightness = choose_tolerance(self.network, training)
        soft = SoftEquivariant(self.network, tolerance=tolerance)
        return {
            "mirror_averaging": Variant(
                lambda image: averaged(image).value, title="mirror test-time averaging", exact=True
            ),
            "output_space": Variant(
                lambda image: soft(image).value,
                title="soft by output (ours, two passes)",
                guarantee=_output_guarantee(soft),
                findings={"tolerance": tolerance, "training_tightness": tightness},
            ),
        }


class Flips(Plain):
    """Plain, with every training subject mirrored with probability 1/2."""

    name, title, curve = "plain_flips", "plain + flips", False

    def augment(self, batch: Subjects, generator: torch.Generator) -> Subjects:
        """Each subject or its mirror image."""
        coin = torch.rand(len(batch), 1, 1, 1, 1, generator=generator) < 0.5
        twin = batch.mirrored()
        mixed = {
            f.name: torch.where(coin, getattr(twin, f.name), getattr(batch, f.name))
            for f in fields(batch)
        }
        return Subjects(**mixed)

    def variants(self, training: Subjects) -> Mapping[str, Variant]:
        """None of its own."""
        del training
        return {}


class Strict(Method):
    """All weights tied: exactly equivariant (softness 0 in every layer)."""

    name, title, exact, curve = "strict", "strict", True, True

    def build(self) -> nn.Module:
        """The wider backbone with every weight tied."""
        return soften_unet(UNet(TIED), Softness)


def choose_tolerance(network: nn.Module, training: Subjects) -> tuple[float, float]:
    """Tolerance of the output, and its tightness on the brains of training subjects.

    The tolerance is the largest quantile of |odd(x)| in ``SHARES`` for which the mean limited
    odd part is at least ``LEAST_TIGHTNESS`` of it: as much freedom as a bound that says something
    allows.
    """
    sizes = []
    with torch.inference_mode():
        for start in range(0, len(training), 20):
            group = training[slice(start, start + 20)]
            sizes.append(split_function(network, group.image)[1].abs()[group.brain > 0])
    ordered = torch.cat(sizes).sort().values
    for share in SHARES:
        tolerance = float(ordered[int(share * (len(ordered) - 1))])
        tightness = float((ordered.clamp_max(tolerance) / max(tolerance, 1e-12)).mean())
        if tightness >= LEAST_TIGHTNESS:
            break
    return tolerance, tightness


def _output_guarantee(soft: SoftEquivariant) -> Guaranteed:
    def known(image: Tensor) -> tuple[Tensor, Tensor]:
        output = soft(image)
        return output.defect, output.bound

    return known
