"""Endless streams of synthesised cases for training, and fixed lists of them for measuring."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import IterableDataset, get_worker_info

from medsym.errors import ConfigError
from medsym.synthesis.anatomy import Anatomy, load_folder
from medsym.synthesis.generator import SyntheticCase, draw
from medsym.synthesis.settings import SynthesisConfig
from medsym.synthesis.shapes import LesionShape, load_shapes

logger = logging.getLogger(__name__)

SPLITS = ("train", "reference", "test")
_STRIDE = 1_000_003  # between the seeds of neighbouring cases; prime, so that streams do not meet


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Anatomies and lesion shapes of one split."""

    anatomies: tuple[Anatomy, ...]
    shapes: tuple[LesionShape, ...]


def load_sources(config: SynthesisConfig, *, split: str) -> Sources:
    """Load what one split may draw from; the template when no label maps are configured.

    Args:
        config: folders and lists of subjects.
        split: "train", "reference" or "test".

    Raises:
        ConfigError: on another split, or when the split has no anatomy.
        AnatomyError: when a file is missing or unusable.
    """
    if split not in SPLITS:
        raise ConfigError(
            code="MS-180",
            subject="split",
            cause=f"{split!r} is no split",
            fix="Use train, reference or test",
        )
    source = config.source
    if source.label_maps is None:
        from medsym.synthesis.template import template_anatomy  # needs nilearn

        anatomies: tuple[Anatomy, ...] = (template_anatomy(),)
    else:
        subjects = {
            "train": source.train_subjects,
            "reference": source.reference_subjects,
            "test": source.test_subjects,
        }[split]
        anatomies = load_folder(source.label_maps, subjects=subjects, cache=source.cache)
    if not anatomies:
        raise ConfigError(
            code="MS-181",
            subject=f"{split}_subjects",
            cause="the list is empty",
            fix="Name the label maps that this split may use",
        )
    shapes = load_shapes(
        source.lesion_folders, split=split, test_share=source.test_lesion_share, cache=source.cache
    )
    logger.info("%s: %d anatomies, %d lesion shapes", split, len(anatomies), len(shapes))
    return Sources(anatomies=anatomies, shapes=shapes)


def draw_case(sources: Sources, *, config: SynthesisConfig, seed: int, index: int) -> SyntheticCase:
    """Case number `index` of the stream with a seed; always the same.

    Args:
        sources: anatomies and shapes of a split.
        config: every range.
        seed: of the stream.
        index: 0 and up.
    """
    generator = torch.Generator().manual_seed((seed * _STRIDE + index) % 2**63)
    pick = int(torch.randint(len(sources.anatomies), (), generator=generator))
    return draw(sources.anatomies[pick], generator=generator, config=config, shapes=sources.shapes)


def stream(
    config: SynthesisConfig, *, seed: int, split: str, start: int = 0, step: int = 1
) -> Iterator[SyntheticCase]:
    """Cases start, start + step, ... of a stream, without end."""
    sources = load_sources(config, split=split)
    index = start
    while True:
        yield draw_case(sources, config=config, seed=seed, index=index)
        index += step


class SyntheticStream(IterableDataset[SyntheticCase]):
    """The same stream for `torch.utils.data.DataLoader`; workers share it without repeats.

    Use ``batch_size=None`` or a collate function: a case is a data class, not a tensor.

    Args:
        config: every range.
        seed: of the stream.
        split: "train", "reference" or "test".
        start: first case, for resuming.
    """

    def __init__(self, config: SynthesisConfig, *, seed: int, split: str, start: int = 0) -> None:
        self.config = config
        self.seed = seed
        self.split = split
        self.start = start

    def __iter__(self) -> Iterator[SyntheticCase]:
        """Cases of this worker."""
        worker = get_worker_info()
        offset, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return stream(
            self.config, seed=self.seed, split=self.split, start=self.start + offset, step=step
        )
