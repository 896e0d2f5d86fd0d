"""The product's two guarantees under 10,000 random trials and under attack: no violation."""

import pytest
import torch
from torch import Tensor, nn

from medsym.nn import MirrorConv3d, SoftHead, activation
from medsym.symmetry import (
    ChannelAction,
    SoftEquivariant,
    defect_bound,
    measured_defect,
    mirror,
)
from medsym.symmetry.soft_head import one_pass_defect

RELATIVE_ROUNDING = 1e-12  # of four float64 layers
PAIRS = ChannelAction.regular(2)
OUTPUTS = [
    ChannelAction.trivial(1),
    ChannelAction.labels([0, 2, 1]),
    ChannelAction.trivial(1) + ChannelAction.sign(1),
]


class StrictThenSoft(nn.Module):
    """Strict backbone and soft head, the shape of every network with the one-pass guarantee."""

    def __init__(self, action_out: ChannelAction) -> None:
        super().__init__()
        self.action = action_out
        self.backbone = nn.Sequential(
            MirrorConv3d(ChannelAction.trivial(1), PAIRS), activation(PAIRS)
        )
        self.head = SoftHead(PAIRS, action_out, hidden=PAIRS)
        for parameter in self.parameters():  # far from the careful start: any weights will do
            nn.init.normal_(parameter)

    def gap(self, volume: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(measured, predicted defect, bound) of one batch.

        The allowance for the backbone's rounding is fixed, not measured: it cannot hide anything.
        """
        here, there = (self.head(self.backbone(v)) for v in (volume, mirror(volume)))
        measured = there.value - mirror(here.value, self.action)
        predicted = one_pass_defect(here.even, here.odd, action=self.action)
        size = max(float(p.detach().abs().max()) for p in (here.even, here.tolerance))
        bound = defect_bound(
            here.even, here.tolerance, action=self.action, rounding=RELATIVE_ROUNDING * size
        )
        return measured, predicted, bound


def free(action_out: ChannelAction) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.GELU(), nn.Conv3d(4, action_out.channels, 3, padding=1)
    )


def hundred_volumes() -> Tensor:
    """Noise over six orders of magnitude."""
    return torch.randn(100, 1, 6, 4, 4) * 10.0 ** torch.empty(100, 1, 1, 1, 1).uniform_(-3, 3)


@pytest.mark.parametrize("action", OUTPUTS, ids=["trivial", "labels", "trivial+sign"])
def test_ten_thousand_trials_of_the_soft_head(action: ChannelAction) -> None:
    tightest, residue = 0.0, 0.0
    for seed in range(34):  # 34 networks x 100 volumes x 3 kinds of output
        torch.manual_seed(seed)
        network = StrictThenSoft(action).double().eval()
        with torch.no_grad():
            measured, predicted, bound = network.gap(hundred_volumes().double())
        assert (measured.abs() <= bound).all()
        tightest = max(tightest, float((measured.abs() / bound).max()))
        residue = max(residue, float((measured - predicted).abs().max() / bound.max()))
    assert tightest > 0.9  # not vacuous
    assert residue < 1e-11  # one pass knows the defect


@pytest.mark.parametrize("action", OUTPUTS, ids=["trivial", "labels", "trivial+sign"])
def test_ten_thousand_trials_of_output_space_softness(action: ChannelAction) -> None:
    tightest = 0.0
    for seed in range(34):
        torch.manual_seed(seed)
        soft = SoftEquivariant(
            free(action).eval(), tolerance=float(torch.rand(())), action_out=action
        )
        volume = hundred_volumes()
        with torch.no_grad():
            measured = measured_defect(lambda x, s=soft: s(x).value, volume, action_out=action)
            bound = soft(volume).bound
        assert (measured.abs() <= bound).all()
        tightest = max(tightest, float((measured.abs() / bound).max()))
    assert tightest > 0.99


@pytest.mark.parametrize("attacked", ["input", "weights"])
def test_an_adversary_reaches_the_bound_and_does_not_cross_it(attacked: str) -> None:
    torch.manual_seed(5)
    action = OUTPUTS[1]
    network = StrictThenSoft(action).double()
    volume = torch.randn(2, 1, 6, 4, 4, dtype=torch.float64, requires_grad=attacked == "input")
    targets = [volume] if attacked == "input" else list(network.parameters())
    optimiser = torch.optim.Adam(targets, lr=0.05)
    with torch.no_grad():
        measured, _, bound = network.gap(volume)
        before = float((measured.abs() / bound).mean())
    for _ in range(150):
        measured, _, bound = network.gap(volume)
        assert (measured.abs() <= bound).all()
        ratio = (measured.abs() / bound).mean()
        optimiser.zero_grad()
        (-ratio).backward()
        optimiser.step()
    assert float(ratio.detach()) > max(0.95, before)


def test_a_backbone_that_is_not_strict_is_caught() -> None:
    """Negative control: with one free layer the measured defect leaves the predicted one."""
    torch.manual_seed(1)
    network = StrictThenSoft(OUTPUTS[0]).eval()
    network.backbone[0] = nn.Conv3d(1, 4, 3, padding=1)
    with torch.no_grad():
        measured, predicted, _ = network.gap(torch.randn(4, 1, 6, 4, 4))
    assert (measured - predicted).abs().max() > 0.1
