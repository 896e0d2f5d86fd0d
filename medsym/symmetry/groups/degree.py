"""Softness that knows the group: shares of a chain of subgroups, a distribution over elements.

Both are a :class:`Softness` (0 strict, 1 free; ``harden``, schedules and penalties work on them)
and are given to the group layers in its place. A sum of kernels is a kernel, so a layer stays one
convolution and ``fold`` leaves a plain one.

*Shares* (the [G]-mixed layer of Maile, Wilson, Forre, "Equivariance-aware architectural
optimization of neural networks", ICLR 2023, arXiv 2210.05484): ``W = sum_H s_H W_H`` over a chain
``G = H_1 > H_2 > ...`` with ``W_H`` exactly H-equivariant and ``s = softmax(l)`` learned. All W_H
start as the same G-equivariant tensor (their *relaxation morphism*), so the layer starts as the
strict one whatever the shares are. For g in G the terms whose subgroup holds g drop out of the
defect exactly: ``f(g x) - g f(x) = sum over H without g of s_H (W_H g - g W_H) x``.

*Distribution* (the likelihood of Veefkind and Cesa, "A probabilistic approach to learning the
degree of equivariance in steerable CNNs", ICML 2024, arXiv 2406.03946, on a finite group):
``W_p = sum_g p(g) g^-1 W g``. Uniform p is the Reynolds projection, p = 1 at the identity the free
weight; for one mirror ``W_p = W_even + (1 - 2 p(S)) W_odd``. In general ``||W_p - W_G|| <= sum_g
|p(g) - 1/n| ||W - W_G||``.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.groups.average import Act, group_average
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.softness import Softness, check_softness

_SATURATED = 800.0  # beside such logits a softmax is exactly 0 and 1
_EDGE = 1e-4  # learned values keep this far from 0 and 1, where a softmax has no gradient


class GroupSoftness(Softness):
    """A softness that mixes transformed copies of a tensor; the base of the two kinds."""

    def __init__(self, group: GridGroup, logits: Tensor) -> None:
        super().__init__(learned=True)
        self.group = group
        self.logit = nn.Parameter(logits)

    def start(self, tensor: Tensor, act: Act) -> Tensor:
        """The raw tensor from which training starts, for an ordinary initial tensor."""
        raise NotImplementedError

    def soften(self, raw: Tensor, act: Act) -> Tensor:
        """Raw tensor -> the tensor that the layer runs with."""
        raise NotImplementedError

    def barrier(self) -> Tensor:
        """``-log(1 - a)``; a is kept off 1 by the rounding of its precision."""
        value = self.value
        return -torch.log1p(-value.clamp_max(1.0 - torch.finfo(value.dtype).eps))

    def logits_for(self, value: float) -> Tensor:
        """The logits that give this softness."""
        raise NotImplementedError

    @torch.no_grad()
    def write(self, values: Tensor | float, *, keep_learning: bool = False) -> None:
        """Set the softness now, as :meth:`Softness.write`: 0 is exact unless it keeps learning.

        Raises:
            ModelError: MS-210, a value outside [0, 1]; MS-221, more than one value.
        """
        if not self.learned:
            super().write(values, keep_learning=keep_learning)
            return
        given = torch.as_tensor(values, dtype=torch.float64)
        check_softness(given)
        if given.numel() != 1:
            raise ModelError(
                code="MS-221",
                subject="softness",
                cause=f"{given.numel()} values for one softness",
                fix="give one number",
            )
        value = float(given)
        if keep_learning:
            value = min(max(value, _EDGE), 1.0 - _EDGE)
        self.logit.copy_(self.logits_for(value).clamp(-_SATURATED, _SATURATED))

    def harden(self) -> None:
        """Become a constant zero: strict for the whole group."""
        if self.learned:
            device = self.logit.device
            del self.logit
            self.learned = False
            self.register_buffer("constant", torch.zeros(1, device=device))
        else:
            super().harden()


class SubgroupShares(GroupSoftness):
    """Learned shares of a chain of subgroups; its value is 1 - the share of the whole group.

    Args:
        chain: Subgroups, each holding the next; the first is the group of the layer.
        value: Initial softness, spread evenly over the smaller groups.

    Raises:
        ModelError: MS-235, not a chain of at least two groups.
    """

    def __init__(self, chain: Sequence[GridGroup], *, value: float = 0.5) -> None:
        pairs = list(pairwise(chain))
        if not pairs or any(not set(b.elements) < set(a.elements) for a, b in pairs):
            raise ModelError(
                code="MS-235",
                subject="subgroup shares",
                cause=f"{[group.name for group in chain]} is not a chain of subgroups",
                fix="begin with the largest group and let each hold the next, for example D2h, "
                "mirror_x, trivial",
            )
        super().__init__(chain[0], torch.zeros(len(chain)))
        self.chain = tuple(chain)
        self.write(value, keep_learning=True)

    @property
    def shares(self) -> Tensor:
        """s_H per subgroup of the chain, positive, summing to 1."""
        if self.learned:
            return torch.softmax(self.logit, dim=0)
        strict = 1.0 - self.get_buffer("constant")
        rest = (1.0 - strict) / (len(self.chain) - 1)
        return torch.cat([strict, rest.expand(len(self.chain) - 1)])

    @property
    def value(self) -> Tensor:
        """(1,): what the strict term does not hold."""
        return 1.0 - self.shares[:1]

    def broken_share(self, element: GridElement | str) -> Tensor:
        """Share of the terms that need not commute with an element of the group."""
        wanted = self.group.elements[self.group.index(element)]
        breaks = [wanted not in group.elements for group in self.chain]
        return (self.shares * torch.tensor(breaks, device=self.shares.device)).sum()

    def start(self, tensor: Tensor, act: Act) -> Tensor:
        """(groups, ...): the projected tensor once per subgroup, the relaxation morphism."""
        return torch.stack([group_average(self.group, act, tensor)] * len(self.chain))

    def soften(self, raw: Tensor, act: Act) -> Tensor:
        """``sum_H s_H P_H W_H``."""
        shares = self.shares.to(raw.dtype)
        terms = [
            share * group_average(group, _within(act, self.group.embed(group)), tensor)
            for group, share, tensor in zip(self.chain, shares, raw, strict=True)
        ]
        return torch.stack(terms).sum(dim=0)

    def logits_for(self, value: float) -> Tensor:
        """The shares of the smaller groups keep their ratios."""
        smaller = torch.log_softmax(self.logit[1:], dim=0)
        strict = torch.logit(torch.tensor([1.0 - value], dtype=torch.float64))
        return torch.cat([strict.to(smaller), smaller])


class ElementDistribution(GroupSoftness):
    """A learned distribution over the elements; its value is the distance from uniform.

    The value is the total variation distance scaled to [0, 1]: 0 uniform, 1 a single element.

    Args:
        group: The group of the layer.
        value: Initial softness: the share of the identity beyond the uniform distribution.
    """

    def __init__(self, group: GridGroup, *, value: float = 0.05) -> None:
        super().__init__(group, torch.zeros(group.order))
        self.write(value, keep_learning=True)

    @property
    def probabilities(self) -> Tensor:
        """p(g) in the order of the elements."""
        if self.learned:
            return torch.softmax(self.logit, dim=0)
        return self._mixed_with_uniform(self.get_buffer("constant"))

    def _mixed_with_uniform(self, value: Tensor) -> Tensor:
        identity = torch.zeros(self.group.order, dtype=value.dtype, device=value.device)
        identity[0] = 1.0
        return value * identity + (1.0 - value) / self.group.order

    @property
    def value(self) -> Tensor:
        """(1,): scaled total variation distance from the uniform distribution."""
        size = self.group.order
        distance = (self.probabilities - 1.0 / size).abs().sum() / 2.0
        return (distance / max(1.0 - 1.0 / size, 1.0 / size)).reshape(1)

    def divergence(self) -> Tensor:
        """KL(p, uniform) = log n - entropy(p), in nats: a price on leaving the symmetry."""
        return self.divergence_from(torch.full_like(self.probabilities, 1.0 / self.group.order))

    def divergence_from(self, other: Tensor) -> Tensor:
        """KL(p, other), in nats: keeps a layer close to the distribution of its predecessor."""
        p = self.probabilities
        return (p * (p.clamp_min(1e-30).log() - other.clamp_min(1e-30).log())).sum()

    def start(self, tensor: Tensor, act: Act) -> Tensor:  # noqa: ARG002  # same signature
        """Any tensor is a valid raw tensor."""
        return tensor

    def soften(self, raw: Tensor, act: Act) -> Tensor:
        """``sum_g p(g) g^-1 W g``."""
        terms = [
            p * act(raw, g)
            for p, g in zip(self.probabilities.to(raw.dtype), self.group.inverses, strict=True)
        ]
        return torch.stack(terms).sum(dim=0)

    def logits_for(self, value: float) -> Tensor:
        """``value`` on the identity and the rest spread evenly."""
        return (
            self._mixed_with_uniform(torch.tensor(value, dtype=torch.float64)).log().to(self.logit)
        )


def _within(act: Act, inside: tuple[int, ...]) -> Act:
    """The action of a subgroup whose elements have these indices in the group."""
    return lambda tensor, h: act(tensor, inside[h])
