"""Laws of the methods that act on weights: one family, each with its strict setting."""

import pytest
import torch

from medsym.benchmarks.methods.baselines import Strict
from medsym.benchmarks.methods.method import Method, lesion_loss
from medsym.benchmarks.methods.relaxed_group import RelaxedGroupConvolution, relaxed_kernels
from medsym.benchmarks.methods.sharing import (
    BLOCK,
    LearnedSharing,
    SharedKernel,
    from_blocks,
    mirror_partner,
    shared_mass,
    to_blocks,
)
from medsym.benchmarks.methods.weight_family import (
    Ace,
    ConstraintRelaxation,
    ProjectionRegulariser,
    ResidualPathwayPriors,
    SoftWeights,
)
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.parts import split_kernel
from medsym.symmetry.penalties import odd_weight_penalty
from medsym.symmetry.schedules import set_softness
from medsym.symmetry.softness import softness_values
from tests.benchmarks.method_problem import EXACT, built, defect, subjects, trained


@pytest.mark.parametrize("kind", [SoftWeights, Ace, ResidualPathwayPriors, ProjectionRegulariser])
def test_the_family_is_strict_at_softness_zero_and_soft_above(kind: type[Method]) -> None:
    method = built(kind)
    trained(method, steps=3)
    assert defect(method.predict) > EXACT
    set_softness(method.network, dict.fromkeys(softness_values(method.network), 0.0))
    assert defect(method.predict) <= EXACT


def test_priors_that_forbid_the_free_pathway_make_it_strict() -> None:
    method = built(ResidualPathwayPriors)
    method.odd_decay = 1000.0  # times the rate of 0.001: all of the odd part, at every step
    optimiser = torch.optim.SGD(method.groups(), lr=1e-3)
    for group in optimiser.param_groups:
        group["lr"] = 1e-3
    assert defect(method.predict) > EXACT
    method.after_step(optimiser)
    assert defect(method.predict) <= EXACT


def test_priors_start_nearly_strict() -> None:
    parts = [
        t.weight.split(t.raw.detach()) for t in soft_tensors(built(ResidualPathwayPriors).network)
    ]
    kernels = [(even, odd) for even, odd in parts if even.ndim == 5]
    assert all(float(odd.norm()) < 3e-3 * float(even.norm()) for even, odd in kernels)


@torch.no_grad()
def test_projection_regulariser_prices_the_odd_weights_at_operator_level() -> None:
    method, batch = built(ProjectionRegulariser), subjects()[slice(2)]
    extra = method.loss(batch) - lesion_loss(method.network(batch.image), batch)
    odd = [t.weight.split(t.raw)[1].square().mean() for t in soft_tensors(method.network)]
    expected = method.price * float(torch.stack(odd).sum())
    assert float(extra) == pytest.approx(expected, rel=1e-3)
    assert expected > 0.0


def test_multipliers_grow_and_pull_softness_down() -> None:
    method = built(Ace)
    method.dual_rate = 1.0
    before = torch.stack([v.mean() for v in softness_values(method.network).values()])
    trained(method, steps=8)
    after = torch.stack([v.mean() for v in softness_values(method.network).values()])
    assert min(method.dual.ranking().values()) > 0.0
    assert bool((after < before).all())


def test_relaxation_is_free_on_the_way_and_exact_at_the_end() -> None:
    method = built(ConstraintRelaxation)
    assert defect(method.predict) <= EXACT
    trained(method, steps=6)
    method.before_step(0.5)
    assert defect(method.predict) > EXACT
    assert float(odd_weight_penalty(method.network).detach()) > 0.0
    method.before_step(1.0)
    assert defect(method.predict) <= EXACT
    method.finish()
    assert defect(method.predict) <= EXACT
    assert method.free_parameters() == built(Strict).free_parameters()


@torch.no_grad()
def test_relaxed_kernels_are_exact_while_their_weights_are_equal() -> None:
    method = built(RelaxedGroupConvolution)
    assert defect(method.predict) <= EXACT
    assert all(float(k.gap()) == 0.0 for k in relaxed_kernels(method.network))
    with torch.no_grad():
        for kernel in relaxed_kernels(method.network):
            kernel.weights[:, 0] += 0.3
    assert defect(method.predict) > 100 * EXACT


def test_twins_are_another_weight_and_twice_the_same() -> None:
    partner = mirror_partner()
    assert torch.equal(partner[partner], torch.arange(BLOCK))
    assert bool((partner != torch.arange(BLOCK)).all())


def test_blocks_hold_every_weight_once() -> None:
    kernel = torch.randn(4, 6, 3, 3, 3)
    assert torch.equal(from_blocks(to_blocks(kernel), tuple(kernel.shape)), kernel)


def test_assignment_is_a_distribution_before_and_after_learning() -> None:
    method = built(LearnedSharing)
    before = method.assignment().detach().clone()
    trained(method, steps=4)
    for rows in (before, method.assignment().detach()):
        assert torch.allclose(rows.sum(dim=1), torch.ones(BLOCK), atol=1e-5)
        assert bool((rows >= 0.0).all())
    assert not torch.equal(before, method.assignment().detach())
    assert shared_mass(before)[0] == pytest.approx(shared_mass(before)[1], rel=0.05)


def test_sharing_by_the_mirror_makes_kernels_even_and_is_recognised() -> None:
    method = built(LearnedSharing)
    kernel = SharedKernel(method.assignment)
    slots, pairs = torch.randn(4, 4, 3, 3, 3), ChannelAction.regular(2)

    def odd_share() -> float:
        weight = kernel(slots).detach()
        return float(split_kernel(weight, pairs, pairs)[1].norm() / weight.norm())

    assert odd_share() > 0.3
    orbit = torch.minimum(mirror_partner(), torch.arange(BLOCK))
    with torch.no_grad():
        method.assignment.logits.copy_(60.0 * torch.eye(BLOCK)[orbit])
    assert odd_share() < 1e-5
    twin, others = shared_mass(method.assignment().detach())
    assert twin == pytest.approx(1.0, abs=1e-4)
    assert others < 1e-4
