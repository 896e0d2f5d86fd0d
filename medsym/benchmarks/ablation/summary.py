"""Means over seeds, and paired differences between networks with bootstrap intervals.

A resample draws test subjects and seeds with replacement, the same for both sides of a difference:
all networks meet the same subjects, and those of a seed the same order of training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from medsym.benchmarks.ablation.scores import NUMBERS, mean
from medsym.benchmarks.ablation.settings import ARMS, TITLES, WITH, WITHOUT, AblationSettings
from medsym.benchmarks.ablation.shared_subjects import different_subjects, without_subjects
from medsym.evaluation.bootstrap import interval
from medsym.evaluation.precision_recall import area_from_counts

Row = Mapping[str, Any]
SIZES = ("small", "medium", "large")
SCORES = ("auprc", "subject_auprc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Mean of some arms minus mean of others; positive: the first are better."""

    title: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]


def contrasts() -> list[Contrast]:
    """What the exchange gives with every softness and what softness gives with and without it."""
    kinds = [k for k in TITLES if f"{k}-{WITH}" in ARMS and f"{k}-{WITHOUT}" in ARMS]
    found = [
        Contrast(
            title=f"exchange, {TITLES[kind]}",
            plus=(f"{kind}-{WITH}",),
            minus=(f"{kind}-{WITHOUT}",),
        )
        for kind in kinds
    ]
    found += [
        Contrast(
            title="exchange, mean of strict, soft and free",
            plus=tuple(f"{kind}-{WITH}" for kind in kinds if kind != "flips"),
            minus=tuple(f"{kind}-{WITHOUT}" for kind in kinds if kind != "flips"),
        )
    ]
    pairs = [("head", "strict"), ("encoder", "strict"), ("strict", "free"), ("strict", "flips")]
    pairs += [("head", "free"), ("encoder", "free"), ("flips", "free")]
    found += [
        Contrast(
            title=f"{TITLES[first]} - {TITLES[second]}, {words}",
            plus=(f"{first}-{end}",),
            minus=(f"{second}-{end}",),
        )
        for end, words in ((WITH, "with exchange"), (WITHOUT, "without"))
        for first, second in pairs
    ]
    found += [
        Contrast(
            title=f"{TITLES[kind]} with exchange - plain U-Net{words}",
            plus=(f"{kind}-{WITH}",),
            minus=(f"{plain}-{WITHOUT}",),
        )
        for kind in ("strict", "head", "encoder")
        for plain, words in (("free", ""), ("flips", " with flips"))
    ]
    return found


def summarise(rows: Sequence[Row], *, settings: AblationSettings) -> dict[str, Any]:
    """Arms and differences.

    Args:
        rows: Finished trainings.
        settings: Bootstrap and size limits.

    Returns:
        ``arms``: per arm ``seeds``, means over seeds of every score with ``_sd``, intervals of
        both areas, ``by_size``; ``differences``: per contrast whose arms are there, title, value
        and interval of both areas; ``subjects``: how many there are of each size, and
        ``left_out`` the numbers of those that are not the same in all rows, which nothing counts.
    """
    left_out = different_subjects(rows)
    if left_out:
        rows = [without_subjects(row, left_out) for row in rows]
    by_arm = {name: {r["seed"]: r for r in rows if r["arm"] == name} for name in ARMS}
    by_arm = {name: found for name, found in by_arm.items() if found}
    weights = _subject_weights(len(rows[0]["per_subject"]["dice"]), settings.resamples)
    draws = {
        name: {seed: _resampled(row, weights) for seed, row in found.items()}
        for name, found in by_arm.items()
    }
    return {
        "arms": [
            _arm(name, found, draws[name], settings=settings) for name, found in by_arm.items()
        ],
        "differences": [
            _difference(contrast, by_arm, draws)
            for contrast in contrasts()
            if set(contrast.plus + contrast.minus) <= set(by_arm)
            and _shared_seeds(contrast, by_arm)
        ],
        "subjects": _counts(rows[0], settings),
        "left_out": left_out,
    }


def _subject_weights(subjects: int, resamples: int) -> Tensor:
    """(resamples, subjects) how often each subject is drawn."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, subjects, (resamples, subjects), generator=generator)
    return torch.zeros(resamples, subjects).scatter_add_(1, drawn, torch.ones(drawn.shape))


def _drawn_seeds(seeds: int, resamples: int) -> Tensor:
    """(resamples, seeds) places of the seeds that are drawn."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, seeds, (resamples, seeds), generator=generator)


