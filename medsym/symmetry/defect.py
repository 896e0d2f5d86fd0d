"""Measured defect: how far a function really is from commuting with the mirror."""

from collections.abc import Callable

from torch import Tensor, nn

from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parametrisation import SoftKernel, parametrisation
from medsym.symmetry.parts import split_vector


def measured_defect(
    function: Callable[[Tensor], Tensor],
    volume: Tensor,
    *,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
) -> Tensor:
    """E(x) = f(S x) - S f(x), voxel by voxel, by two passes; lower is more symmetric.

    Args:
        function: Maps (b, c, x, y, z) to (b, c', x, y, z).
        volume: The input x.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None.

    Returns:
        The defect, in the units and the shape of the output.
    """
    return function(mirror(volume, action_in)) - mirror(function(volume), action_out)


def relative_defect(
    function: Callable[[Tensor], Tensor],
    volume: Tensor,
    *,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
) -> float:
    """|E(x)| / |f(x)| in the 2-norm; 0 is exact, 2 is the largest possible."""
    defect = measured_defect(function, volume, action_in=action_in, action_out=action_out)
    return float((defect.norm() / function(volume).norm().clamp_min(1e-30)).detach())


def layer_defect(layer: nn.Conv3d, volume: Tensor) -> Tensor:
    """Exact defect of one softened convolution from its weights: ``-2 a S (W_odd x + b_odd)``.

    Raises:
        ModelError: The layer was not softened.
    """
    kernel, raw = parametrisation(layer, "weight")
    assert isinstance(kernel, SoftKernel)
    _, odd = kernel.parts(raw)
    bias = None
    if layer.bias is not None:
        _, raw_bias = parametrisation(layer, "bias")
        bias = layer.bias - split_vector(raw_bias, kernel.action_out)[0]
    out = layer._conv_forward(volume, odd, bias)  # noqa: SLF001  # with the layer's padding mode
    return -2.0 * mirror(out, kernel.action_out)
