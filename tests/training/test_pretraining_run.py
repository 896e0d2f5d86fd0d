"""A pre-training learns, resumes exactly, and writes a model that a training starts from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from medsym.config import read_config
from medsym.errors import ConfigError, ModelError, OutputError
from medsym.inference.case import reference_of
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import load_model
from medsym.training.pretraining.data import ViewsOf, collate_views
from medsym.training.pretraining.run import TASK, pretrain, run_steps
from medsym.training.pretraining.settings import PretrainSettings
from medsym.training.pretraining.state import CHECKPOINT, build_pretraining
from medsym.training.settings import TrainSettings
from medsym.training.state import build_state
from tests.datasets.layout_folders import bids

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parents[2] / "configs"
MODEL = {"spacing_mm": 8.0, "pairs": [2, 4], "window": [0, 1], "decoder_pairs": 2, "head_pairs": 2}


def configuration(folder: Path, **changes: Any) -> Path:
    content = {
        "name": "first",
        "device": "cpu",
        "workers": 0,
        "checkpoint_every": 2,
        "model": MODEL,
        "optimiser": {"steps": 4, "batch": 2, "warmup": 1},
        **changes,
    }
    path = folder / "pretrain.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def weights(folder: Path) -> dict[str, Tensor]:
    content: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
    reader: dict[str, Tensor] = content["reader"]
    return reader


def stop_after_two_steps(line: str) -> None:
    if line.startswith("step 2/"):
        raise KeyboardInterrupt


def after(calls: int) -> Callable[[], str]:
    left = iter([""] * (calls - 1))
    return lambda: next(left, "asked to end")


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


@pytest.mark.slow
def test_run_resumes_exactly_after_a_kill_and_after_a_stop(tmp_path: Path) -> None:
    config, lines = configuration(tmp_path), []
    model = pretrain(config, out=tmp_path / "whole", report=lines.append)
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, out=tmp_path / "killed", report=stop_after_two_steps)
    pretrain(config, out=tmp_path / "killed", resume=True)
    assert pretrain(config, out=tmp_path / "stopped", report=lines.append, stop=after(3)) is None
    assert not (tmp_path / "stopped" / "model").exists()
    assert pretrain(config, out=tmp_path / "stopped", resume=True) is not None
    for folder in ("killed", "stopped"):
        assert same(weights(tmp_path / "whole"), weights(tmp_path / folder)), folder
    assert model is not None
    assert load_model(model).manifest["task"] == TASK
    assert any("stopped after step 3 (asked to end); go on with --resume" in x for x in lines)
    last = next(line for line in lines if line.startswith("step 4/4"))
    assert all(part in last for part in ("whole", "symmetric", "antisymmetric", "contrast"))


def state_and_views(**changes: Any) -> tuple[PretrainSettings, Any, list[Any]]:
    settings = PretrainSettings.model_validate(
        {
            "name": "first",
            "checkpoint_every": 1,
            "model": MODEL,
            "corruption": {"remap": 0.0, "block_mm": 32.0},
            "optimiser": {"steps": 40, "learning_rate": 0.01, "warmup": 2},
            **changes,
        }
    )
    axes = torch.meshgrid(*[torch.linspace(-1.0, 1.0, 16)] * 3, indexing="ij")
    head = (axes[0] ** 2 + axes[1] ** 2 + axes[2] ** 2 < 0.8) * (0.6 + 0.4 * torch.sin(4 * axes[0]))
    views = ViewsOf(
        [head] * settings.optimiser.steps,
        corruption=settings.corruption,
        spacing_mm=8.0,
        seed=settings.seed,
    )
    batches = [collate_views([views[k]], multiple=2) for k in range(settings.optimiser.steps)]
    return settings, build_pretraining(settings, CPU), batches


def test_every_part_of_the_loss_falls() -> None:
    settings, state, batches = state_and_views()
    lines: list[str] = []
    assert run_steps(state, batches, settings=settings, device=CPU, report=lines.append)
    parts = [dict(item.split() for item in x.split(": ")[1].split(", ")) for x in lines]
    most = {"whole": 0.7, "symmetric": 0.7, "antisymmetric": 0.8, "contrast": 0.95}
    for name, share in most.items():
        values = np.array([float(p[name]) for p in parts])
        assert values[-10:].mean() < share * values[:10].mean(), name


def test_only_the_heads_keep_their_first_weights() -> None:
    settings, state, batches = state_and_views()
    before = {name: p.detach().clone() for name, p in state.reader.network.named_parameters()}
    run_steps(state, batches[:2], settings=settings, device=CPU)
    kept = {
        name.split(".")[0]
        for name, p in state.reader.network.named_parameters()
        if torch.equal(p, before[name])
    }
    assert kept == {"anatomy", "pathology"}


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    runs = []
    for seed in (3, 3, 4):
        settings, state, batches = state_and_views(seed=seed)
        run_steps(state, batches[:3], settings=settings, device=CPU)
        runs.append(state.reader.state_dict())
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.slow
def test_a_training_starts_from_the_shipped_tiny_configuration(tmp_path: Path) -> None:
    model = pretrain(CONFIGS / "pretrain_tiny.yaml", out=tmp_path)
    assert model is not None
    settings = read_config(CONFIGS / "train_tiny.yaml", TrainSettings)
    state = build_state(settings.model_copy(update={"start_from": model}), CPU)
    found = state.network.state_dict()
    trained = {n[8:]: t for n, t in weights(tmp_path).items() if n.startswith("network.")}
    assert same(found, trained)
    own = read_config(CONFIGS / "pretrain_tiny.yaml", PretrainSettings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own.seed)
        fresh = AsymmetryNet(settings.model).state_dict()
    heads = [name for name in fresh if name.startswith(("anatomy", "pathology"))]
    assert heads
    assert all(torch.equal(found[name], fresh[name]) for name in heads)
    with pytest.raises(ModelError, match="MS-305"):  # it judges no scan
        reference_of(load_model(model))


@pytest.mark.slow
def test_own_scans_without_masks_are_enough_and_nobody_is_named(tmp_path: Path) -> None:
    bids(tmp_path / "anna")
    for mask in (tmp_path / "anna" / "derivatives").rglob("*_mask.nii.gz"):
        mask.unlink()
    data = {
        "layout": "bids",
        "folder": str(tmp_path / "anna"),
        "cache": str(tmp_path / "cache"),
        "test_subjects": ["sub-left"],
        "synthetic_share": 0.0,
    }
    config, lines = configuration(tmp_path, data=data, optimiser={"steps": 1}), []
    model = pretrain(config, out=tmp_path / "out", report=lines.append)
    assert model is not None
    manifest = str(load_model(model).manifest)
    assert str(tmp_path) not in manifest
    assert "sub-left" not in manifest
    assert any(line.startswith("train: 1 subjects") for line in lines)


def test_nothing_is_drawn_into_own_scans() -> None:
    settings = PretrainSettings.model_validate(
        {"name": "a", "data": {"layout": "bids", "folder": "x", "cache": "y"}}
    )
    assert settings.subjects().data.lesions_drawn == 0.0
    assert settings.subjects().data.without_mask == "healthy"
    assert settings.data.without_mask == "refuse"


def test_resume_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MS-376 .*no checkpoint of a pre-training.* Fix: start"):
        pretrain(configuration(tmp_path), out=tmp_path, resume=True)


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"MS-377 .*does not fit this pre-training"):
        pretrain(configuration(tmp_path), out=tmp_path, resume=True)


def test_a_run_cannot_overwrite_another_or_go_on_with_other_settings(tmp_path: Path) -> None:
    config, run = configuration(tmp_path), tmp_path / "run"
    assert pretrain(config, out=run, stop=after(1)) is None
    kept = (run / CHECKPOINT).read_bytes()
    with pytest.raises(ModelError, match=r"MS-324 .*--resume"):
        pretrain(config, out=run)
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text("utf-8") + "projection: 4\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"MS-321 .*began with projection 16, .* says 4"):
        pretrain(other, out=run, resume=True)
    assert (run / CHECKPOINT).read_bytes() == kept
    with pytest.raises(OutputError, match="MS-140"):
        pretrain(config, out=config / "below")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {**MODEL, "softness": "encoder"}}, "MS-303 .*no exact parts: use head or none"),
        ({"splitt": True}, "MS-303 .*did you mean 'split'"),
        ({"corruption": {"hidden": 1.0}}, "MS-303 .*corruption.hidden"),
    ],
)
def test_wrong_configuration_says_what_to_change(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(configuration(tmp_path, **changes), PretrainSettings)


def test_a_soft_encoder_is_pretrained_without_the_split(tmp_path: Path) -> None:
    path = configuration(tmp_path, split=False, model={**MODEL, "softness": "encoder"})
    settings = read_config(path, PretrainSettings)
    assert build_pretraining(settings, CPU).reader.split is False
