"""How often healthy people that a calibration has not seen are flagged: folds over people.

Random folds of one set of people are exchangeable whatever the people are like, so the shares have
to come out near the promised rates: they check the code and the number of people, not whether new
scans will be like these. The outcomes share calibrations and are not independent; no interval and
no test of uniformity is given, for the usual ones would be wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.building import build_calibration
from medsym.calibration.checks import CalibrationSettings, check_folds
from medsym.calibration.conformal import fewest_cases, p_values
from medsym.calibration.people import HealthyScan, by_person

#: Rates that are looked at.
ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5)
_SEED = 0

Numbers = dict[str, Any]


def cross_validate(
    scans: Sequence[HealthyScan],
    settings: CalibrationSettings,
    *,
    folds: int,
    model: Mapping[str, str],
) -> Numbers:
    """Calibrate on some people and judge the others, fold by fold.

    Args:
        scans: of healthy people.
        settings: of the calibration.
        folds: number of folds, 2 or more; as many as people leaves one out at a time.
        model: of the calibration.

    Returns:
        people; folds; rows, each with alpha, judged (people), flagged (any scan of theirs), share,
        abstained (people whose group was too small); and of how many people the first scan was
        tested for exchangeability and warned of.

    Raises:
        ConfigError: MS-508 fewer people than folds.
    """
    people = by_person(scans)
    check_folds(folds, people=len(people))
    order = np.random.default_rng(_SEED).permutation(len(people))
    names = list(people)
    outcomes: list[_Outcome] = []
    for fold in range(folds):
        held = {names[i] for i in order[fold::folds]}
        kept = [scan for scan in scans if scan.person not in held]
        outcomes += _judged({p: people[p] for p in held}, kept, settings, model=model)
    return {
        "people": len(people),
        "folds": folds,
        "rows": [_row(outcomes, alpha) for alpha in ALPHAS],
        "tested_for_shift": sum(outcome[1] is not None for outcome in outcomes),
        "warned_of_shift": sum(bool(outcome[1]) for outcome in outcomes),
    }


#: Maxima and score of a person's worst scan, whether the first was warned of (None: not tested).
_Outcome = tuple[tuple[NDArray[np.floating], float] | None, bool | None]


def _judged(
    held: Mapping[str, Sequence[HealthyScan]],
    kept: Sequence[HealthyScan],
    settings: CalibrationSettings,
    *,
    model: Mapping[str, str],
) -> list[_Outcome]:
    """One outcome per held-out person, by the scan that deviates most."""
    calibration = build_calibration(kept, settings, model=model, test_mean=False)
    outcomes: list[_Outcome] = []
    for scans in held.values():
        worst: tuple[NDArray[np.floating], float] | None = None
        least, warned = 2.0, None
        for number, scan in enumerate(scans):
            found = calibration.compare(scan.covariates, alpha=0.5)
            use = calibration.judge(found.use, features=scan.features)
            if use.exchangeability and number == 0:  # the test promises its rate for one scan
                warned = use.warning is not None
            if use.reason:
                continue
            mean, maxima = found.reference.mean, found.reference.maxima
            score = scan.largest_deviation(found.reference.spread, mean=mean)
            own = float(p_values(maxima, np.array([score]))[0])
            if own < least:
                worst, least = (maxima, score), own
        outcomes.append((worst, warned))
    return outcomes


def _row(outcomes: Sequence[_Outcome], alpha: float) -> Numbers:
    judged = [o[0] for o in outcomes if o[0] and o[0][0].size >= fewest_cases(alpha)]
    p = np.array([p_values(maxima, np.array([score]))[0] for maxima, score in judged])
    flagged = int((p <= alpha).sum())
    row: Numbers = {"alpha": alpha, "judged": len(judged), "flagged": flagged}
    row["abstained"] = len(outcomes) - len(judged)
    row["share"] = flagged / len(judged) if judged else None
    return row
