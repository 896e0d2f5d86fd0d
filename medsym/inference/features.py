"""What a scan looks like in numbers that have nothing to do with where it is ill.

The test of exchangeability compares them with those of the calibration's scans. A focal lesion
should move none of them far, so that it is not mistaken for another scanner.
"""

import math

import numpy as np
from scipy.ndimage import laplace

from medsym.inference.gate import GateValues
from medsym.inference.maps import CaseMaps, regional
from medsym.volumes.prepared import PreparedScan

#: Smallest value that a logarithm is taken of.
_LEAST = 1e-9
#: Median of the absolute value of a standard normal variable.
_MEDIAN_OF_NORMAL = 0.6745


def scan_features(maps: CaseMaps, *, prepared: PreparedScan, gate: GateValues) -> dict[str, float]:
    """Features of a scan, all finite; sizes that vary by factors as logarithms.

    Args:
        maps: of the case.
        prepared: the scan on the symmetric grid.
        gate: what its assessability was judged by.

    Returns:
        log_brain_ml, coverage, brain_dice, log_hemisphere_ratio, plane_score, explained,
        log_contrast, length_over_width from the gate; log_finest_mm and log_thickest_mm, the edges
        of the scan's own voxels; log_noise, the median curvature of the intensity in the brain;
        log_tolerance, the median tolerance; log_asymmetry, the median size of the regional
        asymmetry.
    """
    domain = maps.domain
    averaged = regional(maps.asymmetry, domain=domain, spacing_mm=prepared.grid.spacing_mm)
    curvature = np.abs(laplace(prepared.brain_image.astype(np.float64)))
    noise = _median(curvature, domain) / _MEDIAN_OF_NORMAL
    values = {
        "log_brain_ml": _log(gate.brain_ml),
        "coverage": gate.coverage,
        "brain_dice": gate.brain_dice,
        "log_hemisphere_ratio": _log(gate.hemisphere_ratio),
        "plane_score": gate.plane_score,
        "explained": gate.explained,
        "log_contrast": _log(gate.contrast),
        "length_over_width": gate.length_over_width,
        "log_finest_mm": _log(min(prepared.scan.spacing_mm)),
        "log_thickest_mm": _log(max(prepared.scan.spacing_mm)),
        "log_noise": _log(noise),
        "log_tolerance": _log(_median(maps.tolerance, domain)),
        "log_asymmetry": _log(_median(np.abs(averaged), domain)),
    }
    return {name: float(value) for name, value in values.items()}


def _median(values: np.ndarray, where: np.ndarray) -> float:
    return float(np.median(values[where])) if where.any() else 0.0


def _log(value: float) -> float:
    return math.log(min(max(value, _LEAST), 1.0 / _LEAST))
