"""Every shipped configuration loads, refuses what it does not know, and runs nothing."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.benchmarks.pretraining.settings import PretrainBenchSettings
from medsym.benchmarks.search import SearchSettings
from medsym.config import read_config
from medsym.errors import ConfigError
from medsym.models.network_file import NetworkFile, load_network_file
from medsym.training.pretraining.settings import PretrainSettings
from medsym.training.settings import TrainSettings
from tests.architecture.source_files import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.y*ml"))
KINDS: dict[str, type[BaseModel]] = {
    "ablation": AblationSettings,
    "bench": PretrainBenchSettings,
    "network": NetworkFile,
    "pretrain": PretrainSettings,
    "search": SearchSettings,
    "train": TrainSettings,
}


def settings_model(path: Path) -> type[BaseModel]:
    """What a configuration has to be; its name begins with the kind."""
    return KINDS[path.name.partition("_")[0]]


def test_every_kind_of_configuration_is_there() -> None:
    assert {settings_model(path) for path in CONFIGS} == set(KINDS.values())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_configuration_says_what_it_is_loads_strictly_and_refuses_a_misspelt_key(
    path: Path, tmp_path: Path
) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    settings = read_config(path, settings_model(path))
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 1
    content = yaml.safe_load(text)
    content["sead"] = content.pop("seed")
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        read_config(broken, settings_model(path))


@pytest.mark.parametrize("path", [p for p in CONFIGS if settings_model(p) is NetworkFile])
def test_shipped_network_file_builds_its_network(path: Path) -> None:
    named = load_network_file(path)
    assert type(named.network).__name__ == named.settings.network


def test_a_yaml_tag_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    evil = tmp_path / "evil.yaml"
    evil.write_text(f"seed: !!python/object/apply:os.mkdir ['{marker}']\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not plain YAML"):
        read_config(evil, TrainSettings)
    assert not marker.exists()
