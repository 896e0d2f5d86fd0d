"""What the ablation compares and with which budget; the same for every network."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from medsym.errors import ConfigError
from medsym.models.settings import ModelSettings
from medsym.synthesis.settings import DegradationConfig, LesionConfig, SynthesisConfig
from medsym.training.settings import LossSettings, OptimiserSettings

WITH, WITHOUT = "exchange", "alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One kind of network in the comparison.

    Attributes:
        softness: Name of the kind of softness, a key of ``_SOFTNESS``.
        exchange: Whether it compares with the other side.
        flips: Whether it is trained on mirrored subjects too.
        changes: Its model settings, on top of those all share.
    """

    softness: str
    exchange: bool
    flips: bool
    changes: dict[str, Any]

    @property
    def name(self) -> str:
        """Unique name, for instance strict-exchange or free-alone."""
        return f"{self.softness}-{WITH if self.exchange else WITHOUT}"

    def model(self, shared: ModelSettings) -> ModelSettings:
        """Settings of its network."""
        wanted = {**shared.model_dump(), **self.changes, "exchange": self.exchange}
        return ModelSettings.model_validate(wanted)


# The soft head is told its side and starts with room: a head that starts nearly exact learns to be
# soft too late in a short training (`medsym bench methods`, soft_head against soft_head_side).
_SOFTNESS: dict[str, tuple[dict[str, Any], bool]] = {
    "strict": ({"softness": "none"}, False),
    "head": ({"softness": "head", "head_side_width": 1.0, "head_tolerance": 1.0}, False),
    "encoder": ({"softness": "encoder"}, False),
    "free": ({"softness": "free"}, False),
    "flips": ({"softness": "free"}, True),
}
TITLES = {
    "strict": "strict",
    "head": "soft head",
    "encoder": "soft encoder",
    "free": "free",
    "flips": "free, flips",
}
ARMS = {
    arm.name: arm
    for exchange in (True, False)
    for softness, (changes, flips) in _SOFTNESS.items()
    for arm in [Arm(softness=softness, exchange=exchange, flips=flips, changes=changes)]
}
DEFAULT_ARMS = tuple(name for name in ARMS if name != f"flips-{WITH}")


def _subtle() -> SynthesisConfig:
    """Stripped heads of any contrast with lesions that are hard to see."""
    lesions = LesionConfig(
        present=0.8, contrast_sd=(0.5, 1.5), extreme=0.0, cavity=0.0, mass_effect=0.1
    )
    return SynthesisConfig(lesions=lesions, degradation=DegradationConfig(stripped=1.0))


class RateSearch(BaseModel):
    """Short trainings that find every network's learning rate, on subjects of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rates: tuple[float, ...] = Field(min_length=2, description="learning rates to try")
    steps: int = Field(ge=1, description="of each of these trainings")
    subjects: int = Field(default=60, ge=2, description="of the reference anatomies, to choose by")


class AblationSettings(BaseModel):
    """An ablation; ``medsym bench ablation --config FILE`` reads it from YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=395, ge=0, description="of the subjects, the same for all networks")
    seeds: int = Field(default=3, ge=1, description="trainings of every network")
    arms: tuple[str, ...] = Field(default=DEFAULT_ARMS, description="names of the networks")
    subjects: int = Field(default=1000, ge=1, description="training subjects, drawn once")
    test_subjects: int = Field(default=100, ge=2)
    mirrored_subjects: int = Field(
        default=8, ge=1, description="test subjects whose mirror defect is measured"
    )
    precision: Literal["fastest", "float32", "bfloat16"] = Field(
        default="fastest", description="of the training passes; scores are always float32"
    )
    size_ml: tuple[float, float] = Field(
        default=(2.0, 15.0), description="a subject's lesions are small below, large above"
    )
    resamples: int = Field(default=1000, ge=10, description="of the bootstrap")
    model: ModelSettings = ModelSettings(pairs=(4, 8, 16, 24), decoder_pairs=4, head_pairs=4)
    loss: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings(
        steps=1000, warmup=50, cooldown=0.5, average=0.99
    )
    search: RateSearch | None = Field(
        default=None,
        description="choose the learning rate of every network; null takes one for all",
    )
    synthesis: SynthesisConfig = _subtle()
    test_lesions: LesionConfig | None = Field(
        default=None, description="lesions of those scored on; null draws them as in training"
    )

    def chosen(self) -> tuple[Arm, ...]:
        """The arms, in the order of :data:`ARMS`.

        Raises:
            ConfigError: MS-395, an unknown arm.
        """
        unknown = [name for name in self.arms if name not in ARMS]
        if unknown:
            raise ConfigError(
                code="MS-395",
                subject=unknown[0],
                cause="is no network of this ablation",
                fix=f"choose among {', '.join(ARMS)}",
            )
        return tuple(arm for name, arm in ARMS.items() if name in self.arms)

    def with_changes(
        self, changes: Mapping[str, Any], *, steps: int | None = None
    ) -> "AblationSettings":
        """The same with what is not None changed, as the command line does it."""
        given: dict[str, Any] = {k: v for k, v in changes.items() if v is not None}
        if steps is not None:
            given["optimiser"] = {**self.optimiser.model_dump(), "steps": steps}
        return type(self).model_validate({**self.model_dump(), **given})

    def counts(self) -> dict[str, int]:
        """Subjects of every split: trained on, searched on (reference) and tested on."""
        searched = {} if self.search is None else {"reference": self.search.subjects}
        return {"train": self.subjects, **searched, "test": self.test_subjects}

    def synthesis_of(self, split: str) -> SynthesisConfig:
        """What the subjects of a split are drawn with; truths that training needs not left out."""
        changes: dict[str, Any] = {"truths": False}
        if split != "train" and self.test_lesions is not None:
            changes["lesions"] = self.test_lesions
        return self.synthesis.model_copy(update=changes)

    def subjects_key(self) -> str:
        """Fingerprint of everything that one drawn subject depends on."""
        return (
            _digest(self, {"seed", "synthesis", "test_lesions"}) + f"-{self.model.spacing_mm:g}mm"
        )

    def run_key(self) -> str:
        """Fingerprint of everything but the steps that one finished training depends on."""
        steps = self.optimiser.model_copy(update={"steps": 1})
        same = self.model_copy(update={"optimiser": steps, "resamples": 10})
        return _digest(same, set(type(self).model_fields) - {"seeds", "arms"})


def _digest(settings: AblationSettings, names: set[str]) -> str:
    text = settings.model_dump_json(include=names, exclude={"synthesis": {"source": {"cache"}}})
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a run may use; none of it changes a number except the steps that minutes leave.

    Attributes:
        processes: Trainings that run at the same time, one torch thread each.
        minutes: Wall time in which all of it ends, drawing included; None trains the configured
            steps. With it they are an upper limit.
        out: Folder for drawn subjects and finished trainings.
        device: Where networks are trained: cpu or cuda.
    """

    processes: int
    minutes: float | None
    out: Path
    device: str = "cpu"
