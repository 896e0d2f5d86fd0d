"""Scores on unseen synthetic subjects, beside the mirror difference that needs no training."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medsym.evaluation.baselines import mirror_difference
from medsym.evaluation.metrics import mean_known, structure_dice
from medsym.evaluation.precision_recall import average_precision
from medsym.models.support import support_box
from medsym.training.loader import draw_each, synthesis_device
from medsym.training.progress import counted
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset

_SCORED = ("image", "lesion", "brain")


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
        structures: (x, y, z) int8, in CPU memory.
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


class UnseenSubjects:
    """Subjects that are drawn once and scored at every checkpoint; so is their baseline.

    Args:
        subjects: In the box that the network is run on.
        spacing_mm: Edge of a voxel.
    """

    def __init__(self, subjects: Sequence[UnseenSubject], *, spacing_mm: float) -> None:
        self.subjects = list(subjects)
        self._lesion = torch.cat([s.lesion[s.brain] for s in self.subjects])
        images = [s.image[0, 0].cpu().numpy() for s in self.subjects]
        maps = [mirror_difference(image, spacing_mm=spacing_mm) for image in images]
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
            labels = output.anatomy_logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
            overlaps.append(structure_dice(labels, subject.structures.numpy()))
        network.train(was_training)
        return Scores(
            pathology=average_precision(torch.cat(logits), self._lesion),
            baseline=self._baseline,
            prevalence=self._prevalence,
            structures=mean_known(np.concatenate(overlaps)),
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
        say: Receives lines of progress, and about the user's own data.
    """
    drawing = synthesis_device(settings, device)
    subjects = make_dataset(settings, split="test", device=drawing, report=say)
    number = settings.validation_cases
    if isinstance(subjects, Sized):  # the user's own scans, each of them once
        number = min(number, len(subjects))
    cases = counted(
        draw_each(subjects, range(number), settings=settings, training=device),
        total=number,
        name="unseen subjects",
        say=say,
        every=settings.report_every,
    )
    return UnseenSubjects(
        [boxed(case, multiple=multiple, device=device) for case in cases],
        spacing_mm=settings.model.spacing_mm,
    )


def boxed(packed: dict[str, Tensor], *, multiple: int, device: torch.device) -> UnseenSubject:
    """A packed subject inside the box that a network is run on."""
    box = support_box((packed["image"][0, 0] != 0).numpy(), multiple=multiple)
    image, lesion, brain = (packed[name][0, 0][box].to(device) for name in _SCORED)
    return UnseenSubject(
        image=image[None, None],
        structures=packed["structures"][0, 0][box],
        lesion=lesion,
        brain=brain,
    )
