"""The rate of false alarms is counted against the model's own threshold."""

from pathlib import Path

import numpy as np
import pytest

from medsym.synthesis.settings import SynthesisConfig
from medsym.training import false_alarms
from tests.builders_case import fake_model, flat_reference

MAXIMA = [1.0, 2.0, 9.0, 3.0]


def count(monkeypatch: pytest.MonkeyPatch, folder: Path, *, maxima: int) -> dict[str, float | None]:
    drawn = iter(MAXIMA)
    monkeypatch.setattr(false_alarms, "reference_of", lambda _: flat_reference(maxima=maxima))
    monkeypatch.setattr(
        false_alarms, "synthetic_maps", lambda *_: {"deviation": np.array([-next(drawn), 0.0])}
    )
    monkeypatch.setattr(false_alarms, "SyntheticSubjects", lambda *_, **__: range(4))
    return false_alarms.count_false_alarms(
        SynthesisConfig(), number=4, seed=0, model=fake_model(folder)
    )


def test_largest_deviations_of_either_sign_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = count(monkeypatch, tmp_path, maxima=40)
    threshold = found["threshold_sd"]
    assert threshold is not None
    assert found["flagged"] == sum(value > threshold for value in MAXIMA)
    assert found["rate_low"] <= found["rate"] <= found["rate_high"]
    assert found["median_max_sd"] == 2.5


def test_without_a_threshold_there_is_no_rate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = count(monkeypatch, tmp_path, maxima=5)
    assert found["threshold_sd"] is None
    assert found["rate"] is None
