"""Where in a network a small motion of the input stops being followed, layer by layer.

One pass with forward derivatives: the input moves at the rate X x, so every layer's output h
moves at a known rate, and ``|dh/dt - X h| / |X h|`` says how far it is from moving along (Gruver
et al., arXiv 2210.02984, who find aliasing at pointwise non-linearities and strides to be the
main cause). X acts on each layer's own grid.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from medsym.audit.feature_layout import layout_of
from medsym.audit.layers import evaluating, relative_size, watched_modules
from medsym.symmetry.lie_derivative import Motion, generator
from medsym.symmetry.mirror import spatial_dim


def layer_motion(network: nn.Module, volume: Tensor, motion: Motion) -> Mapping[str, float]:
    """How far each layer is from following a motion of the input: 0 follows, 1 ignores it.

    Args:
        network: Any network; run in evaluation mode and left as it was.
        volume: x, (b, c, x, y, z); smooth (see ``lie_derivative.smoothed``).
        motion: One shift or tilt.

    Returns:
        Share by path of the layer, in the order of the pass; empty if some function of the
        network has no forward derivative.
    """
    shares: dict[str, float] = {}

    def watch(path: str, module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or path in shares:
            return
        layout = layout_of(output, module, batch=volume.shape[0], grid=volume.shape[2:])
        if layout is None:
            return
        dual = forward_ad.unpack_dual(output)
        values = layout.volume(dual.primal)
        rate = torch.zeros_like(values) if dual.tangent is None else layout.volume(dual.tangent)
        dim = spatial_dim(motion.axis)
        scale = values.shape[dim] / volume.shape[dim]
        moved = generator(values, motion, voxels_per_unit=scale)
        if bool(moved.any()):  # a grid of one voxel sees no motion
            shares[path] = relative_size(rate - moved, moved)

    with evaluating(network), torch.no_grad(), ExitStack() as stack:
        for path, module in watched_modules(network):
            stack.callback(module.register_forward_hook(partial(watch, path)).remove)
        stack.enter_context(forward_ad.dual_level())
        try:
            network(forward_ad.make_dual(volume, generator(volume, motion)))
        except (NotImplementedError, RuntimeError) as error:
            if "forward" not in str(error).lower():
                raise
            return {}
    return shares
