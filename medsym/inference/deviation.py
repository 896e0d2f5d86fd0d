"""Deviation against healthy people: the spread of the asymmetry, kept with the model's weights.

The spread (a standard deviation about zero of the regional asymmetry, in nats) lives on a small
grid of *brain coordinates*: x from the mid-plane outwards, y and z from the middle of the brain,
each divided by half the extent of the brain. So heads of different size share one reference. The
largest deviation of healthy cases that did not enter the spread gives a family-wise threshold:
with n of them, the finite-sample (split-conformal) quantile at level alpha is the ceil((n + 1)(1
- alpha))-th smallest maximum, and a new exchangeable healthy case exceeds it anywhere with
probability at most alpha (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
2005). Healthy here means the cases given to ``build_reference``; the promise does not carry over
to scans unlike them.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from medsym.errors import ModelError
from medsym.inference.brain_coordinates import REFERENCE_SHAPE, from_reference, to_reference
from medsym.inference.evidence import DEFAULT_PRIOR_LOGIT
from medsym.inference.maps import BoolMap, FloatMap, MapRequest, compute_maps, regional

#: Name of the file beside the weights.
REFERENCE_FILE = "reference.safetensors"
#: Entry of the model's manifest that holds the file's SHA-256.
REFERENCE_HASH = "reference_sha256"
#: Gaussian smoothing of the variance, in reference voxels: neighbours share their few cases.
SMOOTHING_VOXELS = 1.5
#: The spread is never below this share of the root mean square over the brain: a place where few
#: healthy cases happened to be quiet must not turn noise into a large deviation. Measured with the
#: shipped network by `medsym evaluate --synthetic` on 150 subjects, 0.5 against 1: AUPRC 0.456 and
#: 0.478, false alarms on healthy ones 19 and 24; on 26 scans of elderly people none with either.
FLOOR_SHARE = 1.0
#: ... nor below this many nats, the size of evidence that nobody would act on.
FLOOR_NATS = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviationReference:
    """Healthy spread of the asymmetry and the largest deviations of healthy cases.

    Attributes:
        spread: ``REFERENCE_SHAPE`` float32, nats, positive, symmetric under the mirror.
        maxima: ascending largest absolute deviations of held-out healthy cases, in SD.
        num_spread: number of healthy cases behind ``spread``.
    """

    spread: FloatMap
    maxima: FloatMap
    num_spread: int

    def sigma_on(self, brain: BoolMap) -> FloatMap:
        """Spread on the symmetric grid of a case, exactly symmetric under the mirror.

        Args:
            brain: brain mask (x, y, z) on the symmetric grid.
        """
        sigma = from_reference(self.spread.astype(np.float64), brain)
        return ((sigma + sigma[::-1]) / 2).astype(np.float32)

    def threshold(self, alpha: float = 0.05) -> float | None:
        """Deviation that at most a share alpha of healthy cases exceeds anywhere, in SD.

        Returns:
            None if there are too few healthy cases to say so (fewer than ``1 / alpha - 1``).
        """
        return conformal_threshold(self.maxima, alpha)

    def strictest(self, at_least: float) -> float:
        """Deviation that no healthy case reached, for when a rate is too small to be kept, SD."""
        return max(at_least, float(self.maxima.max(initial=0.0)))


def conformal_threshold(maxima: NDArray[np.floating], alpha: float) -> float | None:
    """The ceil((n + 1)(1 - alpha))-th smallest of n maxima; None if n is too small for alpha.

    Args:
        maxima: ascending largest scores of healthy cases that entered nothing else.
        alpha: share of new exchangeable healthy cases that may exceed it, in (0, 1).
    """
    rank = math.ceil((maxima.size + 1) * (1.0 - alpha))
    return None if rank > maxima.size else float(maxima[max(rank, 1) - 1])


def spread_from_moments(squares: NDArray[np.float64], weights: NDArray[np.float64]) -> FloatMap:
    """Smoothed, floored, mirror-symmetric spread from summed squares and summed weights.

    Args:
        squares: sum over cases of the squared asymmetry (nats^2) on the reference grid.
        weights: sum over cases of the share of each reference voxel inside the brain.
    """
    squares, weights = (values + values[::-1] for values in (squares, weights))
    overall = math.sqrt(float(squares.sum()) / max(float(weights.sum()), 1e-12))
    smooth_squares = gaussian_filter(squares, SMOOTHING_VOXELS)
    smooth_weights = gaussian_filter(weights, SMOOTHING_VOXELS)
    known = smooth_weights > 1e-3 * max(float(smooth_weights.max()), 1e-12)
    local = np.sqrt(np.where(known, smooth_squares / np.where(known, smooth_weights, 1.0), 0.0))
    spread = np.maximum(np.where(known, local, overall), max(FLOOR_SHARE * overall, FLOOR_NATS))
    return ((spread + spread[::-1]) / 2).astype(np.float32)


def build_reference(
    network: nn.Module,
    cases: Iterable[tuple[FloatMap, BoolMap]],
    *,
    mirror_classes: Sequence[int],
    spacing_mm: float,
    num_spread: int,
    prior_logit: float = DEFAULT_PRIOR_LOGIT,
) -> DeviationReference:
    """Estimate the healthy spread and the threshold maxima from healthy cases.

    Args:
        network: the trained network, as it will be shipped.
        cases: healthy cases as (image, brain): the image normalised inside the brain and 0
            outside, exactly as ``analyse_scan`` feeds it; both (x, y, z).
        mirror_classes: mirror partner of each anatomy class.
        spacing_mm: edge of a voxel of the cases, as ``analyse_scan`` uses it.
        num_spread: the first so many cases make the spread, all later ones the maxima.
        prior_logit: log odds before looking, as used at inference.
    """
    squares, weights = np.zeros(REFERENCE_SHAPE), np.zeros(REFERENCE_SHAPE)
    maxima: list[float] = []
    reference = None
    for number, (image, brain) in enumerate(cases):
        request = MapRequest(
            spacing_mm=spacing_mm,
            brain=brain,
            coverage=np.ones_like(brain),
            mirror_classes=mirror_classes,
            prior_logit=prior_logit,
        )
        maps, _ = compute_maps(network, image, request=request)
        averaged = regional(maps.asymmetry, domain=maps.domain, spacing_mm=spacing_mm)
        if number < num_spread:
            squares += to_reference(averaged**2, brain)
            weights += to_reference(maps.domain.astype(np.float64), brain)
            continue
        if reference is None:
            reference = spread_from_moments(squares, weights)
        sigma = _reference(reference, maxima=[], num_spread=num_spread).sigma_on(brain)
        maxima.append(float(np.abs(averaged / sigma).max()))
    spread = spread_from_moments(squares, weights) if reference is None else reference
    return _reference(spread, maxima=maxima, num_spread=num_spread)


def _reference(spread: FloatMap, *, maxima: Sequence[float], num_spread: int) -> DeviationReference:
    ordered = np.sort(np.asarray(maxima, dtype=np.float32))
    return DeviationReference(spread=spread, maxima=ordered, num_spread=num_spread)


def save_reference(path: Path, *, reference: DeviationReference) -> None:
    """Write a reference as a safetensors file (tensors only, no code)."""
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {
        "spread": reference.spread,
        "maxima": reference.maxima,
        "num_spread": np.array([reference.num_spread], dtype=np.int64),
    }
    save_file(tensors, path, metadata={"kind": "medsym deviation reference"})


def load_reference(path: Path, *, sha256: str | None = None) -> DeviationReference:
    """Read a reference and check it.

    Args:
        path: of the file.
        sha256: hash that the file has to have; None where a manifest states none.

    Raises:
        ModelError: MS-305 if the file is missing, unreadable, another one, or no healthy reference.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    fix = "use a complete model folder, or train again: training writes this file"
    try:
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            cause = "the healthy reference does not have the hash that the manifest states"
            raise ModelError(code="MS-305", subject=path.name, cause=cause, fix=fix)
        tensors = load(content)
        reference = DeviationReference(
            spread=tensors["spread"].astype(np.float32),
            maxima=np.sort(tensors["maxima"].astype(np.float32)),
            num_spread=int(tensors["num_spread"][0]),
        )
    except (OSError, SafetensorError, KeyError, IndexError) as error:
        cause = "the healthy reference of the model cannot be read"
        raise ModelError(code="MS-305", subject=path.name, cause=cause, fix=fix) from error
    spread = reference.spread
    sound = spread.shape == REFERENCE_SHAPE and bool(np.isfinite(spread).all())
    if not (sound and spread.min() > 0 and np.array_equal(spread, spread[::-1])):
        cause = "the healthy reference of the model is not a positive mirror-symmetric map"
        raise ModelError(code="MS-305", subject=path.name, cause=cause, fix=fix)
    return reference
