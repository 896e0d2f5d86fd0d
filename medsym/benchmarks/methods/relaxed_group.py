"""Relaxed group convolution: filter banks whose weights may differ between group elements."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.benchmarks.methods.backbone import UNet, soften_unet
from medsym.benchmarks.methods.method import FREE, Method
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.parametrisation import SoftKernel, soft_tensors
from medsym.symmetry.softness import Softness

BANKS = 2  # two tied banks have as many free parameters as one free kernel


class RelaxedKernel(nn.Module):
    """``sum_l w_l(g) K_l``: tied kernels K_l, scaled by the group element of the output channel.

    Wang, Walters, Yu (ICML 2022, arXiv 2201.11969), equation 4. The two channels of a pair belong
    to the two elements of the mirror group, so a bank has two weights; equal ones are exact.

    Args:
        tie: The tie of one bank.
        first: A kernel whose shape and scale the further banks take.
    """

    def __init__(self, tie: SoftKernel, first: Tensor) -> None:
        super().__init__()
        self.tie = tie
        scale = float(first.detach().std())
        self.further = nn.Parameter(scale * torch.randn(BANKS - 1, *first.shape))
        self.weights = nn.Parameter(torch.full((BANKS, 2), 1.0 / math.sqrt(BANKS)))

    def forward(self, raw: Tensor) -> Tensor:
        """Raw kernel of the first bank -> the kernel that the layer runs with."""
        shape = [1] * raw.ndim
        shape[1 if self.tie.transposed else 0] = -1
        pairs = self.tie.action_out.channels // 2
        total = torch.zeros_like(raw)
        for weight, bank in zip(self.weights, [raw, *self.further], strict=True):
            total = total + weight.repeat(pairs).reshape(shape) * self.tie.split(bank)[0]
        return total

    def gap(self) -> Tensor:
        """Sum over banks of ``|w_l(e) - w_l(S)|``, 0 where the layer is exact."""
        return (self.weights[:, 0] - self.weights[:, 1]).abs().sum()


def relax_kernels(network: UNet) -> UNet:
    """Give every kernel onto pairs its banks, in place; everything else stays tied."""
    layers = dict(network.named_modules())
    for tensor in list(soft_tensors(network)):
        tie = tensor.weight
        if isinstance(tie, SoftKernel) and tie.action_out.channels > 1:
            layer = layers[tensor.layer]
            first = tensor.raw.detach().clone()
            parametrize.remove_parametrizations(layer, tensor.name, leave_parametrized=False)
            parametrize.register_parametrization(layer, tensor.name, RelaxedKernel(tie, first))
    return network


def relaxed_kernels(network: nn.Module) -> list[RelaxedKernel]:
    """All relaxed kernels of a network."""
    return [module for module in network.modules() if isinstance(module, RelaxedKernel)]


class RelaxedGroupConvolution(Method):
    """Kernels with per-element weights that start equal, and a price of their difference."""

    name, title = "relaxed_group", "relaxed group convolution"
    price = 1e-3

    def build(self) -> nn.Module:
        """The tied network with relaxed kernels."""
        return relax_kernels(soften_unet(UNet(FREE), Softness))

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the price of unequal weights."""
        gaps = torch.stack([kernel.gap() for kernel in relaxed_kernels(self.network)])
        return super().loss(batch) + self.price * gaps.sum()

    def free_parameters(self) -> int:
        """Every bank is tied, so half of its entries are free."""
        kernels = relaxed_kernels(self.network)
        return super().free_parameters() - sum(BANKS * k.further[0].numel() // 2 for k in kernels)

    def findings(self) -> dict[str, float]:
        """Mean difference between the weights of the two elements."""
        gaps = [float(kernel.gap().detach()) for kernel in relaxed_kernels(self.network)]
        return {"weight_gap_mean": sum(gaps) / (BANKS * len(gaps))}
