"""The same case for the same index, another for another, and no subject in two splits."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from medsym.errors import ConfigError
from medsym.synthesis.dataset import Sources, anatomy_number, draw_case, load_sources
from medsym.synthesis.settings import SourceConfig, SynthesisConfig
from tests.synthesis.heads import CANVAS, PLAIN, head_anatomy

SOURCES = Sources(anatomies=(head_anatomy(),), shapes=())


def test_case_of_an_index_is_always_the_same() -> None:
    cases = [draw_case(SOURCES, config=PLAIN, canvas=CANVAS, seed=5, index=i) for i in (7, 7, 8)]
    assert cases[0].image.equal(cases[1].image)
    assert not cases[0].image.equal(cases[2].image)


def test_the_anatomy_of_a_case_is_known_before_it_is_drawn() -> None:
    other = replace(head_anatomy(), name="other")
    sources = Sources(anatomies=(head_anatomy(), other), shapes=())
    config = PLAIN.model_copy(update={"truths": False})
    for index in range(6):
        case = draw_case(sources, config=config, canvas=CANVAS, seed=3, index=index)
        number = anatomy_number(2, seed=3, index=index)
        assert case.anatomy == sources.anatomies[number].name


def test_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-180 .*'valid'"):
        load_sources(SynthesisConfig(), split="valid")


def test_split_without_subjects_is_refused(tmp_path: Path) -> None:
    source = SourceConfig(label_maps=tmp_path, train_subjects=("a",))
    with pytest.raises(ConfigError, match=r"MS-181 test_subjects"):
        load_sources(SynthesisConfig(source=source), split="test")


def test_subject_in_two_splits_is_refused() -> None:
    with pytest.raises(ValidationError, match="'b'"):
        SourceConfig(train_subjects=("a", "b"), test_subjects=("b",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"lesion": {}},
        {"lesions": {"present": 1.5}},
        {"deformation": {"scale": (1.1, 0.9)}},
        {"source": {"label_maps": "maps"}},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SynthesisConfig.model_validate(wrong)


@pytest.mark.slow
def test_template_alone_is_enough() -> None:
    sources = load_sources(SynthesisConfig(), split="train")
    (anatomy,) = sources.anatomies
    assert "left-thalamus" in anatomy.missing
    assert "left-cerebral-cortex" not in anatomy.missing
    assert "right-lateral-ventricle" not in anatomy.missing
    case = draw_case(sources, config=PLAIN, canvas=CANVAS, seed=0, index=0)
    assert 1200.0 < float(case.brain.sum()) * 0.027 < 2200.0
