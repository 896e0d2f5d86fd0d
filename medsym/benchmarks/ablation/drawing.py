"""Drawing the subjects of an ablation, several at a time."""

from collections.abc import Callable
from functools import lru_cache
from multiprocessing.context import BaseContext
from pathlib import Path

from medsym.benchmarks.ablation.processes import begin
from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.benchmarks.ablation.subjects import SubjectFiles
from medsym.synthesis.dataset import load_sources
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.data import SyntheticSubjects, collate

Report = Callable[[str], None]
_REPORT_EVERY = 200  # subjects


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
    with context.Pool(workers, initializer=begin, initargs=("cpu",)) as pool:
        pool.starmap(_open_sources, shares_of(files), chunksize=1)
        jobs = ((files, split, index) for split, index in missing)
        for done, _ in enumerate(pool.imap_unordered(_draw, jobs, chunksize=2), start=1):
            if done % _REPORT_EVERY == 0:
                report(f"{done}/{len(missing)} subjects")


def kept_sources(files: SubjectFiles, split: str) -> SynthesisConfig:
    """The synthesis of a split; label maps are resampled once and kept on disk."""
    config = files.settings.synthesis_of(split)
    if config.source.cache is not None:
        return config
    source = config.source.model_copy(update={"cache": files.folder.parent / "anatomies"})
    return config.model_copy(update={"source": source})


def shares_of(files: SubjectFiles) -> list[tuple[SynthesisConfig, str]]:
    """The sources in parts that can be opened, and kept, side by side: one label map each.

    Every lesion folder is opened with one of them, and no two parts open the same file.
    """
    config, splits = kept_sources(files, "train"), files.settings.counts()
    maps = [
        (split, name) for split in splits for name in getattr(config.source, f"{split}_subjects")
    ]
    if config.source.label_maps is None:
        return [(config, "train")]
    shares = []
    for place, (split, name) in enumerate(maps):
        folders = config.source.lesion_folders[place :: len(maps)]
        parts = {f"{split}_subjects": (name,), "lesion_folders": folders}
        source = config.source.model_copy(update=parts)
        shares.append((config.model_copy(update={"source": source}), split))
    return shares


def _open_sources(config: SynthesisConfig, split: str) -> None:
    load_sources(config, split=split)


@lru_cache(maxsize=3)
def _subjects(folder: str, settings_json: str, split: str) -> SyntheticSubjects:
    """The dataset of a split, kept by the process that draws from it."""
    settings = AblationSettings.model_validate_json(settings_json)
    files = SubjectFiles(Path(folder), settings)
    return SyntheticSubjects(
        kept_sources(files, split), grid=files.grid, seed=settings.seed, split=split
    )


def _draw(job: tuple[SubjectFiles, str, int]) -> None:
    files, split, index = job
    settings = files.settings.model_dump_json()
    subjects = _subjects(str(files.folder.parent), settings, split)
    files.write(split, index, collate([subjects[index]]))
