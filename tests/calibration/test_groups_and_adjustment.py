"""Groups and adjustment: nobody stands in for a missing group, and rates hold in every part."""

import numpy as np
import pytest

from medsym.calibration.adjustment import as_json, fit_adjustment, from_json
from medsym.calibration.building import build_calibration, split
from medsym.calibration.calibration import Calibration
from medsym.calibration.checks import CalibrationSettings, check_columns, check_people
from medsym.calibration.conformal import p_values
from medsym.calibration.groups import GroupColumn, group_of
from medsym.calibration.people import HealthyScan, by_person
from medsym.errors import ConfigError
from tests.calibration.builders import draw, scan_of

MODEL = {"name": "m", "version": "1", "sha256": "f" * 64}


def aged(rng: np.random.Generator, number: int, *, site: str = "A") -> HealthyScan:
    """A person whose asymmetry grows with age."""
    age = float(rng.uniform(20, 90))
    values = draw(rng, size=np.exp(0.03 * (age - 50)))
    person = f"{site}{number:04d}"
    return scan_of(values, person=person, covariates={"age": age, "sex": "F", "site": site})


def made(scans: list[HealthyScan], **settings: object) -> Calibration:
    return build_calibration(scans, CalibrationSettings(**settings), model=MODEL, test_mean=False)


@pytest.mark.parametrize(
    ("age", "label"),
    [(39.9, "age=below 40"), (40.0, "age=40-60"), (60.0, "age=from 60"), (99.0, "age=from 60")],
)
def test_a_value_belongs_to_exactly_one_band(age: float, label: str) -> None:
    assert GroupColumn.parse("age:40,60").label({"age": age}) == label


@pytest.mark.parametrize("text", ["age:60,40", "age:x", ":1,2", "age:nan", "age:40,40"])
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="MS-500"):
        GroupColumn.parse(text)


def test_labels_are_those_of_all_columns_and_missing_ones_give_none() -> None:
    columns = (GroupColumn.parse("site"), GroupColumn.parse("age:60"))
    assert group_of({"site": "B", "age": 71.0}, columns) == "site=B, age=from 60"
    assert group_of({"site": "B"}, columns) is None
    assert group_of({"site": "B", "age": "old"}, columns) is None
    assert group_of({}, ()) == ""


def test_a_group_is_judged_by_its_own_members_only() -> None:
    rng = np.random.default_rng(0)
    quiet = [scan_of(draw(rng), person=f"a{i}", covariates={"site": "A"}) for i in range(30)]
    loud = [scan_of(5 * draw(rng), person=f"b{i}", covariates={"site": "B"}) for i in range(25)]
    found = made([*quiet, *loud], group_by=(GroupColumn.parse("site"),))
    of_a, of_b = (found.compare({"site": site}, alpha=0.05) for site in "AB")
    assert (of_a.use.n, of_b.use.n) == (30, 25)
    assert of_a.use.group == "site=A"
    assert of_a.reference.threshold(0.05) < of_b.reference.threshold(0.05)


@pytest.mark.parametrize(
    ("covariates", "sentence", "rarest"),
    [
        ({"site": "B"}, "holds 18 of the 19", [19]),
        ({"site": "C"}, "holds 0 of the 19", []),
        ({}, "does not state what the calibration is grouped by: site", []),
    ],
)
def test_a_group_that_is_small_unknown_or_not_stated_abstains_and_says_so(
    covariates: dict[str, str], sentence: str, rarest: list[int]
) -> None:
    rng = np.random.default_rng(1)
    scans = [scan_of(draw(rng), person=f"a{i}", covariates={"site": "A"}) for i in range(30)]
    scans += [scan_of(draw(rng), person=f"b{i}", covariates={"site": "B"}) for i in range(18)]
    found = made(scans, group_by=(GroupColumn.parse("site"),)).compare(covariates, alpha=0.05)
    assert sentence in str(found.use.reason)
    assert found.reference.maxima.size == 48  # of everybody, and only to be strict
    assert [step.one_in for step in found.use.thresholds[-1:]] == rarest  # of its own people alone


