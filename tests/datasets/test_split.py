"""The split: by subject, the same everywhere, stable when subjects are added."""

import subprocess
import sys
from pathlib import Path

import pytest

from medsym.datasets.settings import DataSettings
from medsym.datasets.split import position, split_of, visits_of
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError

NAMES = tuple(f"sub-{n:03d}" for n in range(400))


def settings(**changes: object) -> DataSettings:
    return DataSettings.model_validate(
        {"layout": "bids", "folder": Path("data"), "cache": Path("cache"), **changes}
    )


def visits(names: tuple[str, ...] = NAMES) -> tuple[Visit, ...]:
    return tuple(Visit(subject=n, session=s, scans=()) for n in names for s in ("ses-1", "ses-2"))


def of_split(split: str, how: DataSettings, names: tuple[str, ...] = NAMES) -> set[str]:
    return {v.subject for v in visits_of(visits(names), split=split, settings=how)}


def test_no_subject_is_on_two_sides_and_none_is_lost() -> None:
    how = settings(test_share=0.2, reference_share=0.1)
    parts = {split: of_split(split, how) for split in ("train", "reference", "test")}
    assert sum(len(part) for part in parts.values()) == len(NAMES)
    assert set().union(*parts.values()) == set(NAMES)
    assert 0.13 * len(NAMES) < len(parts["test"]) < 0.27 * len(NAMES)
    assert 0.05 * len(NAMES) < len(parts["reference"]) < 0.16 * len(NAMES)


def test_all_visits_of_a_subject_come_with_it() -> None:
    found = visits_of(visits(), split="test", settings=settings())
    assert len(found) == 2 * len({visit.subject for visit in found})


def test_subject_keeps_its_side_when_others_come_and_go() -> None:
    assert of_split("test", settings(), NAMES[:100]) == of_split("test", settings()) & set(
        NAMES[:100]
    )


def test_larger_test_share_only_adds_subjects() -> None:
    assert of_split("test", settings(test_share=0.1)) < of_split("test", settings(test_share=0.3))


def test_place_of_a_subject_is_the_same_in_another_process() -> None:
    code = "from medsym.datasets.split import position; print(repr(position('sub-007')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == position("sub-007")
    assert position("sub-007") != position("sub-008")


def test_subjects_that_belong_together_are_not_parted() -> None:
    apart = settings()
    test, train = min(of_split("test", apart)), min(of_split("train", apart))
    both = settings(together=[[train, test]])
    assert split_of(test, settings=both) == split_of(train, settings=both)


def test_named_test_subjects_are_exactly_the_test_split() -> None:
    how = settings(test_subjects=["sub-003", "sub-399"], together=[["sub-003", "sub-004"]])
    assert of_split("test", how) == {"sub-003", "sub-399", "sub-004"}
    assert len(of_split("train", how)) == len(NAMES) - 3


def test_reference_split_is_filled_beside_named_test_subjects() -> None:
    how = settings(test_subjects=["sub-003"], reference_share=0.25)
    assert 0.2 < len(of_split("reference", how)) / len(NAMES) < 0.5


@pytest.mark.parametrize(
    ("split", "changes", "message"),
    [
        ("validation", {}, "'validation' is no split"),
        ("reference", {}, "none of its 400 subjects falls into the reference split"),
        ("test", {"test_subjects": ["sub-999"]}, "not in the data: sub-999"),
        ("test", {"together": [["sub-001", "sub-1"]]}, "not in the data: sub-1"),
    ],
)
def test_split_that_cannot_be_made_is_refused(
    split: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"MS-355 .*{message}"):
        of_split(split, settings(**changes))
