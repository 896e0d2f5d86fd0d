"""One pre-training or training of the benchmark, and the scores of the result."""

import time
from pathlib import Path
from typing import Any

import torch

from medsym.benchmarks.ablation.scores import score
from medsym.benchmarks.pretraining.settings import PretrainBenchSettings
from medsym.benchmarks.pretraining.subjects import PoolImages, Population, Subject, order_of
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.training.pretraining.data import ViewsOf, collate_views
from medsym.training.pretraining.run import run_steps, write_pretrained
from medsym.training.pretraining.state import build_pretraining
from medsym.training.settings import TrainSettings
from medsym.training.state import build_state
from medsym.training.step import Stepper

CPU = torch.device("cpu")


def pretrain_on(
    pool: list[Subject], *, settings: PretrainBenchSettings, seed: int, split: bool, folder: Path
) -> float:
    """Pre-train on the images of the pool, as ``medsym pretrain`` does.

    Args:
        pool: Subjects, whose labels are not used.
        settings: Of the benchmark.
        seed: Of weights, order and corruption.
        split: Learn from the parts of the latent apart.
        folder: The model is written here.

    Returns:
        Processor time in seconds.
    """
    how = settings.pretraining(seed=seed, split=split)
    start = time.process_time()
    state = build_pretraining(how, CPU)
    views = ViewsOf(
        PoolImages(pool, seed=seed),
        corruption=how.corruption,
        spacing_mm=how.model.spacing_mm,
        seed=seed,
    )
    multiple = state.reader.network.size_multiple
    batch = how.optimiser.batch
    batches = (
        collate_views([views[step * batch + k] for k in range(batch)], multiple=multiple)
        for step in range(how.optimiser.steps)
    )
    run_steps(state, batches, settings=how, device=CPU)
    seconds = time.process_time() - start
    write_pretrained(state.reader.network, how, folder=folder)
    return seconds


def fine_tune(pool: list[Subject], *, settings: TrainSettings) -> AsymmetryNet:
    """Train on the labels of the pool, as ``medsym train`` does.

    Args:
        pool: Subjects with labels; met over and over in an order of the seed.
        settings: Of the training; its ``start_from`` is the pre-trained model or None.

    Returns:
        The averaged network, in evaluation mode.
    """
    torch.manual_seed(settings.seed)
    state = build_state(settings, CPU)
    step = Stepper(state, settings)
    for index in range(settings.optimiser.steps):
        step(pool[order_of(settings.seed, subjects=len(pool), step=index)].batch())
    network = state.average.module
    assert isinstance(network, AsymmetryNet)
    return network.eval()


def score_start(
    start: str,
    population: Population,
    *,
    settings: PretrainBenchSettings,
    seed: int,
    labelled: int,
    start_from: Path | None,
) -> dict[str, Any]:
    """Train from one kind of start with so many labelled subjects, and score on unseen ones."""
    how = settings.fine_tuning(seed=seed, longer=start == "longer", start_from=start_from)
    begun = time.process_time()
    network = fine_tune(population.pool[:labelled], settings=how)
    seconds = time.process_time() - begun
    scores = score(
        network,
        [subject.batch() for subject in population.unseen],
        voxel_ml=settings.model.spacing_mm**3 / 1000.0,
        mirrored_subjects=0,
    )
    return {
        "start": start,
        "labelled": labelled,
        "seed": seed,
        "steps": how.optimiser.steps,
        "cpu_seconds": seconds,
        **{name: scores[name] for name in ("auprc", "dice", "prevalence", "per_subject")},
    }
