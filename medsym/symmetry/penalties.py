"""Penalties that keep a network near the mirror; each is added to the loss, lower is nearer.

All are differentiable and zero for an exactly symmetric network. Those on weights cost no pass;
:func:`defect_penalty` and :func:`latent_penalty` cost one mirrored pass. Only ``a W_odd`` acts: a
penalty on the softness a alone can be met by a larger W_odd, so combine it with
:func:`odd_weight_penalty` or with ``odd_decay`` (:mod:`medsym.symmetry.schedules`).
"""

from collections.abc import Callable, Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ConfigError
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.softness import Softness, softnesses

SoftnessPenalty = Literal["l1", "log_barrier"]


def softness_penalty(model: nn.Module, kind: SoftnessPenalty = "l1") -> Tensor:
    """Penalty on the learned softness a itself, summed over layers (mean within a layer).

    * ``l1``: ``a``, the lasso on softness; the pull to 0 is the same at every a, so layers that
      do not need softness become strict;
    * ``log_barrier``: ``-log(1 - a)``, the interior-point barrier (Boyd & Vandenberghe, "Convex
      Optimization", section 11.2) of the constraint ``a < 1``: weak near 0, without limit as a
      layer becomes free.

    Raises:
        ConfigError: MS-228, an unknown kind or a network without learned softness.
    """
    learned = learned_softnesses(model)
    if kind not in get_args(SoftnessPenalty) or not learned:
        raise ConfigError(
            code="MS-228",
            subject="softness penalty",
            cause="the network has no learned softness"
            if not learned
            else f"unknown kind {kind!r}",
            fix="use 'l1' or 'log_barrier' on a network with Softness(learned=True)",
        )
    terms = [(s.value if kind == "l1" else s.barrier()).mean() for s in learned.values()]
    return torch.stack(terms).sum()


def learned_softnesses(model: nn.Module) -> dict[str, Softness]:
    """Softness by layer name, those that are trained."""
    return {name: softness for name, softness in softnesses(model) if softness.learned}


def odd_weight_penalty(model: nn.Module) -> Tensor:
    """Sum over softened tensors of the mean of ``|a W_odd|^2``, at operator level.

    The projection regulariser of Berndt & Stuehmer (arXiv 2601.05028), ``|W - P W|^2`` with the
    Reynolds projection P and the Frobenius norm; for one mirror ``W - P W = a W_odd`` and each
    layer's worst defect is exactly twice its operator norm. At softness 1 it is the penalty on
    an ordinary network; summed over layers and weighted it is the Gaussian prior on the odd part
    of residual pathway priors (Finzi et al. 2021, arXiv 2112.01388).
    """
    return projection_penalty(model)


def projection_penalty(model: nn.Module, *, even: float = 0.0, odd: float = 1.0) -> Tensor:
    """``even |W_even|^2 + odd |a W_odd|^2``, means over entries, summed over softened tensors.

    Berndt & Stuehmer (arXiv 2601.05028): ``l_G |P W|^2 + l_perp |W - P W|^2``. Softness that
    varies over voxels or inputs counts as 1, its upper limit.

    Raises:
        ConfigError: MS-228, a network without softened layers.
    """
    tensors = list(soft_tensors(model))
    if not tensors:
        raise ConfigError(
            code="MS-228",
            subject="projection penalty",
            cause="the network has no softened layers",
            fix="soften it first, with softness 1 for an ordinary network",
        )
    terms = [tensors[0].raw.new_zeros(())]
    for tensor in tensors:
        weight = tensor.weight
        if not even and (weight.has_no_odd_part or weight.softness.is_exact):
            continue
        split = weight.live_split if weight.softness.varies else weight.parts
        kept, left = split(tensor.raw)
        terms.append(even * kept.square().mean() + odd * left.square().mean())
    return torch.stack(terms).sum()


def defect_penalty(
    function: Callable[[Tensor], Tensor],
    volume: Tensor,
    *,
    output: Tensor | None = None,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
) -> Tensor:
    """``mean |f(S x) - S f(x)|^2``: REMUL (Elhag et al., arXiv 2410.17878).

    Works for any network. The paper weights it constantly or more and more: multiply by a
    constant, or by a :data:`~medsym.symmetry.schedules.Schedule`.

    Args:
        function: Maps (b, c, x, y, z) to (b, c', x, y, z).
        volume: The input x.
        output: f(x) if the loss has computed it, which saves one of the two passes.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None.
    """
    direct = function(volume) if output is None else output
    return F.mse_loss(function(mirror(volume, action_in)), mirror(direct, action_out))


