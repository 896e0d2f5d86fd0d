"""Several processes train one network: who draws which subjects, and what they must agree on.

``torchrun`` starts the processes and describes them in environment variables. Gradients are
averaged by torch's DistributedDataParallel; every process draws its share of the *same* global
batch, and every part of the loss is a mean over subjects, so the average over processes of equal
shares is the loss of the whole batch.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from medsym.errors import ConfigError

#: How long one process waits for another. Rank 0 scores the unseen subjects while others wait.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: 0 to world - 1 over all machines; rank 0 writes, scores and reports.
        world: number of processes.
        local: number of this process on its machine, and of its GPU there.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """True for the one process that writes files."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """Subjects of a global batch that each process draws.

        Raises:
            ConfigError: MS-370, the batch cannot be shared equally.
        """
        if batch % self.world:
            raise ConfigError(
                code="MS-370",
                subject="optimiser.batch",
                cause=f"{batch} subjects cannot be shared equally by {self.world} processes",
                fix=f"use a multiple of {self.world}, or fewer processes",
            )
        return batch // self.world

    def indices(self, *, first: int, last: int, batch: int) -> Sequence[int]:
        """Subjects of this process in steps first to last - 1, in the order they are needed.

        Step s of a run with batch b is made of subjects ``s b`` to ``(s + 1) b - 1``, however
        many processes there are.
        """
        own = self.share_of(batch)
        if self.world == 1:
            return range(first * batch, last * batch)
        start = self.rank * own
        return [s * batch + start + i for s in range(first, last) for i in range(own)]

    def largest(self, values: Tensor) -> Tensor:
        """Elementwise maximum over the processes of a small tensor in CPU memory."""
        if self.world > 1:
            distributed.all_reduce(values, op=distributed.ReduceOp.MAX)
        return values

    def mean_of(self, values: Mapping[str, float]) -> dict[str, float]:
        """Mean over the processes of numbers that all of them have by the same names."""
        if self.world == 1:
            return dict(values)
        held = torch.tensor(list(values.values()), dtype=torch.float64)
        distributed.all_reduce(held)
        return dict(zip(values, (held / self.world).tolist(), strict=True))

    def wrap(self, network: nn.Module, *, some_unused: bool) -> nn.Module:
        """The network whose backward pass averages gradients over the processes.

        Args:
            network: Of this process; all processes go on with the weights of rank 0.
            some_unused: Some parameters never reach the output.
        """
        if self.world == 1:
            return network
        on_gpu = next(network.parameters()).is_cuda
        return DistributedDataParallel(
            network,
            device_ids=[self.local] if on_gpu else None,
            find_unused_parameters=some_unused,
            gradient_as_bucket_view=True,
        )


@contextmanager
def launched_ranks() -> Iterator[Ranks]:
    """The processes that torchrun started; a single one where it did not.

    On leaving, processes part: what comes after is for rank 0 alone.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    ranks = Ranks(rank=int(os.environ["RANK"]), world=world, local=int(os.environ["LOCAL_RANK"]))
    on_gpu = torch.cuda.is_available()
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()
