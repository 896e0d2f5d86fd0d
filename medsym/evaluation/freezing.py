"""One rule for every method: its threshold is frozen on healthy subjects before a lesion is seen.

The largest score of each of n healthy subjects of the reference split, none of which entered the
method, gives the split-conformal threshold of ``medsym.calibration.conformal``: a new exchangeable
healthy subject reaches it anywhere with probability at most alpha. So Dice, lesions found and false
alarms of all methods are compared at the same promised rate.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from medsym.calibration.conformal import conformal_threshold, fewest_cases
from medsym.errors import ConfigError
from medsym.upwards import p_text

#: A method that gives every healthy subject nothing at all still needs a positive threshold.
_SMALLEST = 1e-6


def frozen_thresholds(peaks: Mapping[str, Sequence[float]], *, alpha: float) -> dict[str, float]:
    """Threshold of every method from its largest scores in healthy subjects.

    Args:
        peaks: largest score of every healthy reference subject, by method.
        alpha: promised rate of healthy scans that reach it anywhere, in (0, 1).

    Raises:
        ConfigError: MS-380 there are too few subjects for alpha.
    """
    thresholds = {}
    for name, values in peaks.items():
        found = conformal_threshold(np.sort(np.asarray(values, dtype=np.float64)), alpha)
        if found is None:
            raise ConfigError(
                code="MS-380",
                subject="healthy reference",
                cause=f"{len(values)} subjects cannot keep a false-alarm rate of {p_text(alpha)}",
                fix=f"draw at least {fewest_cases(alpha)}",
            )
        thresholds[name] = max(found, _SMALLEST)
    return thresholds
