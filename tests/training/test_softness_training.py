"""Softness settings do what they say in a run, resume exactly, and change nothing by default."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from medsym.errors import ConfigError, ModelError
from medsym.models.store import load_model, save_model
from medsym.symmetry import measured_defect
from medsym.symmetry.penalties import odd_weight_penalty
from medsym.symmetry.softness import softness_values
from medsym.training.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from medsym.training.losses import Batch
from medsym.training.settings import SoftnessSettings, TrainSettings
from medsym.training.state import TrainingState, build_state
from medsym.training.step import Stepper

STEPS = 8
MODEL = {"pairs": [2, 3], "window": [0, 0], "decoder_pairs": 2, "head_pairs": 2}


def configuration(where: str = "encoder", **softness: Any) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "name": "a",
            "model": {**MODEL, "softness": where},
            "softness": softness,
            "optimiser": {"steps": STEPS, "warmup": 0, "learning_rate": 1e-2, "average": 0.5},
        }
    )


def batch(seed: int) -> Batch:
    """A lopsided head: the lesion is always on one side."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 1, 8, 8, 8, generator=generator)
    lesion = torch.zeros_like(image)
    lesion[:, :, :3] = (image[:, :, :3] > 0.3).float()
    structures = torch.zeros_like(image).long()
    return Batch(image=image, structures=structures, lesion=lesion, brain=torch.ones_like(image))


def state_of(settings: TrainSettings) -> TrainingState:
    torch.manual_seed(0)
    return build_state(settings, torch.device("cpu"))


def advance(
    state: TrainingState, settings: TrainSettings, *, first: int = 0, last: int = STEPS
) -> list[dict[str, float]]:
    """Steps of a run, each on its own batch; the parts of the loss of every step."""
    take_step = Stepper(state, settings)
    found = [take_step(batch(step)) for step in range(first, last)]
    return [{name: float(value) for name, value in parts.items()} for parts in found]


def softness_of(state: TrainingState) -> float:
    return float(softness_values(state.network)["levels.0.enter"])


def defect(state: TrainingState, *, average: bool = False) -> float:
    network = (state.average.module if average else state.network).eval()

    def pathology(volume: Tensor) -> Tensor:
        return network(volume).pathology.value

    with torch.no_grad():
        return float(measured_defect(pathology, batch(99).image).abs().max())


def test_default_is_learned_softness_with_its_own_rate_and_nothing_else() -> None:
    settings = configuration()
    state = state_of(settings)
    rates = [(g["initial_lr"], g["weight_decay"]) for g in state.optimiser.param_groups]
    assert rates == [(1e-2, 1e-4), (settings.optimiser.softness_rate, 0.0)]
    assert state.softness.penalty() is None
    assert state.softness.state_dict() == {}
    before = softness_of(state)
    parts = advance(state, settings)
    assert "softness" not in parts[0]
    assert softness_of(state) != before


