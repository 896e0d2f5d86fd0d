"""What a certificate knows about a tensor: how far the same tensor of another pass can be.

A certificate follows two passes at once, of which only one is run. With the mirror they are the
network f and its mirror twin ``S f S``, whose features are ``S h(S x)``; their distance at the
output is the defect. With softness they are the network at two softnesses. Distances are 2-norms
over all channels and voxels of one sample, in float64, rounded up.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.walk import Call

_UP = 1.0 + 1e-12  # covers the float64 rounding of one rule
_STATISTICS = 64.0  # roundings of a mean or a variance: torch sums pairwise or in float64
_FUNCTION = 8.0  # roundings of an elementary function, in units in the last place


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Upper bounds on the distance between the same tensor of two passes.

    Attributes:
        action: How the mirror acts on the channels of this tensor.
        error: (b,), for this input, without rounding; linear in the softness gap when two
            softnesses are compared.
        rounding: (b,), what the arithmetic of both passes can have added.
        error_any: For every input within the radius, rounding included.
        magnitude: Largest norm of the tensor for every input within the radius.
    """

    action: ChannelAction
    error: Tensor
    rounding: Tensor
    error_any: float
    magnitude: float

    @property
    def total(self) -> Tensor:
        """(b,): error + rounding."""
        return self.error + self.rounding

    def through(
        self,
        *,
        gain: Tensor | float,
        source: Tensor | float = 0.0,
        rounding: Tensor | float = 0.0,
        gain_any: float | None = None,
        source_any: float = 0.0,
        rounding_any: float = 0.0,
        magnitude: float,
        cap: float | None = None,
        action: ChannelAction | None = None,
    ) -> "Gap":
        """The gap behind a function that stretches distances by at most ``gain``.

        Args:
            gain: For this input, (b,) or one number.
            source: What the two passes do differently here, measured on this input, (b,).
            rounding: What the arithmetic of both passes adds here, (b,).
            gain_any: The same three for every input; the gain is ``gain`` if None.
            source_any: See ``gain_any``.
            rounding_any: See ``gain_any``.
            magnitude: Largest norm of the output for every input.
            cap: No two outputs of the function are further apart (before the source).
            action: Channel action of the output if it differs.
        """
        limit = float("inf") if cap is None else cap
        error = (self.error * gain).clamp(max=limit)
        carried = (self.rounding * gain).minimum(limit - error) if cap else self.rounding * gain
        factor = gain_any if gain_any is not None else float(torch.as_tensor(gain).max())
        return Gap(
            action=action or self.action,
            error=(error + source) * _UP,
            rounding=(carried + rounding) * _UP,
            error_any=(min(self.error_any * factor, limit) + source_any + rounding_any) * _UP,
            magnitude=magnitude * _UP,
        )

    def with_rounding(self, unit: float, output: Tensor) -> "Gap":
        """This gap when the output was rounded once per voxel in each pass.

        Args:
            unit: Relative rounding of one operation.
            output: What came out, (b, ...).
        """
        floor = 2.0 * underflow(output)
        return replace(
            self,
            rounding=self.rounding + unit * (2.0 * size(output) + self.total) + floor,
            error_any=self.error_any + 2.0 * unit * self.magnitude + floor,
            magnitude=self.magnitude * (1.0 + unit) + floor,
        )


def size(tensor: Tensor) -> Tensor:
    """2-norm of every sample, (b,), float64, rounded up."""
    flat = tensor.detach().double().flatten(1)
    largest = flat.abs().amax(1, keepdim=True).clamp_min(1e-300)  # squares must not underflow
    norms: Tensor = torch.linalg.vector_norm(flat / largest, dim=1) * largest.squeeze(1)
    return norms * (1.0 + 1e-10)


def unit_rounding(output: Tensor) -> float:
    """Machine epsilon (twice the unit roundoff) of the arithmetic that made a tensor.

    Convolutions on CUDA count as TF32 and matrix products as bfloat16 where torch is allowed to
    use them.

    Raises:
        ModelError: MS-262, a half-width format, whose underflow no relative error covers.
    """
    if output.dtype not in (torch.float32, torch.float64):
        raise ModelError(
            code="MS-262",
            subject="network",
            cause=f"it computes in {output.dtype}",
            fix="certify it in float32 or float64, without autocast",
        )
    if output.dtype == torch.float32:
        if torch.get_float32_matmul_precision() != "highest":
            return 2.0**-7
        if output.is_cuda and torch.backends.cudnn.allow_tf32:
            return 2.0**-10
    return float(torch.finfo(output.dtype).eps)


def underflow(output: Tensor, terms: float = 1.0) -> float:
    """Norm of what an output can lose below the normal numbers, ``terms`` operations per entry."""
    return terms * float(torch.finfo(output.dtype).tiny) * math.sqrt(output[0].numel())


def statistics_rounding(output: Tensor) -> float:
    """Relative rounding of a normalised value."""
    return _STATISTICS * unit_rounding(output)


def function_rounding(output: Tensor) -> float:
    """Relative rounding of an elementary function."""
    return _FUNCTION * unit_rounding(output)


def known(call: Call[Gap], tensor: object) -> Gap:
    """The gap of an argument that must come from the input.

    Raises:
        ModelError: MS-220, it is a constant or no tensor.
    """
    gap = call.fact(tensor) if isinstance(tensor, Tensor) else None
    if gap is None:
        raise call.refuse(
            "an operand that does not come from the input stands where features are expected",
            "make it a bias, or treat the network as a whole by two passes",
        )
    return gap


def volume_argument(call: Call[Gap]) -> tuple[Tensor, Gap]:
    """The first argument, a batch of volumes (b, c, x, y, z), and its gap."""
    tensor = call.argument(0, "input")
    gap = known(call, tensor)
    if tensor.ndim != 5:
        raise call.refuse(f"input of shape {tuple(tensor.shape)}", "use volumes (b, c, x, y, z)")
    return tensor, gap
