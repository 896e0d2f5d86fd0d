"""Batches: subjects drawn by workers, packed small, and unpacked on the device that trains.

Workers hand over volumes in the smallest type that holds them, in CPU memory. Where synthesis runs
on a GPU the workers are started afresh ("spawn"): a process that was forked cannot use CUDA.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from medsym.models.support import Box, support_box
from medsym.synthesis.case import SyntheticCase
from medsym.training.distributed import Ranks
from medsym.training.losses import Batch
from medsym.training.settings import TrainSettings
from medsym.volumes.frame import SymmetricGrid

Packed = dict[str, Tensor]
_SMALL = {"structures": torch.int8, "lesion": torch.bool, "brain": torch.bool}
_FULL = {"structures": torch.int64}
_PREFETCH = 4  # batches that each worker draws ahead
PLANES = "planes"
GRACE_SECONDS = 20.0  # that a worker goes on for after a SIGTERM


def grid_of(settings: TrainSettings) -> SymmetricGrid:
    """The grid that subjects are drawn on: that of the network."""
    return SymmetricGrid.spanning(settings.model.spacing_mm)


def training_device(settings: TrainSettings, ranks: Ranks) -> torch.device:
    """Where the network is trained."""
    return device_named(settings.device, local=ranks.local)


def device_named(name: str, *, local: int = 0) -> torch.device:
    """A device of the settings: "auto" is a GPU where there is one; ``local`` says which GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name, local) if name == "cuda" else torch.device(name)


def synthesis_device(settings: TrainSettings, training: torch.device) -> torch.device:
    """Where subjects are drawn."""
    name = settings.synthesis_device
    return training if name in ("auto", training.type) else torch.device(name)


def starts_afresh(settings: TrainSettings, training: torch.device) -> bool:
    """Whether workers are spawned; where they draw on a GPU, one process draws a few as well."""
    return settings.workers > 0 and synthesis_device(settings, training).type == "cuda"


def draw_each(
    subjects: Dataset[Any],
    indices: Sequence[int],
    *,
    settings: TrainSettings,
    training: torch.device,
) -> Iterator[Packed]:
    """Some subjects, one at a time: by forked workers, or on the GPU by this process."""
    drawing = synthesis_device(settings, training)
    return iter(
        load(
            subjects,
            indices,
            batch=None,
            workers=0 if drawing.type == "cuda" else settings.workers,
            synthesis=drawing,
            training=torch.device("cpu"),
            collate=pack_one,
        )
    )


def pack(cases: Sequence[SyntheticCase]) -> Packed:
    """Stack subjects in CPU memory in small types.

    Returns:
        Volumes (b, 1, x, y, z) by name of the fields of :class:`Batch`, and under "planes" which
        planes of the grid hold anything: uint8, those along x, then y, then z.
    """
    packed: Packed = {}
    for part in fields(Batch):
        volumes = [getattr(case, part.name) for case in cases]
        small = _SMALL.get(part.name, torch.float32)
        packed[part.name] = torch.stack([v.to(small).cpu() for v in volumes])[:, None]
    filled = (packed["image"][:, 0] != 0).any(dim=0)
    planes = [filled.flatten(1).any(1), filled.any(2).any(0), filled.any(1).any(0)]
    packed[PLANES] = torch.cat(planes).to(torch.uint8)
    return packed


def box_of(planes: Tensor, *, shape: Sequence[int], multiple: int) -> Box:
    """The box that a network is run on, from the planes of the grid that hold anything."""
    x, y, z = (part.numpy().astype(bool) for part in planes.split(list(shape)))
    return support_box(x[:, None, None] & y[:, None] & z, multiple=multiple)


def unpack(packed: Packed, box: Box, device: torch.device) -> Batch:
    """The batch inside a box, on the device, in the types that :class:`Batch` documents."""

    def full(name: str) -> Tensor:
        volume = packed[name]
        if device.type == "cuda":  # whole: a pinned, contiguous copy does not wait
            volume = volume.to(device, non_blocking=True)
        return volume[:, :, *box].to(device, _FULL.get(name, torch.float32)).contiguous()

    return Batch(**{part.name: full(part.name) for part in fields(Batch)})


def pack_one(case: SyntheticCase) -> Packed:
    """One subject as a batch of one."""
    return pack([case])


def outlive_signals(_worker: int) -> None:
    """Let the training process decide when a worker ends.

    Ctrl+C and a batch system's SIGTERM reach every process of a job, and a run that is asked to
    stop still takes the step that it waits for. So a worker ends some seconds after a SIGTERM,
    unless its run lets it go before.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: _end_later())


def _end_later() -> None:
    timer = threading.Timer(GRACE_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def load(
    subjects: Dataset[Any],
    indices: Sequence[int],
    *,
    batch: int | None,
    workers: int,
    synthesis: torch.device,
    training: torch.device,
    collate: Callable[[Any], Any] = pack,
) -> DataLoader[Any]:
    """Subjects drawn by worker processes, in the order of their indices.

    Args:
        subjects: Dataset of cases.
        indices: Which of them.
        batch: Subjects that ``collate`` gets at once; None gives it one at a time.
        workers: Processes; 0 draws in this one.
        synthesis: Device that draws.
        training: Device that the batches go to.
        collate: Top-level function, because spawned workers import it.
    """
    afresh = workers > 0 and synthesis.type == "cuda"
    return DataLoader(
        subjects,
        batch_size=batch,
        sampler=indices,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=_PREFETCH if workers else None,
        multiprocessing_context="spawn" if afresh else None,
        pin_memory=training.type == "cuda",
        worker_init_fn=outlive_signals if workers else None,
    )


class Waiting:
    """An iterator that measures how long its reader waited for it.

    Args:
        source: What is read.
        clock: Seconds, rising.
    """

    def __init__(
        self, source: Iterator[Any], *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._source = source
        self._clock = clock
        self.seconds = 0.0

    def close(self) -> None:
        """Let the workers go; they would outlive a run that ended with an error."""
        self._source = iter(())

    def __iter__(self) -> "Waiting":
        return self

    def __next__(self) -> Any:
        began = self._clock()
        try:
            return next(self._source)
        finally:
            self.seconds += self._clock() - began
