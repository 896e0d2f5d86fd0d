"""The frozen threshold keeps its promise on exchangeable data, and refuses to promise too much."""

import numpy as np
import pytest

from medsym.calibration.conformal import fewest_cases
from medsym.errors import ConfigError
from medsym.evaluation.freezing import frozen_thresholds


@pytest.mark.parametrize(("alpha", "reference"), [(0.05, 19), (0.05, 60), (0.2, 24)])
def test_at_most_alpha_of_new_healthy_subjects_are_flagged(alpha: float, reference: int) -> None:
    random = np.random.default_rng(0)
    rates = []
    for _ in range(600):
        drawn = random.gumbel(size=reference + 50)  # largest scores of exchangeable subjects
        threshold = frozen_thresholds({"m": drawn[:reference].tolist()}, alpha=alpha)["m"]
        rates.append(float((drawn[reference:] >= threshold).mean()))
    error = 3.0 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= alpha + error
    assert np.mean(rates) >= alpha - 1.0 / (reference + 1) - error  # and is not needlessly strict


def test_subjects_at_the_threshold_itself_are_not_flagged() -> None:
    values = [float(v) for v in range(19)]
    threshold = frozen_thresholds({"m": values}, alpha=0.05)["m"]
    assert 18.0 < threshold < 18.001


def test_every_method_has_its_own_scale_and_a_positive_threshold() -> None:
    values = np.linspace(0.1, 1.0, 40)
    found = frozen_thresholds(
        {"a": values.tolist(), "b": (100 * values).tolist(), "silent": [0.0] * 40}, alpha=0.05
    )
    assert found["b"] == pytest.approx(100 * found["a"], rel=1e-5)
    assert found["silent"] > 0.0


def test_too_few_subjects_are_refused_with_the_number_that_is_needed() -> None:
    assert fewest_cases(0.05) == 19
    assert fewest_cases(0.01) == 99
    with pytest.raises(ConfigError, match=r"MS-380 .* 18 subjects .* at least 19"):
        frozen_thresholds({"m": [1.0] * 18}, alpha=0.05)
