"""Left stands under left, and structures that nobody has are not listed."""

import numpy as np
import pytest

from medsym.science.structure_rows import StructureCollector
from tests.science.builders import axes, seen


def test_left_and_right_are_the_patients_and_absent_structures_are_left_out() -> None:
    collector = StructureCollector()
    for factor in (1.0, 1.2):
        sided = np.where(axes()[0] < 0, 0.2 * factor, 0.1)
        collector.add(seen(tolerance=sided, torque=3.0, normal=-0.25))
    (row,) = collector.finish()["rows"]
    assert (row["name"], row["subjects"]) == ("thalamus", 2)
    assert row["left"]["value"] == pytest.approx(0.22, rel=1e-4)
    assert row["right"]["value"] == pytest.approx(0.1, rel=1e-4)
    assert row["left_minus_right"]["value"] == pytest.approx(0.12, rel=1e-3)
    assert row["left_minus_right"]["low"] > 0.0
    assert row["torque_mm"]["value"] == pytest.approx(3.0)
    assert row["asymmetry"]["value"] == pytest.approx(0.25)
