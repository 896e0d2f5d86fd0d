"""Settings of AsymmetryNet."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ModelSettings(BaseModel):
    """Shape of an AsymmetryNet; every number that someone may tune.

    ``softness`` says where the network may depart from the mirror: ``head`` keeps the backbone
    exact, so the defect is known from one pass; ``encoder`` and ``both`` also learn weight
    softness in the encoder, and the defect is then known from the second, mirrored pass only.
    ``none`` is exact everywhere; ``free`` ties no weight at all, a plain U-Net to compare with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    spacing_mm: float = Field(
        default=3.0, gt=0.5, le=8.0, description="edge of a voxel of the grid the network sees"
    )
    pairs: tuple[int, ...] = Field(
        default=(4, 10, 20, 32), description="regular channel pairs per resolution, finest first"
    )
    decoder_pairs: int = Field(default=6, ge=1, description="pairs at full resolution, decoder")
    head_pairs: int = Field(default=6, ge=1, description="pairs in the hidden layer of the head")
    position: bool = Field(
        default=False, description="tell the network where in the box that it sees a voxel lies"
    )
    exchange: bool = Field(default=True, description="compare with the other side in the skips")
    window: tuple[int, ...] = Field(
        default=(0, 1, 1, 1), description="radius of the exchange per resolution, voxels"
    )
    softness: Literal["head", "encoder", "both", "none", "free"] = "head"
    encoder: Literal["mirror", "steerable"] = Field(
        default="mirror", description="projected kernels, or kernels expanded by escnn's R3Conv"
    )
    head_tolerance: float = Field(
        default=0.05, gt=0.0, le=20.0, description="tolerance that the head starts with, log-odds"
    )
    head_side_width: float | None = Field(
        default=None, gt=0.0, description="tell the head its side: voxels over which s rises"
    )
    initial_softness: float = Field(default=0.05, ge=0.0, le=1.0)
    pathology_prior: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="share of brain voxels expected in a lesion"
    )

    @model_validator(mode="after")
    def _same_length(self) -> "ModelSettings":
        if len(self.window) != len(self.pairs):
            msg = "window needs one radius per resolution, as many numbers as pairs"
            raise ValueError(msg)
        if min(self.window) < 0 or min(self.pairs) < 1:
            msg = "window holds radii of 0 and more, pairs numbers of 1 and more"
            raise ValueError(msg)
        return self
