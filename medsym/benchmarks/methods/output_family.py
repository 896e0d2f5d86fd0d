"""Methods that act on the output of a network, or at its head.

With ``f_even = (f + S f S) / 2`` and ``f_odd = (f - S f S) / 2``: Augerino and symmetrisation mix
``f(x)`` and ``S f(S x)`` with a weight, learned or read off the scan; the soft head reads an even
and a limited odd part off a strict network in one pass.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from medsym.benchmarks.methods.backbone import LOGIT_START, UNet, soften_unet
from medsym.benchmarks.methods.method import (
    FREE,
    TIED,
    Guaranteed,
    Method,
    Variant,
    lesion_loss,
)
from medsym.benchmarks.methods.subjects import Subjects
from medsym.nn.head import HeadOutput, SoftHead
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.soft_head import defect_bound, one_pass_defect, rounding_slack
from medsym.symmetry.softness import Softness


class SoftHeadNetwork(nn.Module):
    """Strict backbone, even part plus limited odd part at the head.

    Args:
        tolerance: Tolerance before training, log-odds.
        side_width: Voxels; the head is told its side of the mid-plane. None does not tell it.
    """

    def __init__(self, *, tolerance: float, side_width: float | None = None) -> None:
        super().__init__()
        self.backbone = soften_unet(UNet(TIED), Softness)
        pairs = ChannelAction.regular(TIED[0] // 2)
        trivial = ChannelAction.trivial(1)
        self.head = SoftHead(
            pairs,
            trivial,
            hidden=pairs,
            bias=LOGIT_START,
            tolerance=tolerance,
            side_width=side_width,
        )
        del self.backbone.hidden, self.backbone.readout

    def parts(self, image: Tensor) -> HeadOutput:
        """Even part, limited odd part and tolerance."""
        output: HeadOutput = self.head(self.backbone.features(image))
        return output

    def forward(self, image: Tensor) -> Tensor:
        """Log-odds of a lesion."""
        return self.parts(image).value


class SoftByHead(Method):
    """Even part plus ``t tanh(o)`` at the head of a strict network (medsym.nn.SoftHead).

    Its defect is known from one pass and bounded by ``2 S t`` for every input.
    """

    name, title, curve = "soft_head", "soft by head (ours)", True
    price = 0.02  # of a log-odd of tolerance
    tolerance = 1.0  # log-odds, before training
    side_width: float | None = None

    def build(self) -> nn.Module:
        """Strict backbone with a soft head."""
        return SoftHeadNetwork(tolerance=self.tolerance, side_width=self.side_width)

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the price of tolerance."""
        parts = self._network.parts(batch.image)
        return lesion_loss(parts.value, batch) + self.price * parts.tolerance.float().mean()

    def guarantee(self) -> Guaranteed:
        """One-pass defect and a-priori bound, with the rounding measured on noise."""
        noise = torch.randn(
            4, 1, 20, 24, 20, generator=torch.Generator().manual_seed(0)
        )  # a stand-in for unseen scans, of their scale
        with torch.inference_mode():
            slack = rounding_slack(self._residue(noise))

        def known(image: Tensor) -> tuple[Tensor, Tensor]:
            parts = self._network.parts(image)
            defect = one_pass_defect(parts.even, parts.odd)
            return defect, defect_bound(parts.even, parts.tolerance, rounding=slack)

        return known

    def _residue(self, image: Tensor) -> Tensor:
        parts = self._network.parts(image)
        measured = self._network(mirror(image)) - mirror(parts.value)
        return measured - one_pass_defect(parts.even, parts.odd)

    @property
    def _network(self) -> SoftHeadNetwork:
        assert isinstance(self.network, SoftHeadNetwork)
        return self.network


class SoftByHeadOnItsSide(SoftByHead):
    """The same head, told on which side of the mid-plane each voxel lies.

    The side is a field of sign type, so backbone and guarantee stay as they are; see
    ``medsym.nn.SoftHead``. Width and tolerance were chosen on other subjects (data seed 777).
    """

    name, title, curve = "soft_head_side", "soft by head told its side (ours)", False
    tolerance = 2.0
    side_width = 1.0


