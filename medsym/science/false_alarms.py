"""The promised rate of false alarms beside the realised one, on healthy subjects.

For every nominal alpha the threshold is the one that the model's folder gives for it; a healthy
subject is flagged if its largest deviation reaches that anywhere. (A listed finding also has to lie
beyond the bound and to fill 0.1 ml, so no more scans show one.)
"""

from collections.abc import Sequence

import numpy as np

from medsym.calibration.reference import DeviationReference
from medsym.evaluation.columns import proportion
from medsym.science.intervals import Numbers

ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def calibration_curve(reference: DeviationReference, peaks: Sequence[float]) -> Numbers:
    """Share of healthy subjects that is flagged at every nominal rate.

    Args:
        reference: of the model.
        peaks: largest deviation of each healthy subject, SD; none of them entered the reference.

    Returns:
        subjects; their peaks; calibration_cases, the healthy cases behind the threshold; points,
        each with alpha, threshold (None where those are too few to promise alpha) and flagged
        (share with its exact interval).
    """
    values = np.asarray(peaks, dtype=np.float64)
    points: list[Numbers] = []
    for alpha in ALPHAS:
        threshold = reference.threshold(alpha)
        if threshold is None:
            points.append({"alpha": alpha, "threshold": None, "flagged": None})
            continue
        hits = int((values >= threshold).sum())
        flagged = proportion(hits, values.size)
        points.append({"alpha": alpha, "threshold": threshold, "flagged": flagged})
    return {
        "subjects": int(values.size),
        "peaks": values.tolist(),
        "calibration_cases": int(reference.maxima.size),
        "points": points,
    }
