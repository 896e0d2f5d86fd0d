"""The same case for the same index, another for another, and no subject in two splits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from medsym.errors import ConfigError
from medsym.synthesis.dataset import Sources, anatomy_number, draw_case, load_sources
from medsym.synthesis.randomness import white_noise
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
        number = anatomy_number(2, seed=3, split="train", index=index)
        assert case.anatomy == sources.anatomies[number].name


def test_splits_and_seeds_share_no_random_number() -> None:
    config = PLAIN.model_copy(update={"truths": False})
    twins = [replace(SOURCES, split=split) for split in ("train", "test")]
    cases = [draw_case(s, config=config, canvas=CANVAS, seed=5, index=7) for s in twins]
    assert not cases[0].lesion.equal(cases[1].lesion)
    later = draw_case(SOURCES, config=config, canvas=CANVAS, seed=5 + 2**32, index=7)
    assert not later.lesion.equal(cases[0].lesion)


def test_what_follows_the_noise_does_not_depend_on_how_much_there_is() -> None:
    left = []
    for shape in ((4, 4, 4), (64, 2, 3)):
        generator = torch.Generator().manual_seed(1)
        noise = white_noise(shape, generator=generator)
        assert noise.shape == shape
        left.append(float(torch.rand((), generator=generator)))
    assert left[0] == left[1]


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
        {"lesions": {"radius_mm": (0.0, 10.0)}},
        {"deformation": {"scale": (0.0, 0.0)}},
        {"degradation": {"blur_mm": (-1.0, 1.0)}},
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
