"""Made subjects and settings for the tests of the ablation."""

import torch
from torch import Tensor

from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.models.settings import ModelSettings
from medsym.models.structures import index_of
from medsym.training.losses import Batch
from medsym.training.settings import OptimiserSettings

SHAPE = (8, 12, 10)
LEFT = index_of("hippocampus", side="left")
RIGHT = index_of("hippocampus", side="right")
START = (12, 10, 12)  # of the made subjects on the grid of 32 x 32 x 32 voxels, in its middle
MODEL = ModelSettings(spacing_mm=8.0, pairs=(2, 2), window=(0, 1), decoder_pairs=2, head_pairs=2)
SETTINGS = AblationSettings(
    seed=3,
    seeds=1,
    arms=("strict-exchange", "free-alone"),
    subjects=3,
    test_subjects=4,
    mirrored_subjects=2,
    precision="float32",
    resamples=20,
    model=MODEL,
    optimiser=OptimiserSettings(steps=4, warmup=1, cooldown=0.5, average=0.5),
)


def made_subject(*, seed: int = 0, sick: bool = True) -> Batch:
    """Noise with a hippocampus on each side and a lesion on the left, which is low x."""
    generator = torch.Generator().manual_seed(seed)
    structures = torch.zeros(SHAPE, dtype=torch.int64)
    structures[1:3, 3:6, 3:6] = LEFT
    structures[5:7, 4:7, 3:6] = RIGHT  # not the mirror place: the head is not symmetric
    lesion = torch.zeros(SHAPE)
    if sick:
        lesion[1:3, 8:10, 2:5] = 1.0
    volumes = {
        "image": torch.randn(SHAPE, generator=generator).half().float(),
        "structures": structures,
        "lesion": lesion,
        "brain": torch.ones(SHAPE),
    }
    return Batch(**{name: volume[None, None] for name, volume in volumes.items()})


def on_grid(subject: Batch, *, start: tuple[int, int, int] = START) -> Batch:
    """A made subject on the whole grid, as synthesis draws it."""
    place = tuple(slice(low, low + size) for low, size in zip(start, SHAPE, strict=True))

    def placed(volume: Tensor) -> Tensor:
        whole = torch.zeros((1, 1, 32, 32, 32), dtype=volume.dtype)
        whole[(0, 0, *place)] = volume[0, 0]
        return whole

    return Batch(
        image=placed(subject.image),
        structures=placed(subject.structures),
        lesion=placed(subject.lesion),
        brain=placed(subject.brain),
    )
