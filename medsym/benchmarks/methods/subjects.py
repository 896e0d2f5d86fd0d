"""Subjects of the comparison as stacked volumes, and the two versions of the population."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from medsym.symmetry.mirror import flip

Version = Literal["symmetric", "asymmetric"]
VERSIONS: tuple[Version, ...] = ("symmetric", "asymmetric")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subjects:
    """n subjects on the grid; x grows to the patient's right, so left is the low x index.

    Attributes:
        image: (n, 1, x, y, z) float32, mean 0 and SD 1 over the brain, 0 outside.
        lesion: (n, 1, x, y, z) float32, 1 where lesions fill more than half of a voxel.
        brain: (n, 1, x, y, z) float32, 1 inside the brain.
        normal_asymmetry: (n, 1, x, y, z) float32, what the normal structures add to the image, in
            its units; zero everywhere in the symmetric version.
        torque_region: (n, 1, x, y, z) float32, 1 where the normal structures are or, in the
            symmetric version, where they would be (on a random side).
    """

    image: Tensor
    lesion: Tensor
    brain: Tensor
    normal_asymmetry: Tensor
    torque_region: Tensor

    def __len__(self) -> int:
        """Number of subjects."""
        return len(self.image)

    def __getitem__(self, index: slice | Tensor) -> "Subjects":
        """Some of the subjects."""
        return Subjects(**{part.name: getattr(self, part.name)[index] for part in fields(self)})

    def mirrored(self) -> "Subjects":
        """Every subject as its mirror image."""
        return Subjects(**{part.name: flip(getattr(self, part.name)) for part in fields(self)})


def join(parts: Sequence[Subjects]) -> Subjects:
    """Several groups of subjects as one."""
    return Subjects(
        **{
            part.name: torch.cat([getattr(group, part.name) for group in parts])
            for part in fields(Subjects)
        }
    )
