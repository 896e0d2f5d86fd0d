"""Is a new scan like those of the calibration? A conformal test on features of its quality.

A p-value of a deviation means something only if the scan is exchangeable with the healthy ones.
Lesions aside, it should look like them: noise, voxel size, agreement of the masks and so on. The
score is the Mahalanobis distance from the mean of all of them *and the scan itself*, with a
covariance shrunk as Ledoit and Wolf do (J. Multivariate Anal. 88:365, 2004; scikit-learn). Because
the scan takes part like any other, the p-value is exact for exchangeable people: the warning comes
for at most ``WARNING_RATE`` of the scans like those of the calibration. A new scan is one scan, so
each person takes part with one scan too, chosen without looking at the features: with all scans of
a person, the others would pull the mean towards them and the new scan would stand out. Silence
proves nothing: it sees what the features see.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.comparison import Exchangeability
from medsym.calibration.conformal import fewest_cases, p_values

#: Share of exchangeable scans that get the warning.
WARNING_RATE = 0.05
#: A feature that varies less than this share of its size does not vary.
_LEAST_SPREAD = 1e-9

Table = NDArray[np.float64]


def exchangeability(
    table: Table, owners: NDArray[np.integer], *, scan: NDArray[np.floating], names: Sequence[str]
) -> Exchangeability | None:
    """Test whether a scan looks like those of the calibration.

    Args:
        table: (s, d) features of its scans.
        owners: (s,) whose scan each row is; the first row of each person counts. Rows are in the
            order of the scans' hashes, which says nothing about the features.
        scan: (d,) features of the new scan.
        names: of the features.

    Returns:
        None if there are too few people for ``WARNING_RATE``.
    """
    people, first = np.unique(owners, return_index=True)
    if people.size < fewest_cases(WARNING_RATE):
        return None
    one_each = table[first]
    distances = _distances(_standardised(np.vstack([one_each, scan])))
    p = float(p_values(np.sort(distances[:-1]), distances[-1:])[0])
    warning = None if p > WARNING_RATE else _sentence(one_each, scan, names)
    return Exchangeability(p_value=p, false_alarm_rate=WARNING_RATE, warning=warning)


def feature_row(features: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    """(d,) features in the order of the names.

    Raises:
        KeyError: A feature is missing.
    """
    return np.array([features[name] for name in names], dtype=np.float64)


def _standardised(rows: Table) -> Table:
    """Columns with mean 0 and deviation 1; columns that do not vary are left out."""
    spread = rows.std(axis=0)
    kept = spread > _LEAST_SPREAD * (1.0 + np.abs(rows).max(axis=0))
    return np.asarray((rows[:, kept] - rows[:, kept].mean(axis=0)) / spread[kept])


def _distances(scaled: Table) -> NDArray[np.float64]:
    """(s,) squared Mahalanobis distances; 0 if nothing varies."""
    from sklearn.covariance import ledoit_wolf

    if not scaled.shape[1]:
        return np.zeros(scaled.shape[0])
    covariance, _ = ledoit_wolf(scaled, assume_centered=True)
    solved = np.linalg.solve(covariance, scaled.T)
    return np.asarray((scaled * solved.T).sum(axis=1))


def _sentence(table: Table, scan: NDArray[np.floating], names: Sequence[str]) -> str:
    spread = np.maximum(table.std(axis=0), _LEAST_SPREAD * (1.0 + np.abs(table).max(axis=0)))
    away = (scan - table.mean(axis=0)) / spread
    worst = int(np.abs(away).argmax())
    size = min(abs(float(away[worst])), 99.0)
    direction = "above" if away[worst] > 0 else "below"
    return (
        f"the scan is unlike those of the calibration (most of all {names[worst]}, {size:.1f} SD "
        f"{direction} theirs): its p-value may not hold"
    )
