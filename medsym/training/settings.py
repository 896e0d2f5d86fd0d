"""Everything that a training run can be told, in one validated tree."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medsym.datasets.settings import DataSettings
from medsym.models.settings import ModelSettings
from medsym.synthesis.settings import SynthesisConfig


class LossSettings(BaseModel):
    """Weights of the parts of the loss; all parts are means over voxels, without unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    anatomy: float = Field(default=0.5, ge=0.0)
    cross_entropy: float = Field(default=5.0, ge=0.0)
    dice: float = Field(default=1.0, ge=0.0)
    tolerance: float = Field(default=0.02, ge=0.0, description="price of softness, per log-odd")
    outside_weight: float = Field(
        default=0.2, ge=0.0, description="weight of voxels outside the brain in cross_entropy"
    )


class OptimiserSettings(BaseModel):
    """AdamW; an exponential average of the weights is kept.

    The rate warms up, stays, and falls linearly to 1 % over the last part of the run. It is a
    function of the step alone, so a run can be resumed with more or fewer ``steps``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=4000, ge=1, description="optimiser steps in all")
    batch: int = Field(default=1, ge=1, description="subjects per step")
    learning_rate: float = Field(default=2e-3, gt=0.0)
    softness_rate: float = Field(default=1e-2, gt=0.0, description="rate of learned softness")
    warmup: int = Field(default=100, ge=0, description="steps of linear warm-up")
    cooldown: float = Field(
        default=0.4, ge=0.0, le=1.0, description="last share of the steps, in which the rate falls"
    )
    weight_decay: float = Field(default=1e-4, ge=0.0)
    clip: float = Field(default=1.0, gt=0.0, description="largest gradient norm")
    average: float = Field(
        default=0.998, ge=0.0, lt=1.0, description="decay of the averaged weights"
    )


class SoftnessSettings(BaseModel):
    """How weight softness (``model.softness`` encoder or both) is trained; by default, learned.

    With a schedule the softness of the encoder is written at every step and not learned:
    ``strict_to_soft`` rises from ``start`` to ``end``, ``soft_to_strict`` falls from ``start`` to
    ``end``, ``triangle`` rises until ``end`` and falls to exactly 0 at the end of the run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: Literal["learned", "constant", "strict_to_soft", "soft_to_strict", "triangle"] = (
        "learned"
    )
    peak: float = Field(default=0.2, ge=0.0, le=1.0, description="largest scheduled softness")
    start: float = Field(default=0.0, ge=0.0, lt=1.0, description="progress at the first corner")
    end: float = Field(default=0.5, gt=0.0, le=1.0, description="progress at the second corner")
    penalty: Literal["none", "l1", "log_barrier", "odd_weights"] = "none"
    penalty_weight: float = Field(default=0.01, ge=0.0)
    odd_decay: float | None = Field(
        default=None, ge=0.0, description="weight decay of odd weights, on top of weight_decay"
    )
    dual: bool = Field(default=False, description="one multiplier per softness, by dual ascent")
    dual_rate: float = Field(default=0.01, gt=0.0)
    slack_price: float | None = Field(
        default=None, gt=0.0, description="elastic dual control; null asks for softness 0"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SoftnessSettings":
        if self.schedule != "learned" and (self.dual or self.penalty in ("l1", "log_barrier")):
            msg = "a scheduled softness is not learned: leave out dual and the penalty on softness"
            raise ValueError(msg)
        ramp = self.schedule in ("strict_to_soft", "soft_to_strict")
        if (ramp and self.start >= self.end) or (self.schedule == "triangle" and self.end == 1.0):
            msg = "start has to come before end, and the end of a triangle before 1"
            raise ValueError(msg)
        return self


class TrainSettings(BaseModel):
    """A complete training run; ``medsym train CONFIG`` reads it from YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="name of the model")
    seed: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    mixed_precision: bool = False
    threads: int = Field(default=0, ge=0, description="torch threads; 0 leaves the default")
    workers: int = Field(default=1, ge=0, description="processes that draw synthetic subjects")
    synthesis_device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the workers draw; auto is where the network trains"
    )
    checkpoint_every: int = Field(default=200, ge=1, description="steps between checkpoints")
    report_every: float = Field(
        default=10.0, gt=0.0, description="seconds between progress lines, once under way"
    )
    max_minutes: float | None = Field(
        default=None, gt=0.0, description="stop with a checkpoint after so long; null never"
    )
    tensorboard: bool = Field(
        default=True, description="write TensorBoard's event files beside history and pictures"
    )
    validation_cases: int = Field(default=8, ge=1, description="unseen draws per checkpoint")
    reference_cases: int = Field(
        default=120, ge=4, description="healthy draws: half give the spread, half the threshold"
    )
    data_licences: tuple[str, ...] = Field(
        default=(), description="sources of the training data with their licences, for the manifest"
    )
    start_from: Path | None = Field(
        default=None, description="model folder whose weights the run starts from; null is random"
    )
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    synthesis: SynthesisConfig = SynthesisConfig()
    loss: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    softness: SoftnessSettings = SoftnessSettings()
