"""Whether a network keeps its own bound: the defect of every voxel against 2 S t."""

from dataclasses import dataclass

from torch import Tensor

from medsym.inference.passes import SINGLE_PASS_MARGIN


@dataclass(frozen=True, kw_only=True, slots=True)
class Compliance:
    """Measured defect against the bound that the tolerance gives.

    Attributes:
        within: Share of voxels with ``|E| <= 2 S t``, without any allowance, in [0, 1].
        within_rounding: The same with the margin for rounding that inference assumes.
        largest_excess: Largest ``|E| - 2 S t``, units of the output; below 0 if none exceeds it.
        tightness: Largest ``|E|`` over the bound at its place, among voxels whose bound exceeds
            the margin; near 1 the bound is used up, near 0 it is loose. None if no bound does.
        tightness_median: The median of the same ratio.
    """

    within: float
    within_rounding: float
    largest_excess: float
    tightness: float | None
    tightness_median: float | None


def compliance_of(defect: Tensor, bound: Tensor, *, value: Tensor) -> Compliance:
    """Compare a defect with its bound.

    Args:
        defect: E = f(S x) - S f(x), (b, c, x, y, z).
        bound: 2 S t, same shape.
        value: S f(x), for the size of its rounding: ``SINGLE_PASS_MARGIN * (1 + |f|)``.
    """
    size, limit = defect.double().abs(), bound.double()
    margin = SINGLE_PASS_MARGIN * (1.0 + value.double().abs())
    wide = limit > margin
    ratio = size[wide] / limit[wide] if bool(wide.any()) else None
    return Compliance(
        within=float((size <= limit).double().mean()),
        within_rounding=float((size <= limit + margin).double().mean()),
        largest_excess=float((size - limit).max()),
        tightness=float(ratio.max()) if ratio is not None else None,
        tightness_median=float(ratio.median()) if ratio is not None else None,
    )
