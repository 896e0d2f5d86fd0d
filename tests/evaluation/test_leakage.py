"""A model that was trained on the test set is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsym.errors import ConfigError
from medsym.evaluation.leakage import refuse_leakage
from medsym.evaluation.methods import Candidate
from medsym.synthesis.settings import SourceConfig
from tests.builders_case import FakeModel
from tests.evaluation.builders import fake_candidate

SOURCE = SourceConfig(
    label_maps=Path("maps"),
    train_subjects=("a", "b"),
    reference_subjects=("c",),
    test_subjects=("d", "e"),
    lesion_folders=(Path("data/soop"),),
    test_lesion_share=0.2,
)


def trained(training: dict[str, Any] | None, **source: Any) -> Candidate:
    candidate = fake_candidate(name="model-1")
    stated = {"train_subjects": ["a"], "reference_subjects": ["c"], "lesion_folders": ["soop"]}
    stated |= {"test_lesion_share": 0.2} | source
    manifest = {**candidate.model.manifest}
    if training is not None:
        manifest["training"] = {"synthesis": {"source": stated}} | training
    model = FakeModel(network=candidate.model.network, manifest=manifest, folder=Path())
    return replace(candidate, model=model)


def test_disjoint_training_passes_without_a_remark() -> None:
    assert refuse_leakage(SOURCE, [trained({})]) == []


@pytest.mark.parametrize("where", ["train_subjects", "reference_subjects"])
def test_test_anatomy_in_training_or_calibration_is_refused(where: str) -> None:
    with pytest.raises(ConfigError, match=r"MS-383 model-1: .*test anatomies d\. Fix"):
        refuse_leakage(SOURCE, [trained({}), trained({}, **{where: ["a", "d"]})])


def test_more_test_outlines_than_training_left_out_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-383 model-1: kept 0\.1 .* asks for 0\.2"):
        refuse_leakage(SOURCE, [trained({}, test_lesion_share=0.1)])
    assert refuse_leakage(SOURCE, [trained({}, test_lesion_share=0.5)]) == []
    elsewhere = trained({}, test_lesion_share=0.0, lesion_folders=["other"])
    assert refuse_leakage(SOURCE, [elsewhere]) == []


def test_what_cannot_be_checked_is_said() -> None:
    assert "does not state" in refuse_leakage(SOURCE, [trained(None)])[0]
    assert "went on from another" in refuse_leakage(SOURCE, [trained({"start_from": "x"})])[0]
    assert "template" in refuse_leakage(SourceConfig(), [trained({})])[0]
    named = SourceConfig(label_maps=Path("m"), train_subjects=("a",), test_subjects=("d",))
    assert "thresholds come from training" in refuse_leakage(named, [trained({})])[0]
