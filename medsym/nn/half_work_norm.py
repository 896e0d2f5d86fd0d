"""Layer norm for channels of trivial and sign type.

An ordinary layer norm subtracts one mean over all channels, which mixes the types: 56 % defect.
Here each type has its own mean (that of the sign channels changes sign with them), the variance
is joint, and sign channels get no bias ("LayerNorm2v2" of Boekman, Nordstroem, Kahl, "Flopping
for FLOPs", arXiv 2502.05169).
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import attach
from medsym.symmetry.soft_weight import SoftVector
from medsym.symmetry.softness import Softness


class MirrorLayerNorm3d(nn.Module):
    """Normalises (b, c, x, y, z) over the channels of each voxel.

    Args:
        action: Trivial and sign channels in any order; none swap.
        softness: Of scale and shift; None is exact.
        eps: Added to the variance.

    Raises:
        ModelError: MS-217, channels that swap.
    """

    averages: Tensor

    def __init__(
        self, action: ChannelAction, *, softness: Softness | None = None, eps: float = 1e-5
    ) -> None:
        super().__init__()
        if action.perm != tuple(range(action.channels)):
            raise ModelError(
                code="MS-217",
                subject="MirrorLayerNorm3d",
                cause="the mirror swaps some of its channels",
                fix="give trivial and sign channels, or use MirrorInstanceNorm3d",
            )
        self.action_in = self.action_out = action
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(action.channels))
        self.bias = nn.Parameter(torch.zeros(action.channels))
        shared = Softness() if softness is None else softness
        attach(self, "weight", SoftVector(action, shared, signed=False))
        attach(self, "bias", SoftVector(action, shared))
        signs = torch.tensor(action.signs)
        same = (signs[:, None] == signs[None, :]).float()
        self.register_buffer("averages", same / same.sum(dim=1, keepdim=True), persistent=False)

    def forward(self, volume: Tensor) -> Tensor:
        """Subtract the mean of each type, divide by the joint standard deviation, scale, shift."""
        flat = volume.flatten(2)
        centred = flat - torch.matmul(self.averages.to(flat.dtype), flat)
        spread = (centred.square().mean(dim=1, keepdim=True) + self.eps).rsqrt()
        scaled = centred * spread * self.weight[:, None] + self.bias[:, None]
        return scaled.view(volume.shape)
