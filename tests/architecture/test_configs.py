"""Every shipped configuration loads, refuses what it does not know, and runs nothing."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from medsym.config import read_config
from medsym.errors import ConfigError
from medsym.training.settings import TrainSettings
from tests.architecture.source_files import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.y*ml"))


def test_there_is_a_training_configuration() -> None:
    assert any(path.name.startswith("train") for path in CONFIGS)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_configuration_loads_strictly(path: Path) -> None:
    settings = read_config(path, TrainSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 1


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_configuration_opens_with_a_comment_that_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_misspelt_key_is_refused_with_the_nearest_name(path: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["sead"] = content.pop("seed")
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        read_config(broken, TrainSettings)


def test_a_yaml_tag_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    evil = tmp_path / "evil.yaml"
    evil.write_text(f"seed: !!python/object/apply:os.mkdir ['{marker}']\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not plain YAML"):
        read_config(evil, TrainSettings)
    assert not marker.exists()
