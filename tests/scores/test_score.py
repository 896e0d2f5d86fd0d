"""A fitted score on records: laws of the mirror, and the same numbers after a trip to disk."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ModelError, OutputError
from medsym.scores.fit import Fitted, fit_score
from medsym.scores.labels import Labels
from medsym.scores.question import Question
from medsym.scores.results import _add_q_values
from medsym.scores.score import SubjectScore, score_case
from medsym.scores.store import SCORE_FILE, UNSEEN_FILE, load_score, save_score
from medsym.scores.words import percent, words_of
from tests.scores.cohorts import epilepsy_cohort, made_up_record, mirrored, shrink

AGE = {"age": "50.0"}


def fitted_of(question: Question) -> Fitted:
    records, rows = epilepsy_cohort(100, seed=3)
    return fit_score(records, Labels.of(rows, path=Path("labels.tsv")), question=question)


@pytest.fixture(scope="module")
def disease() -> Fitted:
    return fitted_of(Question(positive="epilepsy", nuisance=("age",)))


@pytest.fixture(scope="module")
def side() -> Fitted:
    return fitted_of(Question(column="onset", is_side=True))


@pytest.fixture
def patient() -> dict:
    record = made_up_record("new", rng=np.random.default_rng(9))
    shrink(record, "hippocampus", side="left", by=0.25)
    return record


def test_disease_is_the_same_for_the_mirror_image_to_the_last_bit(
    disease: Fitted, patient: dict
) -> None:
    found, turned = (score_case(disease.score, r, values=AGE) for r in (patient, mirrored(patient)))
    assert found == turned
    assert found.probability is not None
    assert found.probability > 0.8


def test_side_of_the_mirror_image_is_the_other_one_to_the_last_bit(
    side: Fitted, patient: dict
) -> None:
    found, turned = (score_case(side.score, r, values={}) for r in (patient, mirrored(patient)))
    assert found.logit == -turned.logit != 0
    assert found.probability == turned.other_probability
    assert found.other_probability == turned.probability
    assert all(part == -turned.contributions[name] for name, part in found.contributions.items())


@pytest.mark.parametrize("one", ["left", "right"])
def test_the_smaller_hippocampus_is_the_side_of_onset(side: Fitted, one: str) -> None:
    record = made_up_record("new", rng=np.random.default_rng(10))
    shrink(record, "hippocampus", side=one, by=0.3)
    found = score_case(side.score, record, values={})
    assert found.probability is not None
    assert (found.probability > 0.9) == (one == "left")
    assert (found.probability < 0.1) == (one == "right")
    assert next(iter(found.regions)) == "hippocampus"


def test_parts_sum_to_the_logit_exactly_and_regions_to_rounding(
    disease: Fitted, patient: dict
) -> None:
    found = score_case(disease.score, patient, values=AGE)
    assert found.logit == math.fsum(found.contributions.values())
    assert math.fsum(found.regions.values()) == pytest.approx(found.logit, abs=1e-12)


def test_bilateral_loss_is_said_although_the_sides_are_equal(disease: Fitted) -> None:
    record = made_up_record("new", rng=np.random.default_rng(5))
    for pair in ("hippocampus", "amygdala"):
        shrink(record, pair, side="both", by=0.4)
    found = score_case(disease.score, record, values=AGE)
    assert found.laterality_p is not None
    assert found.bilateral_p is not None
    assert found.bilateral_p < 0.05 < found.laterality_p
    assert "both sides together are unlike healthy people" in words_of(found, disease.score)


def test_one_small_p_value_of_three_is_not_called_unusual(disease: Fitted, patient: dict) -> None:
    base = replace(
        score_case(disease.score, patient, values=AGE), laterality_p=0.5, bilateral_p=0.5
    )
    said = {p: words_of(replace(base, asymmetry_p=p), disease.score) for p in (0.016667, 0.04, 0.2)}
    assert "Unusual: one place differs" in said[0.016667]
    assert "Unusual" not in said[0.04]
    assert "3 such numbers are looked at, so up to 15 % of the healthy" in said[0.04]
    assert "would not stand out" in said[0.2]


def test_drawn_heads_are_not_called_people(disease: Fitted, patient: dict) -> None:
    patient["summary"]["p_value"] = 0.001
    for kind, whom in (("synthetic", "drawn healthy heads"), ("healthy scans", "healthy people")):
        patient["calibration"] = {"kind": kind}
        found = words_of(score_case(disease.score, patient, values=AGE), disease.score)
        assert f"differs from its mirror place more than in {whom} (p 0.001)" in found


def test_scans_of_the_fit_are_no_discoveries() -> None:
    rows = [
        {"laterality_p": p, "laterality_q": None, "in_fit": own}
        for p, own in ((0.01, True), (0.02, False), (0.9, False))
    ]
    _add_q_values(rows, "laterality")
    assert [row["laterality_q"] for row in rows] == [None, pytest.approx(0.04), 0.9]


def test_words_never_call_anybody_normal(disease: Fitted, side: Fitted) -> None:
    record = made_up_record("new", rng=np.random.default_rng(11))
    usual = words_of(score_case(disease.score, record, values=AGE), disease.score)
    assert "which does not mean normal" in usual
    blind = words_of(score_case(side.score, record, values={}), side.score)
    assert "equal on both sides was not looked for" in blind


def test_nobody_is_told_a_certainty() -> None:
    assert [percent(p) for p in (1.0, 0.5, 0.0)] == ["over 99 %", "50 %", "under 1 %"]


def test_unseen_numbers_are_not_those_of_the_fit_to_itself(disease: Fitted) -> None:
    records, _ = epilepsy_cohort(100, seed=3)
    own = [score_case(disease.score, record, values=AGE).logit for record in records]
    assert len(disease.unseen) == 100
    assert not set(own) & {row["logit"] for row in disease.unseen}


def test_the_largest_deviation_alone_stands_beside_the_score(disease: Fitted, side: Fitted) -> None:
    for fitted in (disease, side):  # the effect is in a volume, so the deviation knows nothing
        alone = fitted.score.numbers["largest_deviation_alone_auroc"]
        assert alone["low"] < 0.5 < alone["high"]
        assert fitted.score.numbers["auroc"]["low"] > alone["value"]


def test_a_scan_of_the_fit_is_recognised(disease: Fitted, patient: dict) -> None:
    records, _ = epilepsy_cohort(100, seed=3)
    assert score_case(disease.score, records[0], values=AGE).in_fit
    assert not score_case(disease.score, patient, values=AGE).in_fit
    known = replace(disease.score, scans=disease.score.scans | {"same voxels"})
    patient["scan"]["content_sha256"] = "same voxels"  # in a file that was packed anew
    assert score_case(known, patient, values=AGE).in_fit


def test_unknown_nuisance_and_refused_scans_get_no_number(disease: Fitted, patient: dict) -> None:
    found = score_case(disease.score, patient, values={})
    assert found.not_assessable == ("age is not known",)
    assert found.probability is None
    patient.update(assessable=False, reasons=["no brain"], structures=[])
    assert score_case(disease.score, patient, values=AGE).not_assessable == ("no brain",)
    assert "Not assessable: no brain." in words_of(
        score_case(disease.score, patient, values=AGE), disease.score
    )


def test_age_beyond_the_fit_is_said(disease: Fitted, patient: dict) -> None:
    found = score_case(disease.score, patient, values={"age": "99"})
    assert found.probability is not None
    assert "age 99 is outside" in words_of(found, disease.score)


def test_a_score_comes_back_from_disk_to_the_last_bit(
    disease: Fitted, side: Fitted, patient: dict, tmp_path: Path
) -> None:
    for number, fitted in enumerate((disease, side)):
        folder = tmp_path / str(number)
        save_score(folder, fitted)
        assert sorted(path.name for path in folder.iterdir()) == [SCORE_FILE, UNSEEN_FILE]
        score = load_score(folder)
        assert score_case(score, patient, values=AGE) == score_case(
            fitted.score, patient, values=AGE
        )
        assert score.numbers == fitted.score.numbers


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_changed_cut_or_missing_score_is_refused(side: Fitted, tmp_path: Path) -> None:
    path = save_score(tmp_path / "score", side)
    changed(path, '"base": 0.0', '"base": 0.5')
    with pytest.raises(ModelError, match=r"MS-619 .*not as it was written"):
        load_score(path.parent)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"MS-619"):
        load_score(path.parent)
    path.unlink()
    with pytest.raises(ModelError, match=r"MS-619 .*cannot be read"):
        load_score(path.parent)


def test_a_score_of_another_version_is_refused(
    side: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_score(tmp_path / "score", side)
    monkeypatch.setattr("medsym.scores.store.__version__", "9.9")
    with pytest.raises(ModelError, match=r"MS-620 .*this is 9.9"):
        load_score(tmp_path / "score")


def test_a_folder_with_other_things_is_left_alone(side: Fitted, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"MS-618 .*thesis.txt"):
        save_score(tmp_path, side)


def test_contributions_follow_the_coefficients_of_their_region(side: Fitted, patient: dict) -> None:
    linear = side.score.linear
    assert linear is not None
    without: SubjectScore = replace(
        side.score, linear=replace(linear, coefficients=0.0 * linear.coefficients)
    )
    assert score_case(without, patient, values={}).probability == 0.5
