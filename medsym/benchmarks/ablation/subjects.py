"""The subjects that all networks share: drawn once, cut to their box, kept as small files."""

import io
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import torch

from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.models.structures import mirror_permutation
from medsym.synthesis.dataset import load_sources
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.data import SyntheticSubjects, collate
from medsym.training.losses import Batch
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.output_file import write_atomically

Report = Callable[[str], None]
SPLITS = ("train", "test")


class SubjectFiles:
    """Stored subjects of one ablation; ``files.read("train", 3)`` is one batch of one subject.

    Args:
        folder: Where results are kept; subjects get a folder of their own in it.
        settings: Of the ablation.
    """

    def __init__(self, folder: Path, settings: AblationSettings) -> None:
        self.folder = folder / f"subjects-{settings.subjects_key()}"
        self.settings = settings

    def path(self, split: str, index: int) -> Path:
        """File of a subject."""
        return self.folder / f"{split}-{index:05d}.npz"

    def missing(self) -> list[tuple[str, int]]:
        """Subjects that are not drawn yet."""
        wanted = zip(SPLITS, (self.settings.subjects, self.settings.test_subjects), strict=True)
        every = [(split, index) for split, count in wanted for index in range(count)]
        return [(split, index) for split, index in every if not self.path(split, index).is_file()]

    def read(self, split: str, index: int) -> Batch:
        """A drawn subject, as it was before storing but for an image in half precision."""
        with np.load(self.path(split, index), allow_pickle=False) as stored:
            shape = stored["structures"].shape
            masks = np.unpackbits(stored["masks"], axis=-1, count=shape[-1])
            volumes = {
                "image": torch.from_numpy(stored["image"].astype(np.float32)),
                "structures": torch.from_numpy(stored["structures"].astype(np.int64)),
                "lesion": torch.from_numpy(masks[0].astype(np.float32)),
                "brain": torch.from_numpy(masks[1].astype(np.float32)),
            }
        return Batch(**{name: volume[None, None] for name, volume in volumes.items()})

    def write(self, split: str, index: int, batch: Batch) -> None:
        """Keep a batch of one subject."""
        masks = np.stack([(t[0, 0] > 0.5).numpy() for t in (batch.lesion, batch.brain)])
        content = io.BytesIO()
        np.savez_compressed(
            content,
            image=batch.image[0, 0].numpy().astype(np.float16),
            structures=batch.structures[0, 0].numpy().astype(np.uint8),
            masks=np.packbits(masks, axis=-1),
        )
        write_atomically(self.path(split, index), content.getvalue())


def draw_missing(
    files: SubjectFiles, *, context: BaseContext, processes: int, report: Report
) -> None:
    """Draw the subjects that are not there yet; the sources are opened and kept first.

    Raises:
        ConfigError, AnatomyError: The configured sources cannot be used.
    """
    missing = files.missing()
    if not missing:
        return
    files.folder.mkdir(parents=True, exist_ok=True)
    workers = min(processes, len(missing))
    report(f"drawing {len(missing)} subjects with {workers} processes")
    with context.Pool(workers, initializer=one_thread) as pool:
        pool.starmap(_open_sources, shares_of(files), chunksize=1)
        jobs = ((files, split, index) for split, index in missing)
        for done, _ in enumerate(pool.imap_unordered(_draw, jobs, chunksize=2), start=1):
            if done % 200 == 0:
                report(f"{done}/{len(missing)} subjects")


def one_thread() -> None:
    """Start of every process: the others need the cores."""
    torch.set_num_threads(1)


def kept_sources(files: SubjectFiles) -> SynthesisConfig:
    """The synthesis of what training needs; label maps are resampled once and kept on disk."""
    config = files.settings.synthesis.model_copy(update={"truths": False})
    if config.source.cache is not None:
        return config
    source = config.source.model_copy(update={"cache": files.folder.parent / "anatomies"})
    return config.model_copy(update={"source": source})


def shares_of(files: SubjectFiles) -> list[tuple[SynthesisConfig, str]]:
    """The sources in parts that can be opened, and kept, side by side: one label map each.

    Every lesion folder is opened with one of them, and no two parts open the same file.
    """
    config = kept_sources(files)
    maps = [
        (split, name) for split in SPLITS for name in getattr(config.source, f"{split}_subjects")
    ]
    if config.source.label_maps is None:
        return [(config, SPLITS[0])]
    shares = []
    for place, (split, name) in enumerate(maps):
        folders = config.source.lesion_folders[place :: len(maps)]
        parts = {f"{split}_subjects": (name,), "lesion_folders": folders}
        source = config.source.model_copy(update=parts)
        shares.append((config.model_copy(update={"source": source}), split))
    return shares


def _open_sources(config: SynthesisConfig, split: str) -> None:
    load_sources(config, split=split)


@lru_cache(maxsize=len(SPLITS))
def _subjects(folder: str, settings_json: str, split: str) -> SyntheticSubjects:
    """The dataset of a split, kept by the process that draws from it."""
    settings = AblationSettings.model_validate_json(settings_json)
    files = SubjectFiles(Path(folder), settings)
    grid = SymmetricGrid.spanning(settings.model.spacing_mm)
    return SyntheticSubjects(kept_sources(files), grid=grid, seed=settings.seed, split=split)


def _draw(job: tuple[SubjectFiles, str, int]) -> None:
    files, split, index = job
    settings = files.settings
    subjects = _subjects(str(files.folder.parent), settings.model_dump_json(), split)
    multiple = 2 ** (len(settings.model.pairs) - 1)
    files.write(split, index, collate([subjects[index]], multiple=multiple))


def mirrored(batch: Batch) -> Batch:
    """The same subjects with left and right exchanged, structures by name."""
    swap = torch.tensor(mirror_permutation())
    return Batch(
        image=batch.image.flip(2),
        structures=swap[batch.structures.flip(2)],
        lesion=batch.lesion.flip(2),
        brain=batch.brain.flip(2),
    )


def order_of(seed: int, *, subjects: int, step: int) -> int:
    """Subject of a step: every pass over the subjects has an order of its own.

    Args:
        seed: Of the training; all networks of a seed meet the same subjects in the same order.
        subjects: Number of subjects.
        step: 0 and up.
    """
    turn, place = divmod(step, subjects)
    return _order(seed, subjects, turn)[place]


@lru_cache(maxsize=2)
def _order(seed: int, subjects: int, turn: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed * 7919 + turn)
    return tuple(torch.randperm(subjects, generator=generator).tolist())
