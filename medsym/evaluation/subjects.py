"""Synthesised test subjects: who is drawn for what, and what is known of each.

A *group* is a split, a change of the synthesis and whether lesions are drawn. Subject i of a group
is always the same, and the groups of a *condition* (a tilt, thick slices, ...) draw subject i with
the anatomy, lesion and contrast that the standard group has; the change and the grain of the noise
differ. Scans are drawn without skull and whole, as the comparison of the pipeline sees a scan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.evaluation.methods import Scan
from medsym.synthesis.canvas import CPU, Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.dataset import Sources, draw_case, load_sources
from medsym.synthesis.degradation import degrade
from medsym.synthesis.scaling import normalised
from medsym.synthesis.settings import SynthesisConfig
from medsym.volumes.frame import SymmetricGrid

#: Share of the largest displacement by the torque from which on a voxel lies in the torque region.
TORQUE_SHARE = 0.5
#: Added to the seed of the evaluation for the scanner of the second session.
_SECOND_SCANNER = 7_919

Changes = Mapping[str, Mapping[str, Any]]
BoolMap = NDArray[np.bool_]

#: What every group has in common: the brain alone, in full view.
AS_COMPARED: Changes = {"degradation": {"stripped": 1.0, "cropped": 0.0}}
_QUIET: Changes = {
    "degradation": {
        "bias_log_sd": (0.0, 0.0),
        "one_sided": 0.0,
        "blur_mm": (0.0, 0.0),
        "thick_slices": 0.0,
        "noise_sd": (0.0, 0.0),
    },
    "contrast": {"gamma_log_sd": 0.0},
}
#: Conditions by name: the change of the synthesis, beyond what training draws by default.
CONDITIONS: Mapping[str, Changes] = {
    "tilt 2-4 deg": {"deformation": {"tilt_deg": (2.0, 4.0)}},
    "one-sided bias 30-40 %": {"degradation": {"one_sided": 1.0, "one_sided_log": (0.3, 0.4)}},
    "noise 8-12 %": {"degradation": {"noise_sd": (0.08, 0.12)}},
    "slices 6 mm": {"degradation": {"thick_slices": 1.0, "slice_mm": (6.0, 6.0)}},
    "crop 20-30 mm": {"degradation": {"cropped": 1.0, "cropped_mm": (20.0, 30.0)}},
    "torque 3-6 mm": {"deformation": {"torque_mm": (3.0, 6.0)}},
}
TORQUE = "torque 3-6 mm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Subjects drawn for one purpose.

    Attributes:
        name: in the journal and the tables.
        split: "reference" or "test".
        lesions: whether they carry one.
        seed_step: added to the seed: groups that share it share their subjects.
        changes: of the synthesis.
        task: "score" every method, with its curves; "condition", without; "threshold", its largest
            score only; "mirror", also the mirrored copy; "retest", two sessions of one person.
    """

    name: str
    split: str = "test"
    lesions: bool = False
    seed_step: int = 0
    changes: Changes = field(default_factory=dict)
    task: str = "score"


LESIONS = Group(name="lesions", lesions=True)
HEALTHY = Group(name="healthy", seed_step=1)
IMAGES = Group(name="reference images", split="reference", seed_step=2)
THRESHOLDS = Group(name="thresholds", split="reference", seed_step=3, task="threshold")
MIRRORED = Group(name="mirrored", lesions=True, task="mirror")
RETEST = Group(name="retest", lesions=True, task="retest")


def condition_groups() -> list[Group]:
    """Lesion and healthy subjects of every condition, the same people as in the standard groups."""
    return [
        Group(
            name=f"{name}, {standard.name}",
            lesions=standard.lesions,
            seed_step=standard.seed_step,
            changes=changes,
            task="condition",
        )
        for name, changes in CONDITIONS.items()
        for standard in (LESIONS, HEALTHY)
    ]


