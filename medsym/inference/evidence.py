r"""Evidence, asymmetry and the bound on what the model itself may have added.

The pathology logit is ``f = e + o`` with an equivariant part ``e`` (``e(Sx) = S e(x)``) and a
bounded anti-equivariant part ``o = t tanh(r)`` (``o(Sx) = -S o(x)``, ``|o| <= t``). Evidence is
``phi(f)`` with the monotone, 1-Lipschitz ``phi(f) = softplus(f - prior)``.

Let ``F = phi(f)``. The asymmetry ``A = F - S F`` splits exactly into what the scan contributes and
the defect ``E`` of the model:

    A(x) = [F(x) - F(Sx)] + E(x),      E(x) = F(Sx) - S F(x) = S[phi(e - o) - phi(e + o)](x).

``phi`` is monotone and ``|o| <= t``, hence at every voxel ``|E| <= S[phi(e + t) - phi(e - t)]``.
Where ``|A|`` is larger than that, the scan differs from its mirror. In floating point ``e`` and
``t`` are known only up to rounding; the bound therefore takes an interval for ``e`` (see
``passes.py``) and is widened by the rounding of its own evaluation.
"""

import math

from torch import Tensor
from torch.nn.functional import softplus

from medsym.models.store import LoadedModel
from medsym.symmetry.mirror import flip

#: Log odds of a voxel to be pathological before looking: 1 in 100 brain voxels. Origin: stroke
#: masks of tens of millilitres in brains of 1100 to 1500 ml. A model's manifest overrides it.
DEFAULT_PRIOR_LOGIT = math.log(0.01 / 0.99)

#: Relative widening for the float64 evaluation of the bound and its storage as float32: one
#: rounding to float32 (2^-24) and a few hundred ulps of float64 for softplus and differences.
STORAGE_SLACK = 2.0**-23

#: Absolute widening (nats) for the same reason where the bound is nearly zero.
STORAGE_SLACK_NATS = 1e-9


def prior_logit_of(model: LoadedModel) -> float:
    """Log odds of pathology before looking, as the model was trained with."""
    prior = model.network.settings.pathology_prior
    return math.log(prior / (1.0 - prior))


def evidence(logit: Tensor, *, prior_logit: float = DEFAULT_PRIOR_LOGIT) -> Tensor:
    """Evidence of pathology in nats above the prior odds: ``softplus(logit - prior)``.

    Args:
        logit: pathology logit, any shape.
        prior_logit: log odds before looking.

    Returns:
        Values >= 0, monotone in the logit; about 0 below the prior, linear above it.

    Example:
        >>> import torch
        >>> evidence(torch.tensor([0.0]), prior_logit=0.0)
        tensor([0.6931])
    """
    return softplus(logit - prior_logit)


def asymmetry(values: Tensor) -> Tensor:
    """``A = values - S values`` for ``(..., x, y, z)``: exactly antisymmetric, also in floats."""
    return values - flip(values)


def defect(values: Tensor, *, of_mirrored: Tensor) -> Tensor:
    """Measured defect ``F(Sx) - S F(x)``.

    Args:
        values: ``F(x)``, shape (..., x, y, z).
        of_mirrored: ``F(Sx)``, the map computed from the mirrored scan, same shape.
    """
    return of_mirrored - flip(values)


def bound(
    even_low: Tensor,
    even_high: Tensor,
    *,
    tolerance: Tensor,
    prior_logit: float = DEFAULT_PRIOR_LOGIT,
) -> Tensor:
    """Upper bound on ``|defect of the evidence map|`` per voxel, in nats.

    Args:
        even_low: lower end of an interval that holds ``e(x)`` and ``S e(Sx)`` as executed.
        even_high: upper end of it, same shape (..., x, y, z).
        tolerance: ``t >= 0``, at least as large as executed for the scan and for its mirror.
        prior_logit: as given to ``evidence``.

    Returns:
        float64 values >= 0 that stay upper bounds when stored as float32.
    """
    high = evidence(even_high.double() + tolerance.double(), prior_logit=prior_logit)
    low = evidence(even_low.double() - tolerance.double(), prior_logit=prior_logit)
    width = flip(high - low)
    return width * (1.0 + STORAGE_SLACK) + high.abs().amax() * STORAGE_SLACK + STORAGE_SLACK_NATS