def test_an_adjustment_follows_the_covariate_and_never_guesses_beyond_it() -> None:
    rng = np.random.default_rng(2)
    ages = rng.uniform(20, 90, 200)
    rows = [{"age": float(age), "sex": "F" if age < 50 else "M"} for age in ages]
    scores = np.exp(0.5 + 0.02 * ages + 0.1 * rng.standard_normal(200))
    found = fit_adjustment(scores.tolist(), rows, columns=["age"])
    for age in (30.0, 60.0, 85.0):
        assert found.factor({"age": age}) == pytest.approx(np.exp(0.5 + 0.02 * age), rel=0.05)
    assert "outside" in str(found.problem({"age": 95.0}))
    assert "states no 'age'" in str(found.problem({}))
    assert "not a number" in str(found.problem({"age": "old"}))
    both = fit_adjustment(scores.tolist(), rows, columns=["age", "sex"])
    assert "no healthy person" in str(both.problem({"age": 40.0, "sex": "X"}))
    assert from_json(as_json(both)) == both


def test_too_few_people_to_fit_on_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-502 .* 10 needed"):
        fit_adjustment([1.0] * 9, [{"age": float(i)} for i in range(9)], columns=["age"])


def test_adjusted_p_values_stay_valid_and_hold_for_the_old_too() -> None:
    rng = np.random.default_rng(3)
    old_plain, old_adjusted, everybody = [], [], []
    for _ in range(25):
        scans = [aged(rng, number) for number in range(80)]
        plain, adjusted = made(scans), made(scans, adjust=("age",))
        for scan in (aged(rng, 1000 + i) for i in range(20)):
            p = []
            for calibration in (plain, adjusted):
                found = calibration.compare(scan.covariates, alpha=0.2)
                if found.use.reason is None:
                    score = scan.largest_deviation(found.reference.spread)
                    p.append(float(p_values(found.reference.maxima, np.array([score]))[0]))
            if len(p) == 2:
                everybody.append(p[1])
                if scan.covariates["age"] > 75:
                    old_plain.append(p[0])
                    old_adjusted.append(p[1])
    share = float(np.mean(np.array(everybody) <= 0.2))
    assert 0.12 <= share <= 0.2 + 3 * np.sqrt(0.16 / 100)
    assert np.mean(np.array(old_plain) <= 0.2) > 0.4  # without it the old carry all the alarms
    assert np.mean(np.array(old_adjusted) <= 0.2) < 0.3


def test_thresholds_of_an_adjusted_calibration_are_those_of_the_scan() -> None:
    rng = np.random.default_rng(8)
    found = made([aged(rng, number) for number in range(40)], adjust=("age",))
    old = found.compare({"age": float(found.adjustment.terms[0].high)}, alpha=0.5)
    assert old.use.thresholds
    for step in old.use.thresholds:
        assert p_values(old.reference.maxima, np.float32(step.sd)) <= 1 / step.one_in + 1e-12


def test_the_people_who_are_fitted_on_give_no_p_value() -> None:
    rng = np.random.default_rng(4)
    people = by_person([aged(rng, number) for number in range(41)])
    fitted, scored = split(people)
    assert len(fitted) == 21
    assert not set(fitted) & set(scored)
    assert set(fitted) | set(scored) == set(people)
    found = made([scan for own in people.values() for scan in own], adjust=("age",))
    assert found.scores.size <= 20
    assert found.num_spread == 21


@pytest.mark.parametrize("covariates", [{"age": 95.0}, {}, {"age": "old"}])
def test_without_an_adjustment_the_limit_is_what_healthy_people_reach(
    covariates: dict[str, float | str],
) -> None:
    rng = np.random.default_rng(6)
    scans = [aged(rng, number) for number in range(60)]
    found = made(scans, adjust=("age",)).compare(covariates, alpha=0.05)
    assert found.use.reason
    reached = max(scan.largest_deviation(found.reference.spread) for scan in scans)
    assert found.reference.strictest(0.0) >= reached * (1 - 1e-6)  # SD, not multiples of a factor


