"""How often healthy synthetic subjects of unseen anatomies show a finding.

The threshold of a model promises a rate for cases like its healthy reference. That reference holds
few anatomies, and a new head is not one of them: so the rate is measured on others and stated with
its confidence interval, whatever it turns out to be.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest

from medsym.inference.case import FALSE_ALARM_RATE, reference_of
from medsym.models.store import LoadedModel
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.data import SyntheticSubjects, without_skull
from medsym.training.evaluate import synthetic_maps

Report = Callable[[str], None]


def count_false_alarms(
    config: SynthesisConfig,
    *,
    number: int,
    seed: int,
    model: LoadedModel,
    report: Report | None = None,
) -> dict[str, float | None]:
    """Draw healthy subjects of the test anatomies and count those above the model's threshold.

    Args:
        config: synthesis; scans are drawn without skull.
        number: subjects.
        seed: of the draws.
        model: network with its healthy reference.
        report: receives one line per 25 subjects.

    Returns:
        promised: the rate that the threshold was set for; threshold_sd; subjects; flagged: number
        of them whose largest deviation exceeds it; rate with the exact 95 % interval (Clopper and
        Pearson, Biometrika 26, 1934) rate_low .. rate_high; median_max_sd: median of the largest
        deviations. Rates are None if the reference is too small for a threshold.
    """
    reference = reference_of(model)
    threshold = reference.threshold(FALSE_ALARM_RATE)
    subjects = SyntheticSubjects(without_skull(config), seed=seed, split="test", healthy=True)
    largest = []
    for index in range(number):
        maps = synthetic_maps(subjects[index], model, reference)
        largest.append(float(np.abs(maps["deviation"]).max()))
        if report and (index + 1) % 25 == 0:
            report(f"{index + 1}/{number} healthy subjects")
    found: dict[str, float | None] = {
        "promised": FALSE_ALARM_RATE,
        "threshold_sd": threshold,
        "subjects": number,
        "median_max_sd": float(np.median(largest)),
        "flagged": None,
        "rate": None,
        "rate_low": None,
        "rate_high": None,
    }
    if threshold is not None:
        flagged = sum(value > threshold for value in largest)
        interval = binomtest(flagged, number).proportion_ci(method="exact")
        found |= {"flagged": flagged, "rate": flagged / number}
        found |= {"rate_low": float(interval.low), "rate_high": float(interval.high)}
    return found
