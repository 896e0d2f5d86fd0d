"""Scores on unseen synthetic subjects, beside the mirror difference that needs no training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from medsym.models.structures import STRUCTURES
from medsym.models.support import support_box
from medsym.training.loader import draw_each, synthesis_device
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset

_SMOOTHING_VOXELS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Voxel scores pooled over subjects; all in [0, 1], higher is better but for prevalence.

    Attributes:
        pathology: AUPRC of the pathology probability inside the brain.
        baseline: AUPRC of the smoothed mirror difference, same voxels.
        prevalence: Share of lesion voxels, what chance scores.
        structures: Mean Dice over structures that are present.
        tolerance: Mean learned tolerance inside the brain, log-odds; neither good nor bad.
    """

    pathology: float
    baseline: float
    prevalence: float
    structures: float
    tolerance: float

    def line(self) -> str:
        """The scores on one line."""
        return (
            f"AUPRC {self.pathology:.3f}, mirror difference {self.baseline:.3f}, "
            f"prevalence {self.prevalence:.3f}, structure Dice {self.structures:.3f}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class UnseenSubject:
    """A subject inside the box that a network is run on, on the device that scores it.

    Attributes:
        image: (1, 1, x, y, z) float32.
        structures: (x, y, z) int64.
        lesion: (x, y, z) bool.
        brain: (x, y, z) bool.
    """

    image: Tensor
    structures: Tensor
    lesion: Tensor
    brain: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectMaps:
    """An unseen subject and what the network says about it; all (x, y, z) on the same box.

    Attributes:
        image: Normalised intensities.
        truth: 1 inside the lesion.
        pathology: Probability, 0 to 1.
        tolerance: Learned tolerance, log-odds.
    """

    image: NDArray[np.float32]
    truth: NDArray[np.float32]
    pathology: NDArray[np.float32]
    tolerance: NDArray[np.float32]

    def middle(self) -> tuple[int, int, int]:
        """The slices to show: through the most of the lesion, or the middle of the box."""
        places = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            area = self.truth.sum(axis=others)
            places.append(int(area.argmax()) if area.any() else self.truth.shape[axis] // 2)
        return places[0], places[1], places[2]


def mirror_difference(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Smoothed |x - S x| of a normalised volume (x, y, z): the field's simplest asymmetry map."""
    values = np.asarray(image, dtype=np.float64)
    return np.asarray(np.abs(ndimage.gaussian_filter(values - values[::-1], _SMOOTHING_VOXELS)))


class UnseenSubjects:
    """Subjects that are drawn once and scored at every checkpoint; so is their baseline.

    Args:
        subjects: In the box that the network is run on.
    """

    def __init__(self, subjects: Sequence[UnseenSubject]) -> None:
        self.subjects = list(subjects)
        self._lesion = torch.cat([s.lesion[s.brain] for s in self.subjects])
        maps = [mirror_difference(s.image[0, 0].cpu().numpy()) for s in self.subjects]
        inside = [
            torch.from_numpy(m)[s.brain.cpu()] for m, s in zip(maps, self.subjects, strict=True)
        ]
        self._baseline = average_precision(torch.cat(inside), self._lesion.cpu())
        self._prevalence = float(self._lesion.float().mean())

    @torch.inference_mode()
    def score(self, network: nn.Module, *, mixed_precision: bool = False) -> Scores:
        """Pooled scores of a network, run once on every subject.

        Args:
            network: On the device of the subjects; its mode is kept.
            mixed_precision: bfloat16 in the pass.
        """
        was_training = network.training
        network.eval()
        logits, overlaps, tolerance = [], [], []
        for subject in self.subjects:
            with torch.autocast(
                subject.image.device.type, dtype=torch.bfloat16, enabled=mixed_precision
            ):
                output = network(subject.image)
            head = output.pathology
            logits.append(head.value.float()[0, 0][subject.brain])
            tolerance.append(head.tolerance.float()[0, 0][subject.brain].mean())
            labels = output.anatomy_logits.argmax(1)[0]
            overlaps.append(structure_dice(labels, subject.structures))
        network.train(was_training)
        return Scores(
            pathology=average_precision(torch.cat(logits), self._lesion),
            baseline=self._baseline,
            prevalence=self._prevalence,
            structures=float(torch.cat(overlaps).nanmean()),
            tolerance=float(torch.stack(tolerance).mean()),
        )

    @torch.inference_mode()
    def maps_of(self, network: nn.Module) -> SubjectMaps:
        """What a network says about the subject with the largest lesion."""
        subject = max(self.subjects, key=lambda s: int(s.lesion.sum()))
        was_training = network.training
        network.eval()
        head = network(subject.image).pathology
        network.train(was_training)
        inside = subject.brain.float()
        volumes = (
            subject.image[0, 0],
            subject.lesion.float(),
            torch.sigmoid(head.value.float()[0, 0]) * inside,
            head.tolerance.float()[0, 0] * inside,
        )
        image, truth, pathology, tolerance = (v.float().cpu().numpy() for v in volumes)
        return SubjectMaps(image=image, truth=truth, pathology=pathology, tolerance=tolerance)


def unseen_subjects(
    settings: TrainSettings,
    *,
    multiple: int,
    device: torch.device,
    say: Callable[[str], None],
) -> UnseenSubjects:
    """The first ``validation_cases`` subjects of the test split.

    Args:
        settings: Of the run.
        multiple: Sides of the box are multiples of it.
        device: That scores them.
        say: Receives lines about the user's own data.
    """
    drawing = synthesis_device(settings, device)
    subjects = make_dataset(settings, split="test", device=drawing, report=say)
    number = settings.validation_cases
    cases = draw_each(subjects, number=number, settings=settings, training=device)
    return UnseenSubjects([boxed(case, multiple=multiple, device=device) for case in cases])


def boxed(packed: dict[str, Tensor], *, multiple: int, device: torch.device) -> UnseenSubject:
    """A packed subject inside the box that a network is run on."""
    box = support_box((packed["image"][0, 0] != 0).numpy(), multiple=multiple)
    image, structures, lesion, brain = (
        packed[name][0, 0][box].to(device) for name in ("image", "structures", "lesion", "brain")
    )
    return UnseenSubject(
        image=image[None, None],
        structures=structures.to(torch.int64),
        lesion=lesion,
        brain=brain,
    )


def structure_dice(labels: Tensor, truth: Tensor) -> Tensor:
    """Dice of every structure but the background, NaN where it is not present in the truth.

    Args:
        labels: (x, y, z) int64, what a network says.
        truth: (x, y, z) int64; -1 where it is not known, which is passed over.
    """
    count, known = len(STRUCTURES), truth >= 0
    pairs = truth[known] * count + labels[known]
    table = torch.bincount(pairs, minlength=count * count)
    table = table.reshape(count, count).double()
    wanted, found = table.sum(1), table.sum(0)
    dice = 2.0 * table.diagonal() / (wanted + found)
    return torch.where(wanted > 0, dice, torch.nan)[1:]


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Area under precision-recall over voxels, as scikit-learn defines it, on any device.

    Precision at each distinct score, weighted by the recall it adds; tied voxels count together.

    Args:
        scores: (n,) floating, higher is more likely.
        truth: (n,) bool.

    Returns:
        In [0, 1]; NaN when nothing is true.
    """
    total = int(truth.sum())
    if total == 0:
        return float("nan")
    ordered, order = scores.sort(descending=True)
    hits = truth[order].cumsum(0).double()
    last = torch.ones_like(truth)  # of its run of ties
    last[:-1] = ordered[1:] != ordered[:-1]
    at = last.nonzero()[:, 0]
    precision = hits[at] / (at + 1)
    gained = torch.diff(hits[at], prepend=hits.new_zeros(1)) / total
    return float((precision * gained).sum())
