"""p-values among healthy people: valid for any distribution, blind to which side is which."""

import numpy as np
import pytest
from scipy.stats import binomtest

from medsym.scores.features import feature_table
from medsym.scores.one_class import (
    FEWEST_COMPARED,
    FEWEST_FITTED,
    Healthy,
    OneClass,
    fit_one_class,
    too_few,
)
from tests.scores.cohorts import made_up_record, mirrored, shrink

PERSONS = 60


def healthy_of(records: list[dict], *, is_odd: bool) -> Healthy:
    table = feature_table(records)
    return Healthy(
        values=(table.odd() if is_odd else table.bilateral()).values,
        nuisance=np.zeros((len(records), 0)),
        persons=np.array([record["subject"] for record in records]),
        is_odd=is_odd,
    )


@pytest.fixture(scope="module")
def records() -> list[dict]:
    rng = np.random.default_rng(0)
    return [made_up_record(f"{number:03d}", rng=rng) for number in range(PERSONS)]


@pytest.fixture(scope="module")
def bilateral(records: list[dict]) -> OneClass:
    return fit_one_class(healthy_of(records, is_odd=False))


@pytest.fixture(scope="module")
def laterality(records: list[dict]) -> OneClass:
    return fit_one_class(healthy_of(records, is_odd=True))


def p_of(found: OneClass, record: dict, *, is_odd: bool) -> float:
    table = feature_table([record])
    values = (table.odd() if is_odd else table.bilateral()).values[0]
    return found.p_value(values, np.zeros(0))


@pytest.mark.parametrize("is_odd", [False, True])
def test_scan_and_mirror_image_have_one_distance(
    is_odd: bool, bilateral: OneClass, laterality: OneClass
) -> None:
    found = laterality if is_odd else bilateral
    rng = np.random.default_rng(1)
    for number in range(20):
        record = made_up_record(f"new{number}", rng=rng)
        tables = [feature_table([r]) for r in (record, mirrored(record))]
        one, other = ((t.odd() if is_odd else t.bilateral()).values[0] for t in tables)
        assert found.distance(one, np.zeros(0)) == found.distance(other, np.zeros(0)) > 0


def test_loss_on_both_sides_is_seen_by_the_one_and_not_by_the_other(
    bilateral: OneClass, laterality: OneClass
) -> None:
    record = made_up_record("new", rng=np.random.default_rng(5))
    before = p_of(laterality, record, is_odd=True)
    for pair in ("hippocampus", "amygdala"):
        shrink(record, pair, side="both", by=0.4)
    assert p_of(bilateral, record, is_odd=False) == pytest.approx(1 / (PERSONS // 2 + 1))
    assert p_of(laterality, record, is_odd=True) == before > 0.05


@pytest.mark.parametrize("side", ["left", "right"])
def test_loss_on_one_side_is_seen_by_laterality(side: str, laterality: OneClass) -> None:
    record = made_up_record("new", rng=np.random.default_rng(5))
    shrink(record, "hippocampus", side=side, by=0.4)
    assert p_of(laterality, record, is_odd=True) == pytest.approx(1 / (PERSONS // 2 + 1))


@pytest.mark.parametrize("is_odd", [False, True])
def test_rate_among_new_healthy_people_is_kept_for_heavy_tails(is_odd: bool) -> None:
    rng = np.random.default_rng(6)
    persons, trials, level = FEWEST_FITTED + FEWEST_COMPARED, 400, 0.1
    names = np.array([f"p{number}" for number in range(persons)])
    p = []
    for _ in range(trials):
        values = rng.standard_t(2, (persons + 1, 6)) @ np.triu(np.ones((6, 6)))
        found = fit_one_class(
            Healthy(
                values=values[:-1], nuisance=np.zeros((persons, 0)), persons=names, is_odd=is_odd
            )
        )
        p.append(found.p_value(values[-1], np.zeros(0)))
    hits = int((np.array(p) <= level).sum())
    assert binomtest(hits, trials, level, alternative="greater").pvalue > 0.001
    lowest = level - 1 / (FEWEST_COMPARED + 1)
    assert binomtest(hits, trials, lowest, alternative="less").pvalue > 0.001


def test_second_scans_of_a_person_change_nothing(records: list[dict], bilateral: OneClass) -> None:
    rng = np.random.default_rng(7)
    again = [made_up_record(f"{number:03d}", rng=rng) for number in range(PERSONS)]
    found = fit_one_class(healthy_of([*records, *again], is_odd=False))
    assert np.array_equal(found.distances, bilateral.distances)
    assert found.fitted + found.distances.size == PERSONS


def test_age_is_taken_out_of_what_is_usual() -> None:
    rng = np.random.default_rng(8)
    age = rng.uniform(20, 90, 200)
    values = 0.1 * rng.standard_normal((200, 3)) + 0.05 * age[:, None]
    healthy = Healthy(
        values=values,
        nuisance=age[:, None],
        persons=np.array([f"p{number}" for number in range(200)]),
        is_odd=False,
    )
    found = fit_one_class(healthy)
    assert found.p_value(np.full(3, 0.05 * 85), np.array([85.0])) > 0.2
    assert found.p_value(np.full(3, 0.05 * 85), np.array([25.0])) < 0.02


@pytest.mark.parametrize("persons", [17, FEWEST_FITTED + FEWEST_COMPARED - 1])
def test_too_few_healthy_people_are_refused_with_the_number(persons: int) -> None:
    reason = too_few(persons)
    assert reason is not None
    assert reason.startswith(f"{persons} healthy persons; 39 are needed")
    assert too_few(FEWEST_FITTED + FEWEST_COMPARED) is None
    assert "--healthy" in str(too_few(0))