def _resampled(row: Row, weights: Tensor) -> dict[str, Tensor]:
    """(resamples,) both areas of one training."""
    per_subject = row["per_subject"]
    histogram = torch.tensor(per_subject["histogram"]).float()
    summed = (weights @ histogram.flatten(1)).reshape(len(weights), *histogram.shape[1:])
    areas = torch.tensor([float("nan") if a is None else a for a in per_subject["auprc"]])
    ill = ~areas.isnan()
    total = (weights[:, ill]).sum(1).clamp_min(1.0)
    return {
        "auprc": area_from_counts(summed).float(),
        "subject_auprc": weights[:, ill] @ areas[ill] / total,
    }


def _over_seeds(
    draws: Mapping[int, Mapping[str, Tensor]], seeds: Sequence[int]
) -> dict[str, Tensor]:
    """(resamples,) means over drawn seeds; equal numbers of seeds draw equal places."""
    stacked = {s: torch.stack([draws[seed][s] for seed in seeds], dim=1) for s in SCORES}
    which = _drawn_seeds(len(seeds), len(stacked[SCORES[0]]))
    return {name: values.gather(1, which).mean(1) for name, values in stacked.items()}


def _arm(
    name: str,
    found: Mapping[int, Row],
    draws: Mapping[int, Mapping[str, Tensor]],
    *,
    settings: AblationSettings,
) -> dict[str, Any]:
    arm = ARMS[name]
    row: dict[str, Any] = {"name": name, "title": TITLES[arm.softness], "exchange": arm.exchange}
    first = next(iter(found.values()))
    row |= {"seeds": len(found), "parameters": first["parameters"], "rate": first["rate"]}
    for number in (*NUMBERS, "last_loss", "train_cpu_seconds"):
        values = [r[number] for r in found.values() if r[number] is not None]
        row[number] = mean(values)
        row[f"{number}_sd"] = _sd(values)
    drawn = _over_seeds(draws, sorted(found))
    row |= {f"{score}_interval": interval(drawn[score]) for score in SCORES}
    sizes = [_by_size(r, settings) for r in found.values()]
    row["by_size"] = {size: mean([s[size] for s in sizes]) for size in SIZES}
    return row


def _size(volume_ml: float, settings: AblationSettings) -> str:
    low, high = settings.size_ml
    return SIZES[0] if volume_ml < low else SIZES[2] if volume_ml > high else SIZES[1]


def _by_size(row: Row, settings: AblationSettings) -> dict[str, float]:
    """Mean area per subject for each size of its lesions."""
    subjects = row["per_subject"]
    pairs = [(v, a) for v, a in zip(subjects["volume_ml"], subjects["auprc"], strict=True) if v > 0]
    return {s: mean([a for v, a in pairs if _size(v, settings) == s]) for s in SIZES}


def _counts(row: Row, settings: AblationSettings) -> dict[str, int]:
    """Test subjects without a lesion and with lesions of each size."""
    volumes = row["per_subject"]["volume_ml"]
    sizes = [_size(v, settings) for v in volumes if v > 0]
    return {"healthy": sum(v == 0 for v in volumes), **{s: sizes.count(s) for s in SIZES}}


def _shared_seeds(contrast: Contrast, by_arm: Mapping[str, Mapping[int, Row]]) -> list[int]:
    names = contrast.plus + contrast.minus
    return sorted(set.intersection(*(set(by_arm[name]) for name in names)))


def _difference(
    contrast: Contrast,
    by_arm: Mapping[str, Mapping[int, Row]],
    draws: Mapping[str, Mapping[int, Mapping[str, Tensor]]],
) -> dict[str, Any]:
    seeds = _shared_seeds(contrast, by_arm)
    result: dict[str, Any] = {"title": contrast.title, "seeds": len(seeds)}
    drawn = {n: _over_seeds(draws[n], seeds) for n in contrast.plus + contrast.minus}
    for score in SCORES:
        single = [
            mean([by_arm[n][seed][score] for n in contrast.plus])
            - mean([by_arm[n][seed][score] for n in contrast.minus])
            for seed in seeds
        ]
        spread = torch.stack([drawn[n][score] for n in contrast.plus]).mean(0) - torch.stack(
            [drawn[n][score] for n in contrast.minus]
        ).mean(0)
        result[score] = mean(single)
        result[f"{score}_sd"] = _sd(single)
        result[f"{score}_interval"] = interval(spread)
    return result


def _sd(values: Sequence[float]) -> float:
    """Standard deviation over seeds; NaN for one."""
    return (
        float(torch.tensor(values, dtype=torch.float64).std()) if len(values) > 1 else float("nan")
    )
