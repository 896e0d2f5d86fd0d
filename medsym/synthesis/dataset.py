"""Where synthetic cases come from: the anatomies and shapes of a split, and case i of a seed."""

import hashlib
import logging
from dataclasses import dataclass, replace

import torch

from medsym.errors import ConfigError
from medsym.synthesis.anatomy import Anatomy, load_folder
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.generator import draw
from medsym.synthesis.settings import SourceConfig, SynthesisConfig
from medsym.synthesis.shapes import LesionShape, load_shapes

logger = logging.getLogger(__name__)

SPLITS = ("train", "reference", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Anatomies and lesion shapes of one split; cases of two splits share no random number."""

    anatomies: tuple[Anatomy, ...]
    shapes: tuple[LesionShape, ...]
    split: str = "train"

    def to(self, device: torch.device) -> "Sources":
        """The same with its anatomies on a device."""
        return replace(self, anatomies=tuple(anatomy.to(device) for anatomy in self.anatomies))


def subjects_of(source: SourceConfig, *, split: str) -> tuple[str, ...]:
    """Names of the label maps of a split; empty where the template is the only anatomy.

    Raises:
        ConfigError: MS-180, there is no such split.
    """
    if split not in SPLITS:
        raise ConfigError(
            code="MS-180",
            subject="split",
            cause=f"{split!r} is no split",
            fix="Use train, reference or test",
        )
    lists = (source.train_subjects, source.reference_subjects, source.test_subjects)
    return dict(zip(SPLITS, lists, strict=True))[split]


def load_sources(config: SynthesisConfig, *, split: str) -> Sources:
    """Load what one split may draw from; the template when no label maps are configured.

    Args:
        config: folders and lists of subjects.
        split: "train", "reference" or "test".

    Raises:
        ConfigError: on another split, or when the split has no anatomy.
        AnatomyError: when a file is missing or unusable.
    """
    source, subjects = config.source, subjects_of(config.source, split=split)
    if source.label_maps is None:
        from medsym.synthesis.template import template_anatomy  # needs nilearn

        anatomies: tuple[Anatomy, ...] = (template_anatomy(),)
    else:
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
    return Sources(anatomies=anatomies, shapes=shapes, split=split)


def _generator(seed: int, *, split: str, index: int) -> torch.Generator:
    """Numbers of one case; a hash, so that neighbouring seeds and cases share none."""
    digest = hashlib.sha256(f"{seed}/{split}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))


def anatomy_number(count: int, *, seed: int, split: str, index: int) -> int:
    """Which of so many anatomies case `index` of a stream is drawn from, without drawing it."""
    return int(torch.randint(count, (), generator=_generator(seed, split=split, index=index)))


def draw_case(
    sources: Sources, *, config: SynthesisConfig, canvas: Canvas, seed: int, index: int
) -> SyntheticCase:
    """Case number `index` of the stream with a seed; always the same on one kind of device.

    Args:
        sources: anatomies and shapes of a split, on the canvas's device.
        config: every range.
        canvas: grid and device.
        seed: of the stream.
        index: 0 and up.
    """
    generator = _generator(seed, split=sources.split, index=index)
    pick = int(torch.randint(len(sources.anatomies), (), generator=generator))
    anatomy = sources.anatomies[pick]
    return draw(anatomy, canvas=canvas, generator=generator, config=config, shapes=sources.shapes)