def latent_penalty(
    latent: Tensor,
    latent_of_mirrored: Tensor,
    action: ChannelAction | None = None,
    *,
    relative: bool = False,
) -> Tensor:
    """``mean |z(S x) - R z(x)|^2`` on a latent: parameter-free approximate equivariance.

    Ali, Lio, Vicary (arXiv 2506.08244); there R is the regular representation on the chosen
    channels and the identity on the others.

    Args:
        latent: z(x), (b, c) or (b, c, x, y, z).
        latent_of_mirrored: z(S x), same shape.
        action: R, trivial if None; on a volume S also flips its axis.
        relative: Divide by ``mean |z|^2``. As published (False), a network lowers the penalty by
            shrinking its latent.
    """
    if latent.ndim == 2:
        expected = latent if action is None else action.apply(latent)
    else:
        expected = mirror(latent, action)
    error = F.mse_loss(latent_of_mirrored, expected)
    return (
        error / latent.square().mean().clamp_min(torch.finfo(latent.dtype).tiny)
        if relative
        else error
    )


class DualSoftness(nn.Module):
    """Softness under dual control: ACE (Manolache et al., NeurIPS 2025, arXiv 2505.13631).

    The constraint ``a_l = 0`` of every layer l carries a multiplier. The optimiser descends on

        J + sum_l lambda_l a_l        (a_l: the mean where a layer has several)

    and :meth:`step` ascends on the multipliers, ``lambda_l <- lambda_l + rate a_l``. Where the
    data are not symmetric, the *elastic* variant allows a slack u_l >= a_l at a price,

        J + sum_l lambda_l (a_l - u_l) + slack_price / 2 u_l^2,   u_l = lambda_l / slack_price,
        lambda_l <- max(0, lambda_l + rate (a_l - u_l)),

    so that in the end ``a_l = u_l`` and ``lambda_l = slack_price a_l``. Multipliers rank the
    layers by how much they gain from asymmetry. Other than in the paper, a_l is a softness in
    [0, 1] and not a free gain; start it high (0.9), as the paper starts at 1.

    Args:
        model: A network with learned softness; it is not registered as a submodule.
        rate: Step of the dual ascent.
        slack_price: None is the equality constraint.

    Raises:
        ConfigError: MS-228, no learned softness, or a number that is not positive.
    """

    def __init__(
        self, model: nn.Module, *, rate: float = 1e-2, slack_price: float | None = None
    ) -> None:
        super().__init__()
        learned = learned_softnesses(model)
        price = 1.0 if slack_price is None else slack_price
        if not learned or rate <= 0.0 or price <= 0.0:
            raise ConfigError(
                code="MS-228",
                subject="dual softness",
                cause="the network has no learned softness"
                if not learned
                else f"rate {rate} and slack_price {slack_price} must be positive",
                fix="use Softness(learned=True), and positive numbers",
            )
        self.rate, self.slack_price = rate, slack_price
        self._layers = tuple(learned.items())
        zeros = torch.zeros(len(learned), device=next(iter(learned.values())).logit.device)
        self.register_buffer("multipliers", zeros)

    def penalty(self) -> Tensor:
        """The Lagrangian without J; add it to the loss."""
        multipliers = self.get_buffer("multipliers")
        slack = self._slack()
        price = 0.0 if self.slack_price is None else self.slack_price
        return (multipliers * (self._softness() - slack) + price / 2 * slack.square()).sum()

    @torch.no_grad()
    def step(self) -> None:
        """Dual ascent; call after the optimiser's step."""
        multipliers = self.get_buffer("multipliers")
        multipliers.add_(self.rate * (self._softness() - self._slack())).clamp_min_(0.0)

    def ranking(self) -> dict[str, float]:
        """Multiplier by layer, largest first: the layers that most resist being strict."""
        values = self.get_buffer("multipliers").tolist()
        named = zip((name for name, _ in self._layers), values, strict=True)
        return dict(sorted(named, key=lambda entry: -entry[1]))

    def _softness(self) -> Tensor:
        return _means(softness for _, softness in self._layers)

    def _slack(self) -> Tensor:
        multipliers = self.get_buffer("multipliers")
        return multipliers * (0.0 if self.slack_price is None else 1.0 / self.slack_price)


def _means(layers: Iterable[Softness]) -> Tensor:
    return torch.stack([softness.value.mean() for softness in layers])
