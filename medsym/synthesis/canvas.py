"""What a case is drawn on: the symmetric grid on a device, with a finer and a coarser lattice.

Tissue is sampled on the *fine* lattice, two points per voxel and axis, so that a voxel can hold
several tissues; displacements live on the *coarse* one, about 6 mm apart, which spans the fine
lattice from its first to its last point.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from medsym.volumes.frame import SymmetricGrid

COARSE_MM = 6.0
CPU = torch.device("cpu")
Shape = tuple[int, int, int]


@lru_cache(maxsize=16)
def _points(ends_mm: tuple[float, float, float], shape: Shape, device: torch.device) -> Tensor:
    axes = [torch.linspace(-e, e, n) for e, n in zip(ends_mm, shape, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).to(device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """A symmetric grid on a device.

    Attributes:
        grid: shape and spacing of the images that are drawn.
        device: where volumes are computed.
    """

    grid: SymmetricGrid = field(default_factory=SymmetricGrid)
    device: torch.device = CPU

    @property
    def shape(self) -> Shape:
        """Voxels of the grid along x, y, z."""
        return self.grid.shape

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel of the grid."""
        return self.grid.spacing_mm

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel of the grid."""
        return self.spacing_mm**3 / 1000.0

    @property
    def fine(self) -> Shape:
        """Points of the fine lattice: twice the grid's."""
        x, y, z = self.shape
        return (2 * x, 2 * y, 2 * z)

    @property
    def coarse(self) -> Shape:
        """Points of the coarse lattice, about 6 mm apart."""
        x, y, z = (max(4, round(n * self.spacing_mm / COARSE_MM)) for n in self.shape)
        return (x, y, z)

    def points(self) -> Tensor:
        """(3, x, y, z) frame coordinates of the grid's voxel centres, mm; shared, do not write."""
        x, y, z = (0.5 * (n - 1) * self.spacing_mm for n in self.shape)
        return _points((x, y, z), self.shape, self.device)

    def lattice(self, shape: Shape) -> Tensor:
        """(3, x, y, z) frame coordinates of a lattice that spans the fine one end to end, mm."""
        x, y, z = (0.25 * (n - 1) * self.spacing_mm for n in self.fine)
        return _points((x, y, z), shape, self.device)

    def control(self, spacing_mm: float) -> Shape:
        """Control points of a smooth field whose details are this far apart; at least 4."""
        x, y, z = (max(4, round(n * self.spacing_mm / spacing_mm) + 1) for n in self.shape)
        return (x, y, z)

    def zeros(self) -> Tensor:
        """An empty volume of the grid, (x, y, z) float32."""
        return torch.zeros(self.shape, device=self.device)
