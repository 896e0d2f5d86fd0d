"""Subjects that all networks of the benchmark share: drawn once, kept in small types."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from medsym.benchmarks.pretraining.settings import PretrainBenchSettings
from medsym.models.support import support_box
from medsym.synthesis.case import SyntheticCase
from medsym.training.data import SyntheticSubjects
from medsym.training.losses import Batch
from medsym.volumes.frame import SymmetricGrid

Report = Callable[[str], None]
_SMALL = {
    "image": torch.float16,
    "healthy": torch.float16,
    "structures": torch.uint8,
    "lesion": torch.bool,
    "brain": torch.bool,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A synthetic subject cut to the box that holds its head; volumes (x, y, z) in small types.

    Attributes:
        image, healthy: With and without its lesions.
        structures, lesion, brain: As in :class:`medsym.synthesis.generator.SyntheticCase`.
        anatomy: Name of the head it was made from.
        side: "left" or "right" when all its lesions lie on one side, else "".
    """

    image: Tensor
    healthy: Tensor
    structures: Tensor
    lesion: Tensor
    brain: Tensor
    anatomy: str
    side: str

    def batch(self) -> Batch:
        """The subject as a batch of one, for training and scoring."""
        return Batch(
            image=self.image.float()[None, None],
            structures=self.structures.long()[None, None],
            lesion=self.lesion.float()[None, None],
            brain=self.brain.float()[None, None],
        )


class PoolImages:
    """Scans of a pool without labels, over and over in orders that depend on a seed."""

    def __init__(self, subjects: list[Subject], *, seed: int) -> None:
        self.subjects = subjects
        self.seed = seed

    def __getitem__(self, index: int) -> Tensor:
        """Scan of draw ``index``."""
        place = order_of(self.seed, subjects=len(self.subjects), step=index)
        return self.subjects[place].image.float()


def order_of(seed: int, *, subjects: int, step: int) -> int:
    """Subject of a step: every pass over them has an order of its own, which the seed decides."""
    turn, place = divmod(step, subjects)
    generator = torch.Generator().manual_seed(seed * 7919 + turn)
    return int(torch.randperm(subjects, generator=generator)[place])


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """The subjects of the benchmark.

    Attributes:
        pool: For pre-training, fine-tuning and fitting probes.
        known: Further draws of the same anatomies as the pool's.
        unseen: Draws of test anatomies.
    """

    pool: list[Subject]
    known: list[Subject]
    unseen: list[Subject]


def draw_population(
    settings: PretrainBenchSettings, *, out: Path | None, report: Report
) -> Population:
    """All subjects, from the folder if they lie there.

    Raises:
        ConfigError, AnatomyError: The configured sources cannot be used.
    """
    wanted = {
        "pool": ("train", settings.seed, settings.subjects),
        "known": ("train", settings.seed + 1, settings.test_subjects),
        "unseen": ("test", settings.seed, settings.test_subjects),
    }
    found = {}
    for name, (split, seed, number) in wanted.items():
        path = None
        if out is not None:
            path = out / f"{name}-{number}-{settings.subjects_key()}.safetensors"
        if path is not None and path.is_file():
            found[name] = _read(path)
            continue
        report(f"drawing {number} subjects: {name}")
        found[name] = _draw(settings, split=split, seed=seed, number=number)
        if path is not None:
            _write(path, found[name])
    return Population(**found)


def _draw(settings: PretrainBenchSettings, *, split: str, seed: int, number: int) -> list[Subject]:
    grid = SymmetricGrid.spanning(settings.model.spacing_mm)
    subjects = SyntheticSubjects(settings.synthesis, grid=grid, seed=seed, split=split)
    multiple = 2 ** (len(settings.model.pairs) - 1)
    return [_subject(subjects[index], multiple=multiple) for index in range(number)]


def _subject(case: SyntheticCase, *, multiple: int) -> Subject:
    assert case.healthy is not None
    filled = (case.image != 0) | (case.healthy != 0)
    box = support_box(filled.numpy(), multiple=multiple)
    volumes = {n: getattr(case, n)[box].to(kind).contiguous() for n, kind in _SMALL.items()}
    sides = {record.side for record in case.records}
    side = sides.pop() if len(sides) == 1 else ""
    return Subject(**volumes, anatomy=case.anatomy, side=side if side != "both" else "")


def _write(path: Path, subjects: list[Subject]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    words = {"number": str(len(subjects))}
    for index, subject in enumerate(subjects):
        tensors |= {f"{index}.{name}": getattr(subject, name) for name in _SMALL}
        words |= {f"{index}.anatomy": subject.anatomy, f"{index}.side": subject.side}
    temporary = path.with_suffix(f".{os.getpid()}.part")
    save_file(tensors, temporary, metadata=words)
    temporary.replace(path)


def _read(path: Path) -> list[Subject]:
    with safe_open(path, framework="pt") as stored:
        words = stored.metadata()
        return [
            Subject(
                **{name: stored.get_tensor(f"{index}.{name}") for name in _SMALL},
                anatomy=words[f"{index}.anatomy"],
                side=words[f"{index}.side"],
            )
            for index in range(int(words["number"]))
        ]
