"""A bound that is written or printed is never smaller than it is."""

import numpy as np
import pytest

from app.why import why
from medsym.screening.records import plain
from medsym.screening.upwards import bound_text, rounded_up


def test_no_bound_is_printed_or_recorded_smaller_than_it_is() -> None:
    bounds = 10.0 ** np.random.default_rng(0).uniform(-8, 2, 500)
    for bound in map(float, bounds):
        assert float(bound_text(bound)) >= bound
        assert float(bound_text(bound)) <= 1.11 * bound + 1e-6
        record = plain({"bound": bound, "summary": {"bound_max": np.float32(bound)}})
        assert record["bound"] >= bound
        assert record["summary"]["bound_max"] >= np.float32(bound)
        assert rounded_up(record["bound"], decimals=6) == record["bound"]


def test_other_numbers_of_a_record_are_rounded_as_before() -> None:
    files = {"bound": {"path": "a", "sha256": "b"}}
    record = {"files": files, "asymmetry": 1.0000001, "bound_max": None}
    assert plain(record) == {**record, "asymmetry": 1.0}


@pytest.mark.parametrize(("bound", "said"), [(0.01449, "0.015"), (0.0, "below 0.000001")])
def test_the_panel_why_says_at_most_and_means_it(bound: float, said: str) -> None:
    numbers = {"volume_ml": 1.0, "deviation": 5.0, "asymmetry": 1.0, "bound": bound}
    found = why({"side": "left", "p_value": None, **numbers}, record={})
    assert f"at most {said} nats here" in found["sentence"]
    assert ("Bound here", f"{said} nats") in found["rows"]
