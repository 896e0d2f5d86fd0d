"""Contralateral exchange: features meet the features of the other side.

A reader compares a place with its mirror place, allowing for folds that do not match voxel by
voxel. Here the features h meet ``S h`` (what the mirrored scan would show at this place), either
voxel by voxel or by attention over a small window of mirrored places, and the difference ``h -
match`` travels on with h. S commutes with itself and the window is symmetric, so the exchange is
exactly equivariant.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.nn.layers import MirrorConv3d
from medsym.nn.window_match import window_match
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.softness import Softness


class ContralateralExchange(nn.Module):
    """(b, c, x, y, z) -> (b, c, x, y, z): mixes h with its difference from the other side.

    Args:
        action: Channel action of the features, a permutation.
        radius: Window of mirrored places in voxels; 0 compares voxel by voxel.
        match_action: Channel action of the low-dimensional keys that the window is matched on.
        softness: Of its convolutions; None is exact.
    """

    def __init__(
        self,
        action: ChannelAction,
        *,
        radius: int = 0,
        match_action: ChannelAction | None = None,
        softness: Softness | None = None,
    ) -> None:
        super().__init__()
        self.action = action
        self.radius = radius
        self.match_action = match_action or ChannelAction.regular(4)
        self.mix = MirrorConv3d(action + action, action, kernel_size=1, softness=softness)
        if radius:
            self.key: nn.Module = MirrorConv3d(
                action, self.match_action, kernel_size=1, softness=softness
            )
            self.sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Residual exchange: h + mix([h, h - match])."""
        pair = torch.cat([features, features - self._opposite(features)], dim=1)
        mixed: Tensor = self.mix(pair)
        return features + mixed

    def _opposite(self, features: Tensor) -> Tensor:
        """What is compared with h: S h, or its match in the window."""
        other = mirror(features, self.action)
        if not self.radius:
            return other
        match = self._match(features, other)  # in float32 or wider
        autocast = torch.is_autocast_enabled(features.device.type)
        return match if autocast else match.to(features.dtype)

    def _match(self, features: Tensor, other: Tensor) -> Tensor:
        """Attention over the window: sum_o softmax_o(-s |k(v) - k'(v+o)|^2) S h(v + o)."""
        keys = self.key(features)
        return window_match(
            keys,
            mirror(keys, self.match_action),
            other,
            F.softplus(self.sharpness),
            radius=self.radius,
        )
