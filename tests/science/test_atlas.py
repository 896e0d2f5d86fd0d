"""The atlas averages in brain coordinates, keeps the sides, and says when there is nothing."""

import numpy as np
import pytest

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.calibration.normative import FLOOR_NATS
from medsym.science.atlas import ASYMMETRY, TOLERANCE, TORQUE, Atlas, AtlasCollector, brain_place
from tests.science.builders import PLACE, SHAPE, axes, blob, seen


def atlas_of(*subjects: dict[str, object]) -> Atlas:
    collector = AtlasCollector()
    for subject in subjects:
        collector.add(seen(**subject))
    return collector.finish()


def lumpy(side: str, *, size: float = 2.0) -> np.ndarray:
    at = PLACE if side == "left" else (SHAPE[0] - 1 - PLACE[0], *PLACE[1:])
    return 0.1 + size * blob(at).astype(np.float32)


@pytest.mark.parametrize("side", ["left", "right"])
def test_tolerance_on_a_side_stays_on_it(side: str) -> None:
    atlas = atlas_of({"tolerance": lumpy(side)}, {"tolerance": lumpy(side)})
    numbers = atlas.numbers
    assert numbers["largest_at"]["side"] == side
    assert (atlas.place[0] < REFERENCE_SHAPE[0] // 2) == (side == "left")
    other = "right" if side == "left" else "left"
    assert numbers[side]["value"] > numbers[other]["value"] + 0.01
    assert numbers["left_minus_right"]["value"] == pytest.approx(
        numbers["left"]["value"] - numbers["right"]["value"], abs=1e-6
    )
    assert not numbers["practically_zero"]


def test_mean_map_is_the_mean_over_subjects_that_have_brain_there() -> None:
    atlas = atlas_of({"tolerance": 0.1}, {"tolerance": 0.3})
    inside = atlas.means[TOLERANCE][atlas.brain]
    np.testing.assert_allclose(inside, 0.2, rtol=1e-5)
    assert atlas.numbers["mean"]["value"] == pytest.approx(0.2, rel=1e-5)
    assert atlas.numbers["largest_voxel"] == pytest.approx(0.3)
    assert 0.2 < atlas.brain.mean() < 0.6


def test_tolerance_that_changes_nothing_is_called_zero() -> None:
    limit = FLOOR_NATS / 2  # a tolerance t changes the asymmetry by at most 2 t
    for size, zero in ((0.9 * limit, True), (1.1 * limit, False)):
        atlas = atlas_of({"tolerance": size}, {"tolerance": size})
        assert atlas.numbers["practically_zero"] is zero


def test_rank_correlation_tells_torque_from_what_runs_across_it() -> None:
    _, y, z = axes()
    subjects = [
        {"tolerance": np.exp(2 * y) * f, "torque": 2 + y, "normal": 2 + z} for f in (0.5, 1.0, 2.0)
    ]
    numbers = atlas_of(*subjects).numbers
    assert numbers["correlation"][TORQUE]["value"] > 0.98
    assert abs(numbers["correlation"][ASYMMETRY]["value"]) < 0.1
    interval = numbers["correlation"][TORQUE]
    assert interval["low"] <= interval["value"] <= interval["high"]


def test_correlation_compares_places_whatever_side_the_tolerance_is_on() -> None:
    one_sided = np.where(axes()[0] < 0, np.exp(2 * axes()[1]), 1e-3)
    numbers = atlas_of(*({"tolerance": one_sided, "torque": 2 + axes()[1]},) * 2).numbers
    assert numbers["correlation"][TORQUE]["value"] > 0.95
    assert numbers["places_compared"] > 1000


def test_natural_asymmetry_counts_by_its_size() -> None:
    signed = np.where(axes()[0] < 0, -0.4, 0.4)  # against its own mirror: antisymmetric
    atlas = atlas_of({"normal": signed}, {"normal": signed})
    np.testing.assert_allclose(atlas.means[ASYMMETRY][atlas.brain], 0.4, rtol=1e-5)


def test_places_are_named_in_half_extents_of_the_brain() -> None:
    low = brain_place((0, 0, 0))
    assert low["side"] == "left"
    assert low["front"] < -1
    assert low["up"] < -1
    high = brain_place(tuple(n - 1 for n in REFERENCE_SHAPE))
    assert high["side"] == "right"
    assert high["outward"] == pytest.approx(low["outward"])
