"""What the benchmark of pre-training compares and with which budget."""

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medsym.models.settings import ModelSettings
from medsym.synthesis.settings import DegradationConfig, LesionConfig, SynthesisConfig
from medsym.training.pretraining.settings import (
    CorruptionSettings,
    PretrainLossSettings,
    PretrainOptimiserSettings,
    PretrainSettings,
)
from medsym.training.settings import LossSettings, OptimiserSettings, TrainSettings

STARTS = {
    "random": "from scratch",
    "longer": "from scratch, as many steps as pre-training and training",
    "whole": "pre-trained by masked denoising alone",
    "split": "pre-trained with the split latent",
}


class PretrainBenchSettings(BaseModel):
    """A benchmark; ``medsym bench pretraining --config FILE`` reads it from YAML.

    Without a folder of label maps all heads are draws of one template, and nothing is said about
    unseen anatomies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=375, ge=0, description="of the subjects, the same for all networks")
    seeds: int = Field(default=3, ge=1, description="pre-trainings and trainings of every kind")
    subjects: int = Field(default=200, ge=4, description="scans without labels, drawn once")
    labelled: tuple[int, ...] = Field(
        default=(8, 200), description="how many of them have labels, a comparison for each number"
    )
    test_subjects: int = Field(default=40, ge=4, description="of unseen anatomies")
    probe_subjects: int = Field(
        default=60, ge=4, description="of the scans: probes are fitted on their latents"
    )
    mixed_precision: bool = Field(default=True, description="bfloat16 in training passes")
    resamples: int = Field(default=1000, ge=10, description="of the bootstrap")
    model: ModelSettings = ModelSettings(
        spacing_mm=4.0, pairs=(4, 8, 16, 24), window=(0, 0, 1, 1), decoder_pairs=4, head_pairs=4
    )
    corruption: CorruptionSettings = CorruptionSettings()
    pretrain_loss: PretrainLossSettings = PretrainLossSettings()
    pretrain: PretrainOptimiserSettings = PretrainOptimiserSettings(steps=200, warmup=20)
    loss: LossSettings = LossSettings(anatomy=1.0)
    training: OptimiserSettings = OptimiserSettings(
        steps=200, warmup=20, cooldown=0.5, average=0.98, learning_rate=4e-3
    )
    synthesis: SynthesisConfig = SynthesisConfig(
        lesions=LesionConfig(present=1.0), degradation=DegradationConfig(stripped=1.0)
    )

    @model_validator(mode="after")
    def _enough(self) -> "PretrainBenchSettings":
        if not self.labelled or max((*self.labelled, self.probe_subjects)) > self.subjects:
            msg = "labelled and probe_subjects are parts of subjects, so no larger than it"
            raise ValueError(msg)
        return self

    def subjects_key(self) -> str:
        """Fingerprint of everything that the subjects depend on."""
        return _digest(self.model_dump(mode="json", include={"seed", "synthesis", "model"}))

    def run_key(self) -> str:
        """Fingerprint of everything that one finished training depends on."""
        return _digest(self.model_dump(mode="json", exclude={"seeds", "labelled", "resamples"}))

    def pretraining(self, *, seed: int, split: bool) -> PretrainSettings:
        """Settings of one pre-training."""
        return PretrainSettings(
            name="bench",
            seed=seed,
            device="cpu",
            mixed_precision=self.mixed_precision,
            checkpoint_every=self.pretrain.steps,
            split=split,
            model=self.model,
            corruption=self.corruption,
            loss=self.pretrain_loss,
            optimiser=self.pretrain,
        )

    def fine_tuning(
        self, *, seed: int, longer: bool, start_from: Path | None = None
    ) -> TrainSettings:
        """Settings of one training; ``longer`` adds the steps of the pre-training."""
        steps = self.training.steps + (self.pretrain.steps if longer else 0)
        return TrainSettings(
            name="bench",
            seed=seed,
            device="cpu",
            mixed_precision=self.mixed_precision,
            start_from=start_from,
            model=self.model,
            loss=self.loss,
            optimiser=self.training.model_copy(update={"steps": steps}),
        )


def _digest(content: dict[str, Any]) -> str:
    source = content["synthesis"]["source"]
    source["cache"] = None
    return hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()[:12]
