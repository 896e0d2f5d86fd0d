"""Certificates of single layers: exact, and independent of any input."""

from dataclasses import dataclass

from torch import nn

from medsym.symmetry.operator_norm import conv_norm
from medsym.symmetry.parametrisation import SoftKernel, soft_tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerCertificate:
    """What the weights of one softened layer say.

    Attributes:
        name: Dotted name of the layer.
        softness: Its largest softness.
        even_norm: ``|W_even|``, operator norm.
        odd_norm: ``|a W_odd|``, operator norm; the distance from the nearest symmetric layer.
    """

    name: str
    softness: float
    even_norm: float
    odd_norm: float

    @property
    def defect(self) -> float:
        """Largest defect of the layer without its bias on an input of norm 1."""
        return 2.0 * self.odd_norm


def layer_certificates(network: nn.Module) -> tuple[LayerCertificate, ...]:
    """Exact defects of all softened kernels from the weights alone, largest first.

    Convolutions whose softness varies over voxels or inputs count with their largest softness.
    """
    found = []
    layers = dict(network.named_modules())
    for tensor in soft_tensors(network):
        if not isinstance(tensor.weight, SoftKernel):
            continue
        even, odd = tensor.weight.parts(tensor.raw.double())
        layer = layers[tensor.layer]
        shape = {
            "stride": getattr(layer, "stride", 1),
            "dilation": getattr(layer, "dilation", 1),
            "groups": getattr(layer, "groups", 1),
        }
        found.append(
            LayerCertificate(
                name=tensor.layer or type(layer).__name__,
                softness=float(tensor.weight.softness.value.max()),
                even_norm=conv_norm(even, **shape),
                odd_norm=conv_norm(odd, **shape),
            )
        )
    return tuple(sorted(found, key=lambda row: -row.odd_norm))
