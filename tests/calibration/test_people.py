"""Every person against all others: never more false alarms than promised, for any number."""

import numpy as np
import pytest

from medsym.calibration.conformal import p_values
from medsym.calibration.normative import (
    Moments,
    cases_at,
    largest_move,
    least_spread,
    mean_of,
    spread_of,
)
from medsym.calibration.people import (
    HealthyScan,
    by_person,
    deviations_from,
    deviations_from_others,
    moments_of,
)
from tests.calibration.builders import SHAPE, antisymmetric, draw, people, scan_of


def newcomers(rng: np.random.Generator) -> list[HealthyScan]:
    """Scans that nobody expects: none, ordinary, huge, huge in one place, huge in the mean."""
    one_place = np.zeros(SHAPE)
    one_place[0, 2, 2] = 50.0
    values = [np.zeros(SHAPE), draw(rng), draw(rng, size=40.0), antisymmetric(one_place)]
    values.append(antisymmetric(np.full(SHAPE, 0.5) * np.arange(6)[:, None, None]))
    return [scan_of(v, person=f"new{i}") for i, v in enumerate(values)]


@pytest.mark.parametrize("about_mean", [False, True])
def test_no_new_scan_makes_the_spread_smaller_than_its_bound(about_mean: bool) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 3, 12):
        moments = moments_of(by_person(people(rng, count, torque=0.4)))
        bound = least_spread(moments, about_mean=about_mean)
        for scan in newcomers(rng):
            found = spread_of(moments.plus(scan.moments), about_mean=about_mean)
            assert (found >= bound * (1 - 1e-5)).all()
        assert (bound <= spread_of(moments, about_mean=about_mean)).all()


def test_no_new_scan_moves_the_mean_further_than_its_bound() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 3, 12):
        moments = moments_of(by_person(people(rng, count, torque=0.4)))
        for scan in newcomers(rng):
            after = moments.plus(scan.moments)
            moved = np.abs(mean_of(after).astype(float) - mean_of(moments))
            limit = largest_move(moments) * spread_of(after, about_mean=True)
            assert (moved <= limit + 1e-6).all()


@pytest.mark.parametrize("minus_mean", [False, True])
def test_a_persons_score_is_never_below_the_exact_one(minus_mean: bool) -> None:
    """Full conformal prediction: the others are everybody else and the new scan."""
    rng = np.random.default_rng(2)
    group = by_person(people(rng, 6, scans=2, torque=0.4))
    bounds = deviations_from_others(group, minus_mean=minus_mean)
    for scan in newcomers(rng):
        for person, scans in group.items():
            others = {name: own for name, own in group.items() if name != person}
            bag = moments_of({**others, scan.person: [scan]})
            exact = deviations_from({person: scans}, bag, minus_mean=minus_mean)[person]
            assert (np.array(bounds[person]) >= np.array(exact) * (1 - 1e-5)).all()


@pytest.mark.parametrize("minus_mean", [False, True])
@pytest.mark.parametrize("count", [4, 9])
def test_new_healthy_people_are_flagged_at_most_as_often_as_promised(
    minus_mean: bool, count: int
) -> None:
    rng = np.random.default_rng(count)
    p = []
    for _ in range(150):
        group = by_person(people(rng, count, scans=2, torque=0.3))
        scores = [max(own) for own in deviations_from_others(group, minus_mean=minus_mean).values()]
        moments = moments_of(group)
        new = by_person(people(rng, 4, torque=0.3))
        found = deviations_from(new, moments, minus_mean=minus_mean).values()
        p.append(p_values(np.sort(scores), np.array([own[0] for own in found])))
    everything = np.array(p)
    for rank in range(1, count + 1):
        alpha = rank / (count + 1)
        shares = (everything <= alpha + 1e-9).mean(axis=1)
        assert shares.mean() <= alpha + 3 * shares.std() / np.sqrt(len(shares))
    assert (everything <= 1 / (count + 1) + 1e-9).mean() > 0.25 / (count + 1)  # not mute


def test_scans_of_one_person_count_as_one_unit() -> None:
    rng = np.random.default_rng(3)
    alone = people(rng, 6)
    group = by_person(alone)
    half = alone[0].values.reshape(3, 5, 4).astype(float)
    same = np.concatenate([half, -half[::-1]])
    again = scan_of(same, person=alone[0].person, sha256="again")
    doubled = by_person([*alone, again])
    assert len(deviations_from_others(doubled)) == 6
    assert moments_of(doubled).count == moments_of(group).count == 6
    assert np.allclose(spread_of(moments_of(doubled)), spread_of(moments_of(group)), atol=1e-6)


def test_maps_obey_the_mirror() -> None:
    """Mirrored people have the mirrored mean and the same spread; left and right swapped fails."""
    rng = np.random.default_rng(4)
    values = [draw(rng, torque=0.5) for _ in range(8)]
    original = moments_of(by_person([scan_of(v, person=str(i)) for i, v in enumerate(values)]))
    mirrored = moments_of(
        by_person([scan_of(v[::-1].copy(), person=str(i)) for i, v in enumerate(values)])
    )
    assert np.array_equal(mean_of(original), -mean_of(original)[::-1])
    assert np.array_equal(spread_of(original), spread_of(original)[::-1])
    assert np.allclose(mean_of(mirrored), mean_of(original)[::-1], atol=1e-6)
    assert not np.allclose(mean_of(mirrored), mean_of(original), atol=1e-2)
    assert np.allclose(spread_of(mirrored), spread_of(original), atol=1e-6)


def test_without_a_mean_left_and_right_are_judged_alike_and_with_it_they_are_not() -> None:
    rng = np.random.default_rng(5)
    group = by_person(people(rng, 10, torque=0.5))
    lesion = draw(rng, torque=0.5)
    lesion[1, 2, 2] += 6.0
    lesion[4, 2, 2] -= 6.0
    left, right = scan_of(lesion, person="a"), scan_of(lesion[::-1].copy(), person="b")
    moments = moments_of(group)
    plain = deviations_from({"a": [left], "b": [right]}, moments)
    assert plain["a"] == pytest.approx(plain["b"], rel=1e-6)
    taken = deviations_from({"a": [left], "b": [right]}, moments, minus_mean=True)
    assert abs(taken["a"][0] - taken["b"][0]) > 0.1


def test_a_mean_that_everybody_has_makes_the_spread_about_it_smaller() -> None:
    rng = np.random.default_rng(6)
    moments = moments_of(by_person(people(rng, 40, torque=3.0)))
    about_zero, about_mean = spread_of(moments), spread_of(moments, about_mean=True)
    assert (about_mean <= about_zero + 1e-6).all()
    assert (cases_at(moments) > 40).all()
    assert isinstance(moments, Moments)
