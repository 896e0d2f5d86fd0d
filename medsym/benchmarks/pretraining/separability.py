"""What the two parts of a latent know: anatomy, side and pathology, asked by linear probes.

Every scan is asked about as it is and mirrored, so a question whose answer swaps under the mirror
(which side?) has exactly as many left as right answers, and its two scans have the same symmetric
features: from them it can only be answered by chance. The question about the presence of a lesion
is put to the same head with and without its lesions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medsym.benchmarks.pretraining.subjects import Population, Subject
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.symmetry.mirror import flip
from medsym.training.pretraining.pooled import (
    PARTS,
    PooledLatent,
    both_sides,
    pool_latent,
    structure_regions,
)
from medsym.training.pretraining.probes import ProbeScore, Samples, probe

BRAIN, PLACE = "brain", "place"
QUESTIONS = {
    "structure": "which structure, without its side; its place in unseen heads",
    "head": "which of the known heads; brain, new draws",
    "mirrored": "the scan or its mirror image; brain, unseen heads",
    "lesion": "with or without lesion; its place in unseen heads",
    "lesion side": "lesion left or right; its place in unseen heads",
}
_OTHER = {"left": "right", "right": "left"}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Pooled latent of one pass and what is true of it."""

    subject: int
    latent: PooledLatent
    mirrored: bool
    lesion: bool
    anatomy: str
    side: str


Answers = Callable[[View], Iterator[tuple[str, str]]]
"""Pairs (region, answer) that a pass gives for a question."""


def _structure(view: View) -> Iterator[tuple[str, str]]:
    regions = view.latent.symmetric
    yield from ((name, name) for name in regions if name not in (BRAIN, PLACE))


def _head(view: View) -> Iterator[tuple[str, str]]:
    if not view.lesion:
        yield BRAIN, view.anatomy


def _mirrored(view: View) -> Iterator[tuple[str, str]]:
    if not view.lesion:
        yield BRAIN, "mirrored" if view.mirrored else "original"


def _lesion(view: View) -> Iterator[tuple[str, str]]:
    if PLACE in view.latent.symmetric:
        yield PLACE, "lesion" if view.lesion else "none"


def _lesion_side(view: View) -> Iterator[tuple[str, str]]:
    if view.lesion and view.side and PLACE in view.latent.symmetric:
        yield PLACE, _OTHER[view.side] if view.mirrored else view.side


_ASKED: Mapping[str, Answers] = {
    "structure": _structure,
    "head": _head,
    "mirrored": _mirrored,
    "lesion": _lesion,
    "lesion side": _lesion_side,
}


def ask(
    network: AsymmetryNet, population: Population, *, probe_subjects: int
) -> dict[tuple[str, str], ProbeScore]:
    """Score of every question that can be asked, by (question, part).

    Args:
        network: In evaluation mode.
        population: Probes are fitted on the pool, scored on the other subjects.
        probe_subjects: How many of the pool.
    """
    fitted = _views(network, population.pool[:probe_subjects])
    unseen = _views(network, population.unseen)
    known = _views(network, population.known)
    found = {}
    for question in QUESTIONS:
        for part in PARTS:
            given = _samples(fitted, question, part)
            if len(set(given.answers.tolist())) > 1:
                asked = known if question == "head" else unseen
                found[question, part] = probe(given, _samples(asked, question, part))
    return found


def _views(network: AsymmetryNet, subjects: Sequence[Subject]) -> list[View]:
    """Four passes per subject: with and without lesions, as it is and mirrored."""
    found = []
    for number, subject in enumerate(subjects):
        regions = {BRAIN: both_sides(subject.brain)}
        if bool(subject.lesion.any()):
            regions[PLACE] = both_sides(subject.lesion)
        structures = structure_regions(subject.structures.long())
        for lesion, image in ((True, subject.image), (False, subject.healthy)):
            for mirrored in (False, True):
                volume = flip(image.float()) if mirrored else image.float()
                wanted = regions if lesion or mirrored else {**regions, **structures}
                found.append(
                    View(
                        subject=number,
                        latent=pool_latent(network, volume, wanted),
                        mirrored=mirrored,
                        lesion=lesion,
                        anatomy=subject.anatomy,
                        side=subject.side,
                    )
                )
    return found


def _samples(views: Sequence[View], question: str, part: str) -> Samples:
    rows = [
        (getattr(view.latent, part)[region], answer, view.subject)
        for view in views
        for region, answer in _ASKED[question](view)
    ]
    return Samples(
        features=torch.stack([features for features, _, _ in rows]).double().numpy(),
        answers=np.array([answer for _, answer, _ in rows]),
        subjects=np.array([subject for _, _, subject in rows], dtype=np.int64),
    )
