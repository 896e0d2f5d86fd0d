"""The healthy reference: spread and mean of the asymmetry, and the largest deviations.

The spread (a standard deviation of the regional asymmetry about zero, or about the mean where a
mean is given, in nats) lives on a small grid of *brain coordinates*, so heads of different size
share one reference. The largest deviations of healthy cases that did not enter their own spread
give family-wise p-values and thresholds (``medsym.calibration.conformal``).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE, BoolMap, from_reference
from medsym.calibration.conformal import conformal_threshold, p_values
from medsym.errors import ModelError

FloatMap = NDArray[np.float32]

#: Name of the file beside the weights.
REFERENCE_FILE = "reference.safetensors"
#: Entry of the model's manifest that holds the file's SHA-256.
REFERENCE_HASH = "reference_sha256"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviationReference:
    """Healthy spread of the asymmetry and the largest deviations of healthy cases.

    Attributes:
        spread: ``REFERENCE_SHAPE`` float32, nats, positive, symmetric under the mirror.
        maxima: ascending largest absolute deviations of healthy cases, in SD; none of them entered
            the spread that it was divided by.
        num_spread: number of healthy cases behind ``spread``.
        mean: ``REFERENCE_SHAPE`` float32, nats, antisymmetric under the mirror: the asymmetry that
            healthy people have on average; None where deviations are from zero.
    """

    spread: FloatMap
    maxima: FloatMap
    num_spread: int
    mean: FloatMap | None = None

    def sigma_on(self, brain: BoolMap) -> FloatMap:
        """Spread on the symmetric grid of a case, exactly symmetric under the mirror.

        Args:
            brain: brain mask (x, y, z) on the symmetric grid.
        """
        sigma = from_reference(self.spread.astype(np.float64), brain)
        return ((sigma + sigma[::-1]) / 2).astype(np.float32)

    def mean_on(self, brain: BoolMap) -> FloatMap | None:
        """Mean on the symmetric grid of a case, exactly antisymmetric under the mirror."""
        if self.mean is None:
            return None
        mean = from_reference(self.mean.astype(np.float64), brain)
        return ((mean - mean[::-1]) / 2).astype(np.float32)

    def threshold(self, alpha: float = 0.05) -> float | None:
        """Deviation that at most a share alpha of healthy cases reaches anywhere, in SD.

        Returns:
            None if there are too few healthy cases to say so (fewer than ``1 / alpha - 1``).
        """
        return conformal_threshold(self.maxima, alpha)

    def strictest(self, at_least: float) -> float:
        """Deviation that no healthy case reached, for when a rate is too small to be kept, SD."""
        return max(at_least, float(self.maxima.max(initial=0.0)))

    def p_values(self, deviation: NDArray[np.floating]) -> NDArray[np.float64]:
        """Family-wise p-values of deviations (any shape, SD), in (0, 1]."""
        return p_values(self.maxima, np.abs(deviation))

    def p_map(self, deviation: NDArray[np.floating]) -> FloatMap:
        """The same as a map in float32, rounded down: never above a rate that p is not above."""
        exact = self.p_values(deviation)
        near = exact.astype(np.float32)
        below = np.nextafter(near, np.float32(0.0))
        return np.asarray(np.where(near > exact, below, near), dtype=np.float32)


def save_reference(path: Path, *, reference: DeviationReference) -> None:
    """Write a reference as a safetensors file (tensors only, no code)."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {
        "spread": reference.spread,
        "maxima": reference.maxima,
        "num_spread": np.array([reference.num_spread], dtype=np.int64),
    }
    # not save_file: what that writes only its owner can read
    path.write_bytes(save(tensors, metadata={"kind": "medsym deviation reference"}))


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
