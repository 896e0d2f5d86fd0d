"""Instance norm written so that runtimes which add up in one long sum stay accurate.

onnxruntime's own operator adds a million float32 voxels one after the other: on a trained network
its log-odds were off by 7e-4, torch's by 4e-5. Means of means along one axis after another are the
same number and as near as torch's.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class StagedInstanceNorm(nn.Module):
    """(b, c, x, y, z) -> the same shape, as ``nn.InstanceNorm3d`` with scale and shift.

    Args:
        norm: Layer whose scale, shift and epsilon it takes over.
    """

    def __init__(self, norm: nn.InstanceNorm3d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, volume: Tensor) -> Tensor:
        """Normalise each channel of each volume."""
        centred = volume - _mean(volume)
        scale = self.weight.view(1, -1, 1, 1, 1) * torch.rsqrt(_mean(centred.square()) + self.eps)
        return centred * scale + self.bias.view(1, -1, 1, 1, 1)


def _mean(volume: Tensor) -> Tensor:
    """Mean over the voxels, (b, c, 1, 1, 1), one axis after another."""
    for dim in (4, 3, 2):
        volume = volume.mean(dim, keepdim=True)
    return volume


def with_accurate_norms(network: Model) -> Model:
    """A copy in which every instance norm with scale and shift is a :class:`StagedInstanceNorm`.

    Args:
        network: A folded network; norms with running statistics are left as they are.
    """
    changed = copy.deepcopy(network)
    for name, module in list(changed.named_modules()):
        plain = isinstance(module, nn.InstanceNorm3d) and not module.track_running_stats
        if plain and module.affine:
            parent, _, child = name.rpartition(".")
            setattr(changed.get_submodule(parent), child, StagedInstanceNorm(module))
    return changed
