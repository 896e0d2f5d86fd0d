"""Learned parameter sharing: does a network find the mirror by itself?"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.benchmarks.methods.backbone import UNet
from medsym.benchmarks.methods.method import FREE, Method, lesion_loss
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parts import twin_kernel

TAPS = 27
BLOCK = 4 * TAPS  # weights between a pair of input channels and a pair of output channels
DIAGONAL = 7.0  # logit of a weight's own slot at the start: 0.91 of its mass
HELD_OUT = 0.25  # of the training subjects, on which the assignment is learned
ENTROPY = 1e-3
UPPER_EVERY = 2  # steps


class Assignment(nn.Module):
    """Soft assignment of the 108 weights of a block to 108 shared slots, one for all layers.

    Row i is the distribution of weight i over the slots. Sharing by the mirror means that a
    weight and its twin (mirrored tap, both channel pairs swapped) have the same row.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(DIAGONAL * torch.eye(BLOCK))

    def forward(self) -> Tensor:
        """(108, 108), rows sum to 1."""
        return torch.softmax(self.logits, dim=1)

    def entropy(self) -> Tensor:
        """Mean entropy of the rows, nats; 0 is a hard assignment."""
        rows = self()
        return -(rows * torch.log(rows.clamp_min(1e-12))).sum(dim=1).mean()


class SharedKernel(nn.Module):
    """Slots -> kernel (out, in, 3, 3, 3): every weight is a mixture of the slots of its block.

    The assignment is the owner's module, not this one's, so it is counted and stored once.
    """

    def __init__(self, assignment: Assignment) -> None:
        super().__init__()
        self._assignment = [assignment]

    def forward(self, slots: Tensor) -> Tensor:
        """The kernel that the layer runs with."""
        return from_blocks(to_blocks(slots) @ self._assignment[0]().T, tuple(slots.shape))


def between_pairs(layer: nn.Conv3d) -> bool:
    """Whether the layer has 3x3x3 kernels from pairs of channels to pairs of channels."""
    return layer.kernel_size == (3, 3, 3) and layer.in_channels % 2 == 0


def to_blocks(kernel: Tensor) -> Tensor:
    """(out, in, 3, 3, 3) -> (out / 2, in / 2, 108), the weights of every pair of pairs."""
    after, before = kernel.shape[:2]
    blocks = kernel.reshape(after // 2, 2, before // 2, 2, TAPS)
    return blocks.permute(0, 2, 1, 3, 4).reshape(after // 2, before // 2, BLOCK)


def from_blocks(blocks: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of :func:`to_blocks`."""
    after, before = shape[:2]
    split = blocks.reshape(after // 2, before // 2, 2, 2, TAPS)
    return split.permute(0, 2, 1, 3, 4).reshape(shape)


def mirror_partner() -> Tensor:
    """(108,) index of each weight's twin under the mirror."""
    index = torch.arange(float(BLOCK)).reshape(1, 1, BLOCK)
    pair = ChannelAction.regular(1)
    return to_blocks(twin_kernel(from_blocks(index, (2, 2, 3, 3, 3)), pair, pair))[0, 0].long()


def shared_mass(assignment: Tensor) -> tuple[float, float]:
    """Mass that weights share with their mirror twin, and with any other weight, in [0, 1].

    1 is full sharing; a network that has found the mirror has the first near 1 and far above the
    second.
    """
    overlap = torch.minimum(assignment[:, None], assignment[None]).sum(dim=2)
    partner = mirror_partner()
    own = torch.arange(BLOCK)
    twin = overlap[own, partner]
    others = overlap.sum(dim=1) - overlap[own, own] - twin
    return float(twin.mean()), float(others.mean() / (BLOCK - 2))


class LearnedSharing(Method):
    """Equivariance discovery by learned parameter sharing (Yeh et al. 2022, arXiv 2204.03640).

    Bilevel: slots are trained on three quarters of the training subjects, the assignment on the
    rest, alternating (first order), with an entropy term that asks for a hard assignment. Of the
    3x3x3 kernels between pairs; all other weights are free.
    """

    name, title = "sharing", "learned parameter sharing"

    def build(self) -> nn.Module:
        """Free network whose 3x3x3 kernels share by one assignment."""
        self.assignment = Assignment()
        network = UNet(FREE)
        for module in list(network.modules()):
            if isinstance(module, nn.Conv3d) and between_pairs(module):
                kernel = SharedKernel(self.assignment)
                parametrize.register_parametrization(module, "weight", kernel, unsafe=True)
        self._upper = torch.optim.Adam(
            self.assignment.parameters(), lr=10.0 * self.budget.softness_rate
        )
        self._steps = 0
        return network

    def training_data(self, subjects: Subjects) -> Subjects:
        """Hold the last subjects out for the assignment."""
        kept = max(1, int(len(subjects) * (1.0 - HELD_OUT)))
        self._held = subjects[slice(kept, None)]
        self._order = torch.Generator().manual_seed(0)
        return subjects[slice(kept)]

    def free_parameters(self) -> int:
        """The slots, all other weights and the assignment."""
        return super().free_parameters() + self.assignment.logits.numel()

    def after_step(self, optimiser: torch.optim.Optimizer) -> None:
        """Every second step: the assignment learns from held-out subjects."""
        del optimiser
        self._steps += 1
        if self._steps % UPPER_EVERY:
            return
        index = torch.randint(0, len(self._held), (self.budget.batch,), generator=self._order)
        batch = self._held[index]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.budget.mixed_precision):
            logits = self.network(batch.image)
        loss = lesion_loss(logits, batch) + ENTROPY * self.assignment.entropy()
        self._upper.zero_grad()
        (self.assignment.logits.grad,) = torch.autograd.grad(loss, [self.assignment.logits])
        self._upper.step()

    def findings(self) -> dict[str, float]:
        """How much weights share with their mirror twin, and with others."""
        twin, others = shared_mass(self.assignment().detach())
        return {"shared_with_twin": twin, "shared_with_others": others}
