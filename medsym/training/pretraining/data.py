"""Unlabelled scans on the grid of the network, and the views of them that a step needs."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from medsym.models.support import support_box
from medsym.synthesis.case import SyntheticCase
from medsym.training.pretraining.corruption import Views, draw_views
from medsym.training.pretraining.settings import CorruptionSettings

_STRIDE = 1_000_003  # between the seeds of neighbouring draws; prime, so that streams do not meet


class Images(Protocol):
    """Scan ``i`` as (x, y, z) float32, scaled as scans are, 0 outside the head; endless."""

    def __getitem__(self, index: int) -> Tensor: ...


class ImagesOf:
    """The images of subjects without their labels.

    Args:
        subjects: Synthetic subjects, or the user's.
    """

    def __init__(self, subjects: Dataset[SyntheticCase]) -> None:
        self.subjects = subjects

    def __getitem__(self, index: int) -> Tensor:
        """Image of subject ``index``."""
        return self.subjects[index].image


class ViewsOf(Dataset[Views]):
    """Views of scans; ``views[i]`` depends on (images, corruption, seed, i) alone.

    Args:
        images: The scans.
        corruption: How views are made.
        spacing_mm: Edge of a voxel.
        seed: Of the run.
    """

    def __init__(
        self, images: Images, *, corruption: CorruptionSettings, spacing_mm: float, seed: int
    ) -> None:
        self.images = images
        self.corruption = corruption
        self.spacing_mm = spacing_mm
        self.seed = seed

    def __getitem__(self, index: int) -> Views:
        """Views number ``index``, a batch of one."""
        generator = torch.Generator().manual_seed((self.seed * _STRIDE + index) % 2**63)
        return draw_views(
            self.images[index],
            settings=self.corruption,
            spacing_mm=self.spacing_mm,
            generator=generator,
        )


def collate_views(drawn: Sequence[Views], *, multiple: int) -> Views:
    """Join views to a batch, cut to the box that holds the heads, as at inference.

    Args:
        drawn: Views on one grid.
        multiple: Every side of the box is a multiple of it.
    """
    joined = {
        part.name: torch.cat([getattr(views, part.name) for views in drawn])
        for part in fields(Views)
    }
    filled = (joined["support"][:, 0] > 0).any(dim=0).numpy()
    box = support_box(filled, multiple=multiple)
    return Views(**{name: volume[:, :, *box].contiguous() for name, volume in joined.items()})


def to_device(views: Views, device: torch.device) -> Views:
    """The same views on another device."""
    moved = {part.name: getattr(views, part.name).to(device) for part in fields(Views)}
    return Views(**moved)
