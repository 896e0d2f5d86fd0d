"""Every feature is even or odd under the mirror, to the last bit."""

import numpy as np
import pytest

from medsym.scores.features import EVEN, ODD, feature_table
from tests.scores.cohorts import made_up_record, mirrored


@pytest.fixture
def record() -> dict:
    return made_up_record("01", rng=np.random.default_rng(0))


def test_even_features_stay_and_odd_ones_change_sign_exactly(record: dict) -> None:
    table, turned = feature_table([record]), feature_table([mirrored(record)])
    signs = np.array([feature.parity for feature in table.features])
    assert set(signs) == {EVEN, ODD}
    assert np.array_equal(turned.values[0], signs * table.values[0])
    assert (table.values[0] != 0).all()


def test_a_missing_structure_is_missing_in_the_mirror_image_too(record: dict) -> None:
    pair = record["structures"][3]
    pair.update(left_ml=0.0, deviation_mean_left=None)
    table, turned = feature_table([record]), feature_table([mirrored(record)])
    missing = np.isnan(table.values[0])
    assert {f.quantity for f, m in zip(table.features, missing, strict=True) if m} == {
        "deviation",
        "left deviates",
    }
    signs = np.array([feature.parity for feature in table.features])
    assert np.array_equal(turned.values[0], signs * table.values[0], equal_nan=True)


def test_bilateral_features_know_nothing_of_where_tissue_is(record: dict) -> None:
    moved = mirrored(record)
    for row in moved["structures"]:
        total = row["left_ml"] + row["right_ml"]
        row.update(left_ml=0.25 * total, right_ml=0.75 * total, deviation_mean_left=9.0)
    before, after = (feature_table([r]).bilateral().values for r in (record, moved))
    np.testing.assert_allclose(after, before, rtol=1e-14)


def test_odd_features_are_positive_for_what_is_larger_on_the_left(record: dict) -> None:
    for row in record["structures"]:
        row.update(left_ml=2.0, right_ml=1.0, deviation_mean_left=1.0, deviation_mean_right=-1.0)
    record["summary"]["deviation_side"] = "left"
    assert (feature_table([record]).odd().values > 0).all()
