"""Penalties: zero for a symmetric network, the stated formula, and what they lead to."""

import math

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import ConfigError
from medsym.nn import MirrorConv3d
from medsym.symmetry import ChannelAction, Softness, measured_defect, mirror, relative_defect
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.penalties import (
    DualSoftness,
    defect_penalty,
    latent_penalty,
    odd_weight_penalty,
    projection_penalty,
    softness_penalty,
)
from medsym.symmetry.schedules import parameter_groups, softness_values
from tests.builders_symmetry import random_volume

R, T = ChannelAction.regular(2), ChannelAction.trivial(1)


def network(softness: float = 0.5, *, learned: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        MirrorConv3d(T, R, softness=Softness(softness, learned=learned, num_channels=4)),
        MirrorConv3d(R, T, softness=Softness(softness, learned=learned)),
    )


def train(model: nn.Module, target: Tensor, penalty: object, *, steps: int = 150) -> None:
    """Fit one volume to a target with a penalty added."""
    volume = random_volume(T, seed=1)
    groups = parameter_groups(model, learning_rate=1e-2, softness_rate=1e-1)
    optimiser = torch.optim.Adam(groups)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (model(volume) - target).square().mean() + penalty()  # type: ignore[operator]
        loss.backward()
        optimiser.step()


def test_softness_penalties_are_their_formulas_and_pull_down() -> None:
    model = network(0.4)
    assert float(softness_penalty(model).detach()) == pytest.approx(0.8)
    assert float(softness_penalty(model, "log_barrier").detach()) == pytest.approx(
        -2 * math.log(0.6)
    )
    for kind in ("l1", "log_barrier"):
        model.zero_grad()
        softness_penalty(model, kind).backward()  # type: ignore[arg-type]
        logits = [p for n, p in model.named_parameters() if n.endswith("logit")]
        assert all(p.grad is not None and bool((p.grad > 0).all()) for p in logits)


def test_barrier_grows_without_limit_and_stays_finite() -> None:
    softness = Softness(0.5, learned=True)
    found = []
    for logit in (0.0, 10.0, 100.0):
        with torch.no_grad():
            softness.logit.fill_(logit)
        found.append(float(softness_penalty(softness, "log_barrier").detach()))
    assert found == pytest.approx([math.log(2), 10.0, 100.0], rel=1e-4)


def test_odd_penalty_is_zero_exactly_for_symmetric_weights_and_grows_with_softness() -> None:
    assert float(odd_weight_penalty(network(0.0, learned=False)).detach()) == 0.0
    half, whole = (odd_weight_penalty(network(a, learned=False)) for a in (0.5, 1.0))
    assert float(whole.detach()) > 1e-4
    torch.testing.assert_close(whole, 4 * half)


def test_projection_penalty_adds_up_to_the_whole_weight() -> None:
    model = network(1.0, learned=False)
    whole = torch.stack([t.raw.square().mean() for t in soft_tensors(model)]).sum()
    torch.testing.assert_close(projection_penalty(model, even=1.0, odd=1.0), whole)
    odd = projection_penalty(model, even=0.0, odd=1.0)
    torch.testing.assert_close(odd, odd_weight_penalty(model))


@pytest.mark.parametrize("name", ["odd weights", "defect"])
def test_penalty_brings_the_defect_down(name: str) -> None:
    target = random_volume(T, seed=2)
    free, penalised = network(1.0, learned=False), network(1.0, learned=False)
    volume = random_volume(T, seed=1)
    penalties = {
        "odd weights": lambda: 100 * odd_weight_penalty(penalised),
        "defect": lambda: 10 * defect_penalty(penalised, volume),
    }
    train(free, target, lambda: 0.0, steps=60)
    train(penalised, target, penalties[name], steps=60)
    assert relative_defect(penalised, volume) < 0.5 * relative_defect(free, volume)


def test_defect_penalty_is_the_mean_squared_defect_and_can_reuse_the_output() -> None:
    model, volume = network(), random_volume(T, seed=3)
    expected = measured_defect(model, volume).square().mean()
    torch.testing.assert_close(defect_penalty(model, volume), expected)
    calls: list[Tensor] = []
    counted = model.register_forward_hook(lambda *_: calls.append(volume))
    found = defect_penalty(model, volume, output=model(volume))
    counted.remove()
    torch.testing.assert_close(found, expected)
    assert len(calls) == 2
    assert float(defect_penalty(network(0.0, learned=False), volume).detach()) < 1e-12


