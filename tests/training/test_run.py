"""A tiny run: it learns, it resumes exactly, it writes a model that loads."""

import errno
import tempfile
from pathlib import Path

import pytest
import torch

from medsym.config import read_config
from medsym.errors import ConfigError, ModelError, OutputError
from medsym.models.store import load_model, save_model
from medsym.training.run import train
from medsym.training.settings import TrainSettings
from medsym.training.state import build_state

TINY = Path(__file__).parents[2] / "configs" / "train_tiny.yaml"


@pytest.mark.slow
def test_the_tiny_configuration_writes_a_model_and_its_calibration(tmp_path: Path) -> None:
    lines: list[str] = []
    model = train(TINY, out=tmp_path, report=lines.append)
    assert model == tmp_path / "model"
    assert load_model(model).manifest["name"] == "tiny"
    assert (model / "reference.safetensors").exists()
    assert any("step 4/4" in line and "AUPRC" in line for line in lines)


def test_resume_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MS-320 .*no checkpoint to resume from. Fix: start"):
        train(TINY, out=tmp_path, resume=True)


def test_a_mistyped_folder_to_resume_in_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MS-320 .*or correct the --out folder"):
        train(TINY, out=tmp_path / "mistyped", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_the_folder_of_a_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for out in (file, file / "below"):
        with pytest.raises(
            OutputError, match=r"MS-140 .*cannot be a folder that files are written to \("
        ):
            train(TINY, out=out)
    assert file.read_text() == "kept"


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_without_write_access_is_refused_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    def refuse(**_how: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # whatever this user may write to
    with pytest.raises(OutputError, match=r"MS-140 .*\(Permission denied\)"):
        train(TINY, out=tmp_path, resume=resume)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\noptimiser:\n  stepz: 3\n", "MS-303 .*optimiser.stepz.*did you mean 'steps'"),
        (
            "name: a\noptimiser:\n  steps: 0\n",
            "MS-303 .*optimiser.steps: Input should be greater.*class OptimiserSettings of medsym/",
        ),
        ("seed: 1\n", "MS-303 .*name: Field required"),
        ("name: !!python/object/apply:os.getcwd []\n", "MS-302 .*not plain YAML"),
        (
            "name: a\nsynthesis:\n  lesions:\n    presnt: 0.5\n",
            "MS-303 .*synthesis.lesions.presnt.*did you mean 'present'",
        ),
        (
            "name: a\nsynthesis:\n  lesion: {present: 0.5}\n",
            "MS-303 .*synthesis.lesion: .*did you mean 'lesions'",
        ),
        ("name: a\ndata:\n  foldr: x\n", "MS-303 .*data.foldr.*did you mean 'folder'"),
        ("name: a\nsynthesis_devise: cpu\n", "MS-303 .*did you mean 'synthesis_device'"),
        ("name: a\nmax_minutes: 0\n", "MS-303 .*max_minutes: Input should be greater than 0"),
        ("name: a\nmodel:\n  window: [1]\n", "MS-303 .*window needs one radius per resolution"),
    ],
)
def test_wrong_configuration_says_what_to_change(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path, TrainSettings)


def test_missing_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MS-301 .*cannot be read"):
        read_config(tmp_path / "none.yaml", TrainSettings)


def rates(**changes: float) -> list[float]:
    """Learning rate of every step of a run, as a share of the full rate."""
    how = {"steps": 10, "learning_rate": 1.0, "warmup": 2, "cooldown": 0.5, **changes}
    settings = TrainSettings.model_validate({"name": "a", "optimiser": how})
    state = build_state(settings, torch.device("cpu"))
    found = []
    for _ in range(settings.optimiser.steps):
        found.append(state.schedule.get_last_lr()[0])
        state.optimiser.step()
        state.schedule.step()
    return found


def test_rate_rises_stays_and_falls_to_almost_nothing() -> None:
    found = rates()
    assert found[:3] == sorted(found[:3])
    assert found[2:6] == [1.0] * 4
    assert found[5:] == sorted(found[5:], reverse=True)
    assert 0.0 < found[-1] < 0.25


def test_a_longer_run_begins_like_the_shorter_one() -> None:
    assert rates(steps=20)[:5] == rates()[:5]


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    settings = read_config(TINY, TrainSettings)
    first = build_state(settings, torch.device("cpu")).network
    save_model(tmp_path, first, {"name": "first"})
    again = settings.model_copy(update={"start_from": tmp_path})
    torch.manual_seed(99)
    second = build_state(again, torch.device("cpu"))
    for network in (second.network, second.average.module):
        found = network.state_dict()
        assert all(torch.equal(value, found[name]) for name, value in first.state_dict().items())


def test_starting_from_another_architecture_is_refused(tmp_path: Path) -> None:
    settings = read_config(TINY, TrainSettings)
    save_model(tmp_path, build_state(settings, torch.device("cpu")).network, {"name": "first"})
    wider = settings.model.model_copy(update={"head_pairs": 3})
    other = settings.model_copy(update={"start_from": tmp_path, "model": wider})
    with pytest.raises(ModelError, match=r"MS-322 .*differs in head_pairs"):
        build_state(other, torch.device("cpu"))
