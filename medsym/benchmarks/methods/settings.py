"""What a comparison of methods can be told; the defaults are those of the table that is kept."""

from pydantic import BaseModel, ConfigDict, Field

from medsym.benchmarks.methods.subjects import VERSIONS, Version


class TrainingBudget(BaseModel):
    """Data and steps of one training; the same for every method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_subjects: int = Field(default=400, ge=8)
    test_subjects: int = Field(default=100, ge=4)
    threshold_subjects: int = Field(
        default=120, ge=4, description="training subjects on which thresholds are frozen"
    )
    data_seed: int = Field(default=340, ge=0)
    steps: int = Field(default=250, ge=1)
    batch: int = Field(default=4, ge=1, description="subjects per step")
    learning_rate: float = Field(default=4e-3, gt=0.0)
    softness_rate: float = Field(default=2e-2, gt=0.0, description="of learned symmetry")
    weight_decay: float = Field(default=1e-3, ge=0.0)
    warmup: int = Field(default=20, ge=1, description="steps in which the rate rises")
    last_rate: float = Field(
        default=0.05, gt=0.0, le=1.0, description="share of the rate at the end"
    )
    mixed_precision: bool = Field(default=True, description="bfloat16 in the training passes")


class MethodBenchmarkSettings(BaseModel):
    """A comparison of methods; ``medsym bench methods`` runs the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: TrainingBudget = TrainingBudget()
    seeds: int = Field(default=3, ge=1, description="trainings of every method and version")
    methods: tuple[str, ...] = Field(default=(), description="names; empty is all of them")
    versions: tuple[Version, ...] = Field(default=VERSIONS, min_length=1)
    specificity: float = Field(
        default=0.99, gt=0.0, lt=1.0, description="of voxels of healthy training subjects"
    )
    resamples: int = Field(default=1000, ge=10, description="of the bootstrap")
    cost_rounds: int = Field(default=7, ge=1, description="interleaved rounds of the step time")
