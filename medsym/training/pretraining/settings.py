"""Everything that a pre-training can be told, in one validated tree."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medsym.datasets.settings import DataSettings
from medsym.models.settings import ModelSettings
from medsym.synthesis.settings import Chance, Range, SynthesisConfig
from medsym.training.settings import TrainSettings


class CorruptionSettings(BaseModel):
    """How a scan is changed before the encoder sees it; every draw is new."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remap: Chance = Field(
        default=0.75, description="share of views whose intensities get a random map"
    )
    remap_pieces: int = Field(default=8, ge=1, description="straight pieces of that map")
    hidden: float = Field(default=0.3, ge=0.0, lt=1.0, description="share of blocks that is hidden")
    block_mm: float = Field(default=24.0, gt=0.0, description="edge of a hidden block")
    noise_sd: Range = Field(default=(0.0, 0.1), description="of the range of intensities")


class PretrainLossSettings(BaseModel):
    """Weights of the parts of the loss. The squared errors are means over the head's voxels.

    With ``split: false`` only ``whole`` is used: plain masked denoising, to compare with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    whole: float = Field(default=1.0, ge=0.0, description="scan from the whole latent")
    symmetric: float = Field(
        default=1.0, ge=0.0, description="(x + Sx) / 2 from the symmetric part alone"
    )
    antisymmetric: float = Field(
        default=2.0, ge=0.0, description="(x - Sx) / 2 from the antisymmetric part alone"
    )
    contrast: float = Field(
        default=0.05, ge=0.0, description="a place is known again under another contrast"
    )
    seen_weight: float = Field(
        default=0.1, ge=0.0, description="weight of a voxel seen on both sides; hidden ones have 1"
    )
    places: int = Field(default=256, ge=2, description="places compared per scan")
    temperature: float = Field(default=0.1, gt=0.0)


class PretrainOptimiserSettings(BaseModel):
    """AdamW; the rate warms up, stays, and falls linearly to 1 % over the last part of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=2000, ge=1)
    batch: int = Field(default=1, ge=1, description="scans per step")
    learning_rate: float = Field(default=2e-3, gt=0.0)
    warmup: int = Field(default=50, ge=0, description="steps of linear warm-up")
    cooldown: float = Field(default=0.4, ge=0.0, le=1.0, description="last share of the steps")
    weight_decay: float = Field(default=1e-4, ge=0.0)
    clip: float = Field(default=1.0, gt=0.0, description="largest gradient norm")


class PretrainSettings(BaseModel):
    """A complete pre-training; ``medsym pretrain CONFIG`` reads it from YAML.

    No label is used: of synthetic subjects (``synthesis``) only the images are seen; of the user's
    scans (``data``, as in ``medsym train``) those without a mask are welcome, and nothing is drawn
    into them. ``model`` has to equal that of the training that will start from the result.
    Where it was measured it gave no accuracy: medsym/benchmarks/pretraining/results.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="name of the model")
    seed: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    mixed_precision: bool = False
    threads: int = Field(default=0, ge=0, description="torch threads; 0 leaves the default")
    workers: int = Field(default=1, ge=0, description="processes that draw scans")
    checkpoint_every: int = Field(default=200, ge=1, description="steps between checkpoints")
    data_licences: tuple[str, ...] = Field(default=(), description="of the scans, for the manifest")
    split: bool = Field(
        default=True, description="learn from the symmetric and antisymmetric part apart"
    )
    projection: int = Field(default=16, ge=2, description="channels in which places are compared")
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    synthesis: SynthesisConfig = SynthesisConfig()
    corruption: CorruptionSettings = CorruptionSettings()
    loss: PretrainLossSettings = PretrainLossSettings()
    optimiser: PretrainOptimiserSettings = PretrainOptimiserSettings()

    @model_validator(mode="after")
    def _splittable(self) -> "PretrainSettings":
        if self.split and self.model.softness not in ("head", "none"):
            msg = (
                f"with model.softness '{self.model.softness}' the encoder may depart from the "
                "mirror, so its latent has no exact parts: use head or none, or split: false"
            )
            raise ValueError(msg)
        return self

    def subjects(self) -> TrainSettings:
        """Settings of a training on the same subjects, without lesions drawn into the user's."""
        changes: dict[str, Any] = {}
        if self.data.layout != "synthetic":
            changes = {"without_mask": "healthy", "lesions_drawn": 0.0}
        return TrainSettings(
            name=self.name,
            seed=self.seed,
            workers=self.workers,
            model=self.model,
            synthesis=self.synthesis,
            data_licences=self.data_licences,
        ).model_copy(update={"data": self.data.model_copy(update=changes)})
