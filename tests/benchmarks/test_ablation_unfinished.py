"""A training of the ablation that was killed goes on, and to the same network."""

from pathlib import Path

import pytest
import torch

from medsym.benchmarks.ablation import unfinished
from medsym.benchmarks.ablation.settings import ARMS
from medsym.benchmarks.ablation.training import Learner, Training, train
from medsym.training.losses import Batch
from tests.benchmarks.ablation_problem import made_subject
from tests.benchmarks.test_ablation_training import clock_with, learner, stored


class EndedError(Exception):
    """Stands for the end of the process."""


def stopped_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings keep their state at every step, and this process ends after so many."""
    monkeypatch.setattr(unfinished, "EVERY_SECONDS", 0.0)
    whole = Learner.step

    def step(self: Learner, batch: Batch, *, share: float) -> torch.Tensor:
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise EndedError
        return whole(self, batch, share=share)

    monkeypatch.setattr(Learner, "step", step)


@pytest.mark.parametrize("arm", ["head-exchange", "flips-alone"])
def test_a_training_that_was_killed_goes_on_to_the_same_network(arm: str, tmp_path: Path) -> None:
    files = stored(tmp_path)
    training = Training(arm=ARMS[arm], seed=1, rate=0.002, mixed_precision=False)

    def trained() -> tuple[dict[str, torch.Tensor], float]:
        found = train(training, files, clock_with(done=[0], started=[0.0], total=4))
        assert found is not None
        return found[0].state_dict(), found[1]

    expected, loss = trained()
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(3, patch)
        with pytest.raises(EndedError):
            trained()
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(1, patch)  # of the four steps three are done
        again, last = trained()
    assert last == loss
    assert all(torch.equal(expected[key], again[key]) for key in expected)
    unfinished.forget(tmp_path, training.name)
    assert not (tmp_path / unfinished.FOLDER).exists()


def test_a_state_of_another_training_or_a_cut_one_is_not_taken(tmp_path: Path) -> None:
    kept = {"rate": 0.002, "steps": 4}
    ours, other = learner("flips-alone"), learner("flips-alone")
    state = unfinished.UnfinishedTraining(tmp_path, "flips-alone/1", identity=kept)
    assert state.restore(ours) == []
    loss = ours.step(made_subject(), share=1.0)
    state.save(ours, [loss])
    strange = unfinished.UnfinishedTraining(
        tmp_path, "flips-alone/1", identity={**kept, "rate": 0.006}
    )
    before = {key: value.clone() for key, value in other.network.state_dict().items()}
    assert strange.restore(other) == []
    assert all(torch.equal(before[key], value) for key, value in other.network.state_dict().items())
    assert state.restore(other) == [loss]
    assert not all(torch.equal(before[k], v) for k, v in other.network.state_dict().items())
    state.path.write_bytes(state.path.read_bytes()[:-100])
    assert state.restore(learner("flips-alone")) == []
