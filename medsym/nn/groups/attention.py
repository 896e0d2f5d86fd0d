"""Attention over group elements: every place attends to the places that the group sends it to.

Features h meet ``g h``, what the transformed volume would show here, for every element g; with
keys k (an equivariant projection of h) the match is

    m = sum_g softmax_g(beta_g - s |k - g k|^2) g h,

and the mix of h with h - m travels on. It is equivariant because a change of the volume by g0
turns the terms into each other, ``g g0 = g0 (g0^-1 g g0)``: the distance |k - g k| does not see
rho(g0), and beta is constant on conjugacy classes. For one mirror and radius 0 this is
:class:`medsym.nn.ContralateralExchange` with attention to both sides. The identity is left out
unless asked for: it would always match best.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.nn.groups.layers import GroupConv3d
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.softness import Softness


class GroupAttention(nn.Module):
    """(b, c, x, y, z) -> (b, c, x, y, z): h + mix([h, h - match over the group]).

    Args:
        action: Channel action of the features.
        key_action: Channel action of the keys; None is two regular fields.
        include_identity: Let a place attend to itself too.
        softness: Of the mixing convolution and of the biases beta: at softness a, beta_g may leave
            the mean of its class by the share a. None is exact.

    Raises:
        ModelError: MS-236, nothing to attend to in the trivial group.
        GridError: MS-297, keys of another group; at run time MS-293.
    """

    def __init__(
        self,
        action: GroupAction,
        *,
        key_action: GroupAction | None = None,
        include_identity: bool = False,
        softness: Softness | None = None,
    ) -> None:
        super().__init__()
        group = action.group
        self.action = self.action_in = self.action_out = action
        self.key_action = key_action or GroupAction.regular(group, 2)
        self.attended = tuple(range(0 if include_identity else 1, group.order))
        if not self.attended:
            raise ModelError(
                code="MS-236",
                subject="GroupAttention",
                cause="the trivial group has no element to attend to",
                fix="use a larger group, or include_identity=True",
            )
        self.softness = Softness() if softness is None else softness
        self.key = GroupConv3d(action, self.key_action, kernel_size=1)
        self.mix = GroupConv3d(action + action, action, kernel_size=1, softness=softness)
        self.sharpness = nn.Parameter(torch.zeros(()))
        self.preference = nn.Parameter(torch.zeros(group.order))

    def biases(self) -> Tensor:
        """beta_g per element: the mean of the conjugacy class plus softness times the rest."""
        mean = torch.empty_like(self.preference)
        for members in self.action.group.classes:
            where = list(members)
            mean[where] = self.preference[where].mean()
        return mean + self.softness.value.mean() * (self.preference - mean)

    def attention(self, features: Tensor) -> Tensor:
        """(b, elements attended to, x, y, z) weights, summing to 1 over the elements."""
        keys = self.key(features)
        sharpness, biases = F.softplus(self.sharpness), self.biases()
        scores = [
            biases[g] - sharpness * (keys - self.key_action.act(keys, g)).square().mean(1)
            for g in self.attended
        ]
        return torch.softmax(torch.stack(scores, dim=1), dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Residual exchange; see the class."""
        self.action.group.check_grid(features.shape[-3:], name="GroupAttention")
        weights = self.attention(features)
        match = torch.zeros_like(features)
        for place, g in enumerate(self.attended):
            match = match + weights[:, place : place + 1] * self.action.act(features, g)
        mixed: Tensor = self.mix(torch.cat([features, features - match], dim=1))
        return features + mixed
