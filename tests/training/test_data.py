"""Synthetic subjects: an order that keeps the anatomies of two halves apart."""

from pathlib import Path

from medsym.synthesis.dataset import anatomy_number
from medsym.synthesis.settings import SourceConfig, SynthesisConfig
from medsym.training.data import SyntheticSubjects
from medsym.volumes.frame import SymmetricGrid


def test_halves_of_the_grouped_order_share_one_anatomy_at_most() -> None:
    source = SourceConfig(
        label_maps=Path("maps"), train_subjects=("t",), reference_subjects=("a", "b", "c")
    )
    config = SynthesisConfig(source=source)
    subjects = SyntheticSubjects(config, grid=SymmetricGrid(), seed=7, split="reference")
    order = subjects.grouped(60)
    assert sorted(order) == list(range(60))
    numbers = [anatomy_number(3, seed=7, split="reference", index=index) for index in order]
    assert numbers == sorted(numbers)
    assert len(set(numbers[:30]) & set(numbers[30:])) <= 1
    assert len(set(numbers)) == 3


def test_the_template_alone_keeps_its_order() -> None:
    subjects = SyntheticSubjects(SynthesisConfig(), grid=SymmetricGrid(), seed=7, split="train")
    assert subjects.grouped(5) == [0, 1, 2, 3, 4]