@pytest.mark.parametrize(
    ("softness", "expected"),
    [
        ({"schedule": "constant", "peak": 0.3}, [0.3, 0.3, 0.3]),
        ({"schedule": "strict_to_soft", "peak": 0.4, "end": 1.0}, [0.0, 0.2, 0.4]),
        ({"schedule": "soft_to_strict", "peak": 0.4, "end": 1.0}, [0.4, 0.2, 0.0]),
        ({"schedule": "triangle", "peak": 0.4}, [0.0, 0.4, 0.0]),
    ],
)
def test_scheduled_softness_follows_its_schedule(
    softness: dict[str, Any], expected: list[float]
) -> None:
    settings = configuration(**softness)
    state = state_of(settings)
    state.write_softness(0.0)
    found = [softness_of(state)]
    for half in (0, 1):
        advance(state, settings, first=half * STEPS // 2, last=(half + 1) * STEPS // 2)
        found.append(softness_of(state))
    assert found == pytest.approx(expected, abs=1e-6)
    if expected[-1] == 0.0:
        assert found[-1] == 0.0


def test_triangle_is_strict_soft_and_exactly_strict_again_in_network_and_average(
    tmp_path: Path,
) -> None:
    settings = configuration(schedule="triangle", peak=1.0)
    state = state_of(settings)
    state.write_softness(0.0)
    assert defect(state) <= 2e-6
    advance(state, settings, last=STEPS // 2)
    assert defect(state) > 2e-5
    assert defect(state, average=True) > 2e-5
    advance(state, settings, first=STEPS // 2)
    assert defect(state) <= 2e-6
    assert defect(state, average=True) <= 2e-6
    save_model(tmp_path, state.average.module, {"name": "a"})  # type: ignore[arg-type]
    loaded = load_model(tmp_path, folded=False).network
    assert float(softness_values(loaded)["levels.0.enter"]) == 0.0


def test_penalties_reach_the_loss_and_what_they_penalise() -> None:
    plain = configuration()
    free = state_of(plain)
    advance(free, plain)
    for kind in ("l1", "log_barrier"):
        settings = configuration(penalty=kind, penalty_weight=5.0)
        state = state_of(settings)
        parts = advance(state, settings)
        assert parts[0]["softness"] > 0.0
        assert softness_of(state) < softness_of(free)
    settings = configuration(penalty="odd_weights", penalty_weight=100.0)
    state = state_of(settings)
    advance(state, settings)
    assert odd_weight_penalty(state.network).detach() < odd_weight_penalty(free.network).detach()


def test_odd_decay_shrinks_odd_weights() -> None:
    sizes = []
    for decay in (0.0, 20.0):
        settings = configuration(schedule="constant", peak=1.0, odd_decay=decay)
        state = state_of(settings)
        advance(state, settings)
        sizes.append(float(odd_weight_penalty(state.network).detach()))
    assert sizes[1] < 0.5 * sizes[0]


DUAL = {"dual": True, "dual_rate": 0.5, "slack_price": 1.0}


def weights(state: TrainingState) -> Tensor:
    return torch.cat([p.detach().flatten() for p in state.network.parameters()])


def test_dual_control_resumes_exactly_only_with_its_multipliers(tmp_path: Path) -> None:
    settings = configuration(**DUAL)
    whole = state_of(settings)
    advance(whole, settings)
    assert whole.softness.dual is not None
    assert all(value > 0.0 for value in whole.softness.dual.ranking().values())
    first = state_of(settings)
    advance(first, settings, last=4)
    save_checkpoint(tmp_path, first, step=4)
    results = []
    for forget in (False, True):
        resumed = state_of(settings)
        assert load_checkpoint(tmp_path, resumed) == 4
        if forget and resumed.softness.dual is not None:
            resumed.softness.dual.get_buffer("multipliers").zero_()
        advance(resumed, settings, first=4)
        results.append(torch.equal(weights(resumed), weights(whole)))
    assert results == [True, False]


def test_older_checkpoints_load_and_foreign_ones_are_refused(tmp_path: Path) -> None:
    plain, dual = configuration(), configuration(**DUAL)
    save_checkpoint(tmp_path, state_of(plain), step=3)
    content = torch.load(tmp_path / FILE_NAME, weights_only=True)
    del content["softness"]
    torch.save(content, tmp_path / FILE_NAME)
    assert load_checkpoint(tmp_path, state_of(plain)) == 3
    with pytest.raises(ModelError, match="MS-321"):
        load_checkpoint(tmp_path, state_of(dual))
    save_checkpoint(tmp_path, state_of(dual), step=3)
    with pytest.raises(ModelError, match="MS-321"):
        load_checkpoint(tmp_path, state_of(plain))


def test_settings_without_weight_softness_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-334 softness: .*set model.softness to encoder"):
        state_of(configuration("head", schedule="constant"))
    state_of(configuration("head"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schedule": "triangle", "dual": True}, "a scheduled softness is not learned"),
        ({"schedule": "constant", "penalty": "l1"}, "a scheduled softness is not learned"),
        ({"schedule": "strict_to_soft", "start": 0.5, "end": 0.5}, "start has to come before"),
        ({"schedule": "triangle", "end": 1.0}, "the end of a triangle before 1"),
        ({"peak": 1.1}, "peak"),
        ({"duel": True}, "duel"),
    ],
)
def test_contradictions_are_refused_by_the_settings(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SoftnessSettings.model_validate(wrong)
