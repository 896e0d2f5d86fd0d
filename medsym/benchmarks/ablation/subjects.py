"""The subjects that all networks share, each cut to its box and kept as a small file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.models.structures import mirror_permutation
from medsym.models.support import Box, support_box
from medsym.training.losses import Batch
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.output_file import write_atomically


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSubject:
    """A subject inside its box of the grid, as small as it goes.

    Attributes:
        image: (x, y, z) float16.
        structures: (x, y, z) uint8.
        masks: (2, x, y, z) uint8, lesion and brain.
        start: (3,) first voxel of the box on the grid.
    """

    image: NDArray[np.float16]
    structures: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    start: NDArray[np.int64]

    @property
    def box(self) -> Box:
        """Its place on the grid."""
        low, high = self.start.tolist(), (self.start + self.image.shape).tolist()
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


class SubjectFiles:
    """Stored subjects of one ablation.

    Args:
        folder: Where results are kept; subjects get a folder of their own in it.
        settings: Of the ablation.
        keep: Keep subjects that were read in memory, about half a megabyte each.
    """

    def __init__(self, folder: Path, settings: AblationSettings, *, keep: bool = False) -> None:
        self.folder = folder / f"subjects-{settings.subjects_key()}"
        self.settings = settings
        self.keep = keep
        self.grid = SymmetricGrid.spanning(settings.model.spacing_mm)
        self.multiple = int(2 ** (len(settings.model.pairs) - 1))
        self._kept: dict[tuple[str, int], StoredSubject] = {}

    def path(self, split: str, index: int) -> Path:
        """File of a subject."""
        return self.folder / f"{split}-{index:05d}.npz"

    def missing(self) -> list[tuple[str, int]]:
        """Subjects that are not drawn yet."""
        wanted = self.settings.counts().items()
        every = [(split, index) for split, count in wanted for index in range(count)]
        return [(split, index) for split, index in every if not self.path(split, index).is_file()]

    def write(self, split: str, index: int, whole: Batch) -> None:
        """Keep one subject, given on the whole grid."""
        filled = (whole.image[0, 0] != 0).numpy()
        box = support_box(filled, multiple=self.multiple)
        cut = whole.cut(box)
        masks = np.stack([(t[0, 0] > 0.5).numpy() for t in (cut.lesion, cut.brain)])
        content = io.BytesIO()
        np.savez_compressed(
            content,
            image=cut.image[0, 0].numpy().astype(np.float16),
            structures=cut.structures[0, 0].numpy().astype(np.uint8),
            masks=masks.astype(np.uint8),
            start=np.array([side.start for side in box]),
        )
        write_atomically(self.path(split, index), content.getvalue())

    def _read(self, split: str, index: int) -> StoredSubject:
        if (split, index) in self._kept:
            return self._kept[split, index]
        with np.load(self.path(split, index), allow_pickle=False) as stored:
            subject = StoredSubject(
                **{name: stored[name] for name in ("image", "structures", "masks", "start")}
            )
        if self.keep:
            self._kept[split, index] = subject
        return subject

    def batch(self, split: str, indices: Sequence[int], *, device: torch.device) -> Batch:
        """Subjects in the box that holds them all, as drawn but for images in half precision."""
        subjects = [self._read(split, index) for index in indices]
        filled = np.zeros(self.grid.shape, dtype=bool)
        for subject in subjects:
            filled[subject.box] = True
        box = support_box(filled, multiple=self.multiple)
        image = torch.zeros((len(subjects), 1, *filled[box].shape), dtype=torch.float16)
        structures, lesion, brain = (torch.zeros(image.shape, dtype=torch.uint8) for _ in range(3))
        for place, subject in enumerate(subjects):
            inside = tuple(
                slice(own.start - all_.start, own.stop - all_.start)
                for own, all_ in zip(subject.box, box, strict=True)
            )
            image[place, 0][inside] = torch.from_numpy(subject.image)
            structures[place, 0][inside] = torch.from_numpy(subject.structures)
            lesion[place, 0][inside], brain[place, 0][inside] = torch.from_numpy(subject.masks)
        floats = [t.to(device).float() for t in (image, lesion, brain)]
        return Batch(
            image=floats[0],
            structures=structures.to(device).long(),
            lesion=floats[1],
            brain=floats[2],
        )


def mirrored(batch: Batch, chosen: Tensor | None = None) -> Batch:
    """Subjects with left and right exchanged, structures by name.

    Args:
        batch: The subjects.
        chosen: (b,) bool, which of them; None is all.
    """
    swap = torch.tensor(mirror_permutation(), device=batch.structures.device)
    which = torch.ones(len(batch.image), dtype=torch.bool) if chosen is None else chosen
    here = which.to(batch.image.device).view(-1, 1, 1, 1, 1)
    return Batch(
        image=torch.where(here, batch.image.flip(2), batch.image),
        structures=torch.where(here, swap[batch.structures.flip(2)], batch.structures),
        lesion=torch.where(here, batch.lesion.flip(2), batch.lesion),
        brain=torch.where(here, batch.brain.flip(2), batch.brain),
    )


def order_of(seed: int, *, subjects: int, step: int, batch: int = 1) -> list[int]:
    """Subjects of a step: every pass over the subjects has an order of its own.

    Args:
        seed: Of the training; all networks of a seed meet the same subjects in the same order.
        subjects: Number of subjects.
        step: 0 and up.
        batch: Subjects per step.
    """
    places = [divmod(step * batch + k, subjects) for k in range(batch)]
    return [_order(seed, subjects, turn)[place] for turn, place in places]


@lru_cache(maxsize=4)
def _order(seed: int, subjects: int, turn: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed * 7919 + turn)
    return tuple(torch.randperm(subjects, generator=generator).tolist())
