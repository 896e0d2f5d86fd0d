"""Which training subjects a configuration asks for: synthetic ones, or the user's own scans."""

import logging
from collections.abc import Callable

import torch
from torch import distributed
from torch.utils.data import Dataset, Subset

from medsym.datasets.layouts import list_visits, summary
from medsym.datasets.split import visits_of
from medsym.datasets.survey import prepare_all, refuse_twins, requests_of
from medsym.datasets.tally import tell_contents
from medsym.inference.clock import one_thread
from medsym.synthesis.case import SyntheticCase
from medsym.training.data import SyntheticSubjects
from medsym.training.settings import TrainSettings
from medsym.training.user_subjects import MixedSubjects, UserSubjects
from medsym.volumes.frame import SymmetricGrid

logger = logging.getLogger(__name__)
Report = Callable[[str], None]


def make_dataset(
    settings: TrainSettings,
    *,
    split: str,
    device: torch.device | str = "cpu",
    report: Report = logger.info,
) -> Dataset[SyntheticCase]:
    """Training subjects of a split: synthetic ones, or the user's scans as ``data`` says.

    The scans of the split are prepared into ``data.cache`` first; a run that finds them there
    begins at once. Under torchrun the processes share that work.

    Args:
        settings: Of the run.
        split: "train"; "test", as inference sees scans; "reference", the same without any lesion.
        device: Where lesions and scanner effects are drawn; cases are handed out on the CPU.
        report: Receives one line per scan that is left out, progress and totals.

    Returns:
        Cases by index, which may be any number from 0 on; ``len`` of the user's scans is the number
        of subjects. Their structures are all -1: not known. Empty when "reference" holds patients
        alone.

    Raises:
        ConfigError: The data cannot be used as they are; the message names the file.
    """
    grid = SymmetricGrid.spanning(settings.model.spacing_mm)
    synthetic = SyntheticSubjects(
        settings.synthesis, grid=grid, seed=settings.seed, split=split, device=device
    )
    if settings.data.layout == "synthetic":
        return synthetic
    visits = list_visits(settings.data)
    refuse_twins(visits, settings=settings.data)
    chosen = visits_of(visits, split=split, settings=settings.data)
    report(f"{settings.data.layout} data: {summary(visits)}")
    kept = len(chosen)
    if split == "reference":
        chosen = tuple(visit for visit in chosen if not visit.of_patient)
    with one_thread():
        usable = prepare_all(
            chosen,
            settings=settings.data,
            grid=grid,
            workers=settings.workers,
            start=_place_among_ranks(),
            report=report,
        )
    if split == "reference" and not usable:
        report(f"reference: none of the {kept} visits kept for it is of a healthy person")
        return Subset(synthetic, [])
    report(f"{split}: {summary(usable)}")
    asked = [request for _, request in requests_of(usable, settings=settings.data, grid=grid)]
    tell_contents(asked, settings=settings.data, report=report)
    subjects = UserSubjects(usable, settings=settings, grid=grid, split=split, device=device)
    if split != "train" or settings.data.synthetic_share == 0.0:
        return subjects
    return MixedSubjects(subjects, synthetic, synthetic_share=settings.data.synthetic_share)


def _place_among_ranks() -> float:
    """Where this process begins, so that those that train together share the preparation."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank() / distributed.get_world_size()
    return 0.0
