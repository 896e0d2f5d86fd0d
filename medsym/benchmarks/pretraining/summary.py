"""From single trainings and probes to the rows of the tables, with intervals.

A resample draws test subjects and seeds with replacement, the same for every kind of start, so the
difference from scratch is formed within each resample.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medsym.benchmarks.pretraining.settings import STARTS
from medsym.evaluation.bootstrap import interval
from medsym.evaluation.precision_recall import area_from_counts
from medsym.training.pretraining.probes import ProbeScore, resampled

Row = Mapping[str, Any]
SCORES = ("auprc", "dice")
REFERENCES = ("random", "longer")


def summarise(trained: Sequence[Row], asked: Sequence[Row], *, resamples: int) -> dict[str, Any]:
    """Rows of both tables.

    Args:
        trained: Every training with its scores.
        asked: Every network with its probes.
        resamples: Of the bootstrap.

    Returns:
        ``effect``: per number of labelled subjects and start, means over seeds of auprc and dice,
        with ``_interval``, and ``_over_random`` and ``_over_longer``: the difference with its
        interval; ``separability``: per network, question and part, mean accuracy over seeds with
        its interval, and chance.
    """
    effect = []
    for labelled in dict.fromkeys(row["labelled"] for row in trained):
        rows = {
            start: [r for r in trained if r["start"] == start and r["labelled"] == labelled]
            for start in STARTS
        }
        draws = {start: _draws(own, resamples=resamples) for start, own in rows.items()}
        for start, own in rows.items():
            effect.append(_effect(start, own, rows, draws))
    return {"effect": effect, "separability": _separability(asked, resamples=resamples)}


def _effect(
    start: str,
    own: Sequence[Row],
    rows: Mapping[str, Sequence[Row]],
    draws: Mapping[str, Mapping[str, Tensor]],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "start": start,
        "title": STARTS[start],
        "labelled": own[0]["labelled"],
        "seeds": len(own),
        "steps": own[0]["steps"],
        "prevalence": own[0]["prevalence"],
        "cpu_seconds": _mean(own, "cpu_seconds"),
    }
    for name in SCORES:
        row[name] = _mean(own, name)
        row[f"{name}_interval"] = interval(draws[start][name])
        row[f"{name}_per_seed"] = [r[name] for r in own]
        for reference in REFERENCES:
            difference = draws[start][name] - draws[reference][name]
            row[f"{name}_over_{reference}"] = row[name] - _mean(rows[reference], name)
            row[f"{name}_over_{reference}_interval"] = interval(difference)
    return row


def _mean(rows: Sequence[Row], name: str) -> float:
    return sum(float(row[name]) for row in rows) / len(rows)


def _draws(rows: Sequence[Row], *, resamples: int) -> dict[str, Tensor]:
    """(resamples,) of both scores, means over drawn seeds, on drawn test subjects."""
    generator = torch.Generator().manual_seed(0)
    subjects = len(rows[0]["per_subject"]["dice"])
    drawn = torch.randint(0, subjects, (resamples, subjects), generator=generator)
    weights = torch.zeros(resamples, subjects).scatter_add_(1, drawn, torch.ones(drawn.shape))
    which = torch.randint(0, len(rows), (resamples, len(rows)), generator=generator)
    per_seed: dict[str, list[Tensor]] = {name: [] for name in SCORES}
    for row in rows:
        counts = torch.tensor(row["per_subject"]["histogram"]).float()
        summed = (weights @ counts.flatten(1)).reshape(resamples, *counts.shape[1:])
        per_seed["auprc"].append(area_from_counts(summed).float())
        per_seed["dice"].append(weights @ torch.tensor(row["per_subject"]["dice"]) / subjects)
    return {n: torch.stack(v, dim=1).gather(1, which).mean(dim=1) for n, v in per_seed.items()}


def _separability(asked: Sequence[Row], *, resamples: int) -> list[dict[str, Any]]:
    rows = []
    for kind in dict.fromkeys(unit["kind"] for unit in asked):
        units = [unit for unit in asked if unit["kind"] == kind]
        for place, first in enumerate(units[0]["scores"]):
            scores = [_score(unit["scores"][place]) for unit in units]
            drawn = torch.from_numpy(resampled(scores, resamples=resamples))
            rows.append(
                {
                    "network": kind,
                    "question": first["question"],
                    "part": first["part"],
                    "chance": first["chance"],
                    "accuracy": sum(score.accuracy for score in scores) / len(scores),
                    "interval": interval(drawn),
                }
            )
    return rows


def _score(stored: Row) -> ProbeScore:
    return ProbeScore(
        accuracy=stored["accuracy"],
        chance=stored["chance"],
        right=np.array(stored["right"], dtype=np.int64),
        number=np.array(stored["number"], dtype=np.int64),
    )