def test_latent_penalty_knows_the_representation() -> None:
    torch.manual_seed(2)
    action = ChannelAction.regular(2) + ChannelAction.trivial(1)
    vector, volume = torch.randn(3, 5), torch.randn(3, 5, 4, 3, 2)
    assert float(latent_penalty(vector, action.apply(vector), action)) == 0.0
    assert float(latent_penalty(volume, mirror(volume, action), action)) == 0.0
    assert float(latent_penalty(vector, vector, action)) > 0.1
    assert float(latent_penalty(volume, volume.flip(3), action)) > 0.1
    shrunk = latent_penalty(vector / 10, vector / 10, action)
    torch.testing.assert_close(shrunk, latent_penalty(vector, vector, action) / 100)
    for scale in (0.1, 1.0):
        z = vector * scale
        found = latent_penalty(z, z, action, relative=True)
        torch.testing.assert_close(found, latent_penalty(vector, vector, action, relative=True))


def pair() -> nn.ModuleDict:
    """Two layers that fit one volume each: the first a symmetric target, the second not."""
    torch.manual_seed(4)
    layers = {n: MirrorConv3d(T, T, softness=Softness(0.9, learned=True)) for n in ("same", "side")}
    return nn.ModuleDict(layers)


def fit_pair(model: nn.ModuleDict, dual: DualSoftness, *, steps: int) -> dict[str, float]:
    """Softness after training under dual control."""
    volume = random_volume(T, seed=1, size=(8, 8, 8))
    targets = {"same": volume + volume.roll(1, 3), "side": volume.roll(1, 2)}
    groups = parameter_groups(model, learning_rate=2e-2, softness_rate=2e-2)
    optimiser = torch.optim.Adam(groups)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = sum((model[n](volume) - t).square().mean() for n, t in targets.items())
        (loss + dual.penalty()).backward()
        optimiser.step()
        dual.step()
    return {name: float(value) for name, value in softness_values(model).items()}


def test_dual_ascent_is_its_formula() -> None:
    model = pair()
    dual = DualSoftness(model, rate=0.5)
    assert float(dual.penalty().detach()) == 0.0
    dual.step()
    assert dual.ranking() == pytest.approx({"same": 0.45, "side": 0.45})
    assert float(dual.penalty().detach()) == pytest.approx(2 * 0.45 * 0.9)
    elastic = DualSoftness(model, rate=0.5, slack_price=3.0)
    elastic.step()
    elastic.step()  # 0.45, then + 0.5 (0.9 - 0.45 / 3)
    assert elastic.ranking() == pytest.approx({"same": 0.825, "side": 0.825})
    slack = 0.825 / 3
    expected = 2 * (0.825 * (0.9 - slack) + 3.0 / 2 * slack**2)
    assert float(elastic.penalty().detach()) == pytest.approx(expected)


def test_multipliers_never_become_a_reward_for_softness() -> None:
    dual = DualSoftness(pair(), rate=0.5, slack_price=0.1)
    dual.get_buffer("multipliers").fill_(1.0)  # slack 10: the constraint is far from active
    dual.step()
    assert set(dual.ranking().values()) == {0.0}


def test_equality_constraint_drives_every_layer_towards_strict() -> None:
    model = pair()
    start = {name: float(value) for name, value in softness_values(model).items()}
    end = fit_pair(model, DualSoftness(model, rate=0.1), steps=300)
    assert all(end[name] < 0.1 * start[name] for name in end)


def test_elastic_slack_leaves_softness_where_the_data_need_it_and_ranks_it_first() -> None:
    model = pair()
    dual = DualSoftness(model, rate=0.1, slack_price=0.3)
    end = fit_pair(model, dual, steps=500)
    assert end["side"] > 0.1
    assert end["same"] < 0.5 * end["side"]
    assert list(dual.ranking()) == ["side", "same"]
    for name, multiplier in dual.ranking().items():
        assert multiplier == pytest.approx(0.3 * end[name], rel=0.1, abs=0.01)


def test_multipliers_are_restored_from_a_state() -> None:
    model = pair()
    dual = DualSoftness(model)
    dual.step()
    again = DualSoftness(model)
    again.load_state_dict(dual.state_dict())
    assert again.ranking() == dual.ranking()
    assert all(value > 0 for value in again.ranking().values())


def test_refusals_say_what_is_missing() -> None:
    constant = network(learned=False)
    with pytest.raises(ConfigError, match="MS-228 softness penalty: the network has no learned"):
        softness_penalty(constant)
    with pytest.raises(ConfigError, match="MS-228 softness penalty: unknown kind 'l2'"):
        softness_penalty(network(), "l2")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="MS-228 dual softness: the network has no learned"):
        DualSoftness(constant)
    with pytest.raises(ConfigError, match="MS-228 dual softness: rate -1"):
        DualSoftness(network(), rate=-1)
    with pytest.raises(ConfigError, match=r"MS-228 projection penalty: .*no softened layers"):
        odd_weight_penalty(nn.Conv3d(1, 1, 3))