def test_a_column_in_which_all_are_alike_adjusts_for_nothing_and_abstains_elsewhere() -> None:
    rng = np.random.default_rng(7)
    found = made([aged(rng, number) for number in range(40)], adjust=("sex",))
    assert found.compare({"sex": "F"}, alpha=0.05).use.reason is None
    assert "no healthy person has sex 'M'" in str(
        found.compare({"sex": "M"}, alpha=0.05).use.reason
    )


def test_a_regression_takes_the_covariates_of_the_scan_that_deviates_most() -> None:
    rng = np.random.default_rng(8)
    scans = []
    for number in range(60):
        values, person = draw(rng), f"p{number:03d}"
        # a small early scan and a large late one, in both orders of their hashes
        for age, size in ((30.0 + number % 7, 0.1), (70.0 + number % 7, 1.0)):
            label = f"{person}-{(number + (age > 60)) % 2}"
            scans.append(
                scan_of(size * values, person=person, sha256=label, covariates={"age": age})
            )
    (term,) = made(scans, adjust=("age",)).adjustment.terms
    assert term.low >= 70.0


def test_every_digit_of_a_code_or_a_limit_counts() -> None:
    rng = np.random.default_rng(9)
    sites = (1000001.0, 1000002.0)
    scans = [
        scan_of(draw(rng), person=f"p{i}", covariates={"site": sites[i % 2]}) for i in range(40)
    ]
    found = made(scans, group_by=(GroupColumn.parse("site"),))
    assert found.compare({"site": sites[1]}, alpha=0.05).use.n == 20
    column = GroupColumn.parse("date:20240115,20240180.5")
    assert GroupColumn.parse(column.text()) == column
    rows = [{"site": sites[i % 2]} for i in range(20)]
    texts = [{"site": str(int(row["site"]))} for row in rows]
    assert len(fit_adjustment([1.0] * 20, texts, columns=["site"]).terms[0].levels) == 2


def test_one_wrong_cell_does_not_turn_ages_into_categories() -> None:
    rows = [{"age": float(i)} for i in range(20)] + [{"age": "65y"}]
    with pytest.raises(ConfigError, match=r"MS-515 .*age.*65y"):
        fit_adjustment([1.0] * 21, rows, columns=["age"])


@pytest.mark.parametrize(
    ("count", "folds", "code"),
    [
        (18, None, "MS-502"),
        (19, None, None),
        (20, 2, "MS-502"),
        (20, 21, "MS-508"),
        (1, 2, "MS-503"),
    ],
)
def test_too_few_people_are_found_before_anything_is_measured(
    count: int, folds: int | None, code: str | None
) -> None:
    settings = CalibrationSettings(adjust=("age",))
    people = {f"p{i}": {"a": {"age": 50.0 + i}, "b": {"age": 60.0 + i}} for i in range(count)}
    people = {p: {f"{p}{name}": row for name, row in rows.items()} for p, rows in people.items()}
    if code is None:
        check_people(people, settings, folds=folds)
        return
    with pytest.raises(ConfigError, match=code):
        check_people(people, settings, folds=folds)


def test_missing_columns_are_found_before_anything_is_measured() -> None:
    settings = CalibrationSettings(group_by=(GroupColumn.parse("site"),), adjust=("age",))
    with pytest.raises(ConfigError, match="MS-504 b"):
        check_columns({"a": {"site": "A", "age": 1.0}, "b": {"age": 2.0}}, settings)
    with pytest.raises(ConfigError, match="MS-501 a"):
        check_columns({"a": {"site": "A"}}, settings)


def test_one_scan_under_two_names_is_refused() -> None:
    rng = np.random.default_rng(5)
    values = draw(rng)
    twins = [scan_of(values, person=name, sha256="same") for name in ("a", "b")]
    with pytest.raises(ConfigError, match="MS-510 b"):
        made(twins)
    with pytest.raises(ConfigError, match="MS-503"):
        made(twins[:1])
    packed = [
        scan_of(values, person=name, sha256=f"file {name}", content_sha256="same") for name in "ab"
    ]
    with pytest.raises(ConfigError, match="MS-510 b"):
        made(packed)