def changed(config: SynthesisConfig, *changes: Changes) -> SynthesisConfig:
    """A synthesis with some settings replaced; an unknown name is an error."""
    content = config.model_dump()
    for change in changes:
        for section, values in change.items():
            content[section] = {**content[section], **values}
    return SynthesisConfig.model_validate(content)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One drawn person and the truth about them.

    Attributes:
        scan: as the methods see it.
        lesion: (x, y, z) bool.
        structures: (x, y, z) int64 structure per voxel.
        torque_region: (x, y, z) bool, mirror-symmetric: where the natural torque moved the tissue
            by at least half of its largest displacement, and the mirror places of that.
        contrast_sd: largest absolute contrast of a lesion, SD of the brain's intensities; NaN for
            the healthy.
        anatomy: name of the source anatomy.
    """

    scan: Scan
    lesion: BoolMap
    structures: NDArray[np.int64]
    torque_region: BoolMap
    contrast_sd: float
    anatomy: str


class SubjectSource:
    """Draws the subjects of every group; opens each split once.

    Args:
        config: synthesis of a training configuration.
        seed: of the evaluation.
        spacing_mm: of the grid.
        device: where volumes are drawn.
    """

    def __init__(
        self,
        config: SynthesisConfig,
        *,
        seed: int,
        spacing_mm: float,
        device: torch.device = CPU,
    ) -> None:
        self.config = changed(config, AS_COMPARED).model_copy(update={"truths": True})
        self.seed = seed
        self.canvas = Canvas(grid=SymmetricGrid.spanning(spacing_mm), device=device)
        self._sources: dict[str, Sources] = {}

    def split_of(self, group: Group) -> str:
        """The split that a group draws from: without reference subjects, those of training."""
        named = bool(self.config.source.reference_subjects)
        return group.split if group.split != "reference" or named else "train"

    def config_of(self, group: Group) -> SynthesisConfig:
        """The synthesis of a group."""
        present: Changes = {"lesions": {"present": 1.0 if group.lesions else 0.0}}
        return changed(self.config, present, group.changes)

    def draw(self, group: Group, index: int) -> Subject:
        """Subject ``index`` of a group."""
        return self._subject(self._case(group, index, self.config_of(group)))

    def sessions(self, group: Group, index: int) -> tuple[Subject, Subject]:
        """The same person in two sessions: bias, blur, slices, noise and gamma differ.

        The position of the head does not; the retest says nothing about the alignment.
        """
        case = self._case(group, index, changed(self.config_of(group), _QUIET))
        generator = torch.Generator().manual_seed(self.seed + _SECOND_SCANNER * (index + 1))
        first, second = (self._subject(self._scanned(case, generator)) for _ in range(2))
        return first, second

    def _case(self, group: Group, index: int, config: SynthesisConfig) -> SyntheticCase:
        split = self.split_of(group)
        if split not in self._sources:
            sources = load_sources(self.config, split=split)
            self._sources[split] = sources.to(self.canvas.device)
        return draw_case(
            self._sources[split],
            config=config,
            canvas=self.canvas,
            seed=self.seed + group.seed_step,
            index=index,
        )

    def _scanned(self, case: SyntheticCase, generator: torch.Generator) -> SyntheticCase:
        """A noiseless case after one more scanner: as the synthesis finishes its images."""
        image, mask = case.image, case.image != 0.0
        spread = self.config.contrast.gamma_log_sd
        gamma = float(torch.exp(spread * torch.randn((), generator=generator)))
        degradation = self.config.degradation
        image = degrade(image, canvas=self.canvas, config=degradation, generator=generator)
        low, high = torch.aminmax(image[mask])
        image = ((image - low) / (high - low).clamp_min(1e-6)).clamp(0.0, 1.0).pow(gamma)
        return replace(case, image=normalised(image, mask))

    def _subject(self, case: SyntheticCase) -> Subject:
        case = case.to(CPU)
        brain = case.brain.numpy().astype(bool)
        scan = Scan(
            image=case.image.numpy(),
            brain=brain,
            coverage=case.coverage.numpy().astype(bool),
            kind=case.kind,
            spacing_mm=self.canvas.spacing_mm,
        )
        assert case.torque_mm is not None  # the truths were asked for
        contrasts = [abs(record.contrast_sd) for record in case.records]
        return Subject(
            scan=scan,
            lesion=case.lesion.numpy().astype(bool),
            structures=case.structures.numpy(),
            torque_region=torque_region(case.torque_mm.numpy(), brain=brain),
            contrast_sd=max(contrasts, default=float("nan")),
            anatomy=case.anatomy,
        )


def torque_region(torque_mm: NDArray[np.floating], *, brain: BoolMap) -> BoolMap:
    """Brain where the torque moved the tissue most, and its mirror places; see ``Subject``.

    Args:
        torque_mm: (3, x, y, z) displacement.
        brain: (x, y, z) bool.
    """
    size = np.sqrt((torque_mm.astype(np.float64) ** 2).sum(axis=0)) * brain
    if not size.any():
        return np.zeros_like(brain)
    region = size >= TORQUE_SHARE * size.max()
    return (region | region[::-1]) & brain
