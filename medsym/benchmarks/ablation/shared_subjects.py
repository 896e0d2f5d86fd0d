"""Test subjects that all trainings met alike, where trainings come from several machines.

A subject is drawn again from its number on every machine, and versions of torch may round a rare
draw to the other side of a limit: then two machines have other subjects of that number, and no
difference between their networks may count it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from medsym.benchmarks.ablation.scores import mean
from medsym.evaluation.precision_recall import area_from_counts

Row = Mapping[str, Any]
_SAME_ML = 1e-3  # lesions of one subject; a voxel of 3 mm has 0.027


def different_subjects(rows: Sequence[Row]) -> list[int]:
    """Numbers of the test subjects whose lesion or brain is not the same in all rows.

    Args:
        rows: Finished trainings, see :func:`medsym.benchmarks.ablation.scores.score`.
    """
    volumes = torch.tensor([row["per_subject"]["volume_ml"] for row in rows]).double()
    voxels = torch.stack([_histogram(row).sum((1, 2)) for row in rows])
    other = (volumes - volumes[0]).abs().amax(0) > _SAME_ML
    other |= (voxels != voxels[0]).any(0)
    return [int(index) for index in other.nonzero()[:, 0]]


def without_subjects(row: Row, numbers: Sequence[int]) -> dict[str, Any]:
    """A row as if these test subjects had not been tested.

    The pooled area comes from the counts between levels then, because voxels are not kept; its
    error is that of the bootstrap's areas. The mirror defect stays that of all subjects.
    """
    every = row["per_subject"]
    kept = [index for index in range(len(every["volume_ml"])) if index not in set(numbers)]
    subjects = {name: [values[index] for index in kept] for name, values in every.items()}
    counts = _histogram({"per_subject": subjects}).sum(0)
    ill = [volume > 0 for volume in subjects["volume_ml"]]
    healthy = [m for m, sick in zip(subjects["maximum"], ill, strict=True) if not sick]
    return {
        **row,
        "auprc": float(area_from_counts(counts)),
        "subject_auprc": mean([a for a in subjects["auprc"] if a is not None]),
        "prevalence": float(counts[1].sum() / counts.sum()),
        "dice": mean(subjects["dice"]),
        "healthy_maximum": mean(healthy) if healthy else None,
        "per_subject": subjects,
    }


def _histogram(row: Row) -> Tensor:
    """(subjects, 2, bins) voxels between the levels of the score: others, lesions."""
    return torch.tensor(row["per_subject"]["histogram"]).double()
