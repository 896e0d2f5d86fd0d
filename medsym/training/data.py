"""Synthetic subjects as a dataset: subject i of a seed is always the same one, so runs resume."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from medsym.models.support import support_box
from medsym.synthesis.canvas import CPU, Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.dataset import (
    Sources,
    anatomy_number,
    draw_case,
    load_sources,
    subjects_of,
)
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.losses import Batch
from medsym.volumes.frame import SymmetricGrid


class SyntheticSubjects(Dataset[SyntheticCase]):
    """Synthetic subjects; ``subjects[i]`` depends on (config, grid, seed, split, i) alone.

    On another kind of device only the grain of the images differs.

    Args:
        config: Ranges and sources of the synthesis.
        grid: Grid of the images.
        seed: Of the whole run.
        split: "train", "reference" or "test" anatomies and lesion shapes.
        healthy: Draw without lesions.
        device: Where subjects are drawn; they are handed out on the CPU.
    """

    def __init__(
        self,
        config: SynthesisConfig,
        *,
        grid: SymmetricGrid,
        seed: int,
        split: str,
        healthy: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        if healthy:
            lesions = config.lesions.model_copy(update={"present": 0.0})
            config = config.model_copy(update={"lesions": lesions})
        self.config = config
        self.canvas = Canvas(grid=grid, device=torch.device(device))
        self.seed = seed
        self.split = split
        self._sources: Sources | None = None

    def __getitem__(self, index: int) -> SyntheticCase:
        """Subject ``index``; opens the sources on first use, in the process that draws."""
        if self._sources is None:
            if get_worker_info() is not None:
                torch.set_num_threads(1)
            self._sources = load_sources(self.config, split=self.split).to(self.canvas.device)
        case = draw_case(
            self._sources, config=self.config, canvas=self.canvas, seed=self.seed, index=index
        )
        return case.to(CPU)

    def grouped(self, number: int) -> list[int]:
        """The first indices, ordered by anatomy: halves of the list share one anatomy at most."""
        count = max(1, len(subjects_of(self.config.source, split=self.split)))
        return sorted(
            range(number),
            key=lambda index: anatomy_number(count, seed=self.seed, split=self.split, index=index),
        )


def without_skull(config: SynthesisConfig) -> SynthesisConfig:
    """The same synthesis, every scan stripped and whole, as the comparison sees a scan."""
    degradation = config.degradation.model_copy(update={"stripped": 1.0, "cropped": 0.0})
    return config.model_copy(update={"degradation": degradation})


def _stack(volumes: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    return torch.stack(list(volumes))[:, None].to(dtype)


def collate(cases: Sequence[SyntheticCase], *, multiple: int | None = None) -> Batch:
    """Stack subjects into a batch.

    Args:
        cases: Subjects on one grid.
        multiple: Cut the batch to the box that holds its images, with sides that are multiples of
            this, as the network is run at inference; None keeps the whole grid.
    """
    batch = Batch(
        image=_stack([c.image for c in cases], torch.float32),
        structures=_stack([c.structures for c in cases], torch.int64),
        lesion=_stack([c.lesion for c in cases], torch.float32),
        brain=_stack([c.brain for c in cases], torch.float32),
    )
    if multiple is None:
        return batch
    filled = (batch.image[:, 0] != 0).any(dim=0).numpy()
    return batch.cut(support_box(filled, multiple=multiple))