class MirrorMixture(nn.Module):
    """``(1 - p) f(x) + p S f(S x)`` with a learned p in (0, 1/2); p = 1/2 is exact."""

    def __init__(self, network: nn.Module, *, start: float) -> None:
        super().__init__()
        self.network = network
        self.logit = nn.Parameter(torch.logit(torch.tensor(2.0 * start)))

    @property
    def flip_probability(self) -> Tensor:
        """p, a scalar."""
        return 0.5 * torch.sigmoid(self.logit)

    def forward(self, image: Tensor) -> Tensor:
        """Log-odds averaged over the flip."""
        direct, mirrored = both_sides(self.network, image)
        return direct + self.flip_probability * (mirrored - direct)


class Augerino(Method):
    """Augerino (Benton et al. 2020, arXiv 2010.11882) for the mirror.

    Their uniform distribution over a Lie algebra cannot contain a reflection; here the
    distribution is a flip probability p, averaged exactly, with a reward for its width. The result
    ``f_even + (1 - 2 p) f_odd`` is softness in output space.
    """

    name, title = "augerino", "Augerino's mirror form"
    start, reward = 0.1, 0.1

    def build(self) -> nn.Module:
        """Free network under a learned mixture."""
        return MirrorMixture(UNet(FREE), start=self.start)

    def groups(self) -> list[dict[str, object]]:
        """The flip probability has the rate of softness."""
        network, budget = self._network, self.budget
        usual = {"lr": budget.learning_rate, "weight_decay": budget.weight_decay}
        return [
            {"params": list(network.network.parameters()), **usual},
            {"params": [network.logit], "lr": budget.softness_rate, "weight_decay": 0.0},
        ]

    def loss(self, batch: Subjects) -> Tensor:
        """Task minus the reward for a wide distribution."""
        return super().loss(batch) - self.reward * self._network.flip_probability

    def findings(self) -> dict[str, float]:
        """The learned flip probability."""
        return {"flip_probability": float(self._network.flip_probability.detach())}

    @property
    def _network(self) -> MirrorMixture:
        assert isinstance(self.network, MirrorMixture)
        return self.network


class Symmetriser(nn.Module):
    """``p(x) f(x) + (1 - p(x)) S f(S x)`` with ``p(S x) = 1 - p(x)``: exact for any f.

    The frame's odds are ``o(x) = q(x) - q(S x)``, odd by construction, q a small network.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = UNet(FREE)
        self.frame = nn.Sequential(
            nn.Conv3d(1, 8, 4, stride=4), nn.LeakyReLU(0.01), nn.Conv3d(8, 8, 3, padding=1),
            nn.LeakyReLU(0.01), nn.Flatten(), nn.LazyLinear(1),
        )  # fmt: skip
        self.frame(torch.zeros(1, 1, 20, 24, 20))

    def odds(self, image: Tensor) -> Tensor:
        """(b, 1, 1, 1, 1) log-odds that the scan is kept as it is; odd under the mirror."""
        score: Tensor = self.frame(image) - self.frame(mirror(image))
        return score.float().reshape(-1, 1, 1, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """The expectation over the frame."""
        direct, mirrored = both_sides(self.network, image)
        keep = torch.sigmoid(self.odds(image))
        return keep * direct + (1.0 - keep) * mirrored

    def canonical(self, image: Tensor) -> Tensor:
        """The more likely frame alone: f runs once, on the scan or on its mirror image."""
        kept = self.odds(image) >= 0.0
        framed = self.network(torch.where(kept, image, mirror(image)))
        return torch.where(kept, framed, mirror(framed))


class Symmetrisation(Method):
    """Probabilistic symmetrisation (Kim et al. 2023, arXiv 2306.02866), summed exactly.

    With two group elements the expectation over the frame needs no sampling. Canonicalisation is
    the same network in its more likely frame; it is exact wherever the two differ in odds.
    """

    name, title, exact = "symmetrisation", "probabilistic symmetrisation", True

    def build(self) -> nn.Module:
        """Free network and frame."""
        return Symmetriser()

    def variants(self, training: Subjects) -> Mapping[str, Variant]:
        """Canonicalisation."""
        del training
        assert isinstance(self.network, Symmetriser)
        return {
            "canonicalisation": Variant(
                self.network.canonical, title="canonicalisation (one frame)", exact=True
            )
        }


def both_sides(network: nn.Module, image: Tensor) -> tuple[Tensor, Tensor]:
    """(f(x), S f(S x)) in one batch, in single precision."""
    output = network(torch.cat([image, mirror(image)])).float()
    direct, mirrored = output.chunk(2)
    return direct, mirror(mirrored)
