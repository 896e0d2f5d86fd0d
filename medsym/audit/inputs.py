"""The volumes that a network is audited on: a made one, or the brain of a scan."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from medsym.audit.subject import Subject
from medsym.models.support import support_box
from medsym.volumes.grid import prepare_scan
from medsym.volumes.volume import Volume

SMOOTHING_ROUNDS = 4
"""Passes of a 3-voxel mean: the smooth part has structures of about 5 voxels."""

ROUGHNESS = 0.1
"""Spread of the voxelwise noise, relative to the smooth part."""

EDGE_RADIUS = 0.85
"""Where the ellipsoid ends, 1 is the border of the grid; it fades out over one voxel."""


def synthetic_volume(subject: Subject, *, seed: int = 0) -> Tensor:
    """(1, c, x, y, z) lopsided ellipsoid of smooth structures with noise, 0 outside.

    Noise shows every one-sided stride; smooth structures are what scans are made of. No part is
    symmetric, so a defect cannot hide behind an input that equals its mirror image.

    Args:
        subject: States channels, sizes and the multiple that they keep.
        seed: Of the structures; the global random state is left as it was.
    """
    shape = subject.grid.shape
    generator = torch.Generator().manual_seed(seed)
    smooth, noise = torch.randn(2, 1, subject.in_channels, *shape, generator=generator)
    for _ in range(SMOOTHING_ROUNDS):
        smooth = avg_pool3d(smooth, 3, stride=1, padding=1)
    values = 0.5 + 0.15 * (smooth / smooth.std() + ROUGHNESS * noise)
    places = torch.meshgrid(*(torch.linspace(-1.0, 1.0, n) for n in shape), indexing="ij")
    radius = torch.stack(places).square().sum(0).sqrt()
    edge = ((EDGE_RADIUS - radius) * min(shape) / 2.0).clamp(0.0, 1.0)
    return _cropped((values * edge).float(), subject)


def scan_volume(scan: Volume, subject: Subject) -> Tensor:
    """(1, c, x, y, z) brain of a scan on the symmetric grid, as networks of medsym see it.

    Raises:
        ScanError: The scan cannot be used; see ``prepare_scan``.
    """
    prepared = prepare_scan(scan, grid=subject.grid)
    image = torch.from_numpy(np.ascontiguousarray(prepared.brain_image))
    return _cropped(image.expand(1, subject.in_channels, *image.shape).contiguous(), subject)


def _cropped(volume: Tensor, subject: Subject) -> Tensor:
    """The box of the volume that the network is run on."""
    if subject.size_multiple is None:
        return volume
    filled = (volume[0] != 0).any(dim=0).numpy()
    box = support_box(filled, multiple=subject.size_multiple)
    return volume[(slice(None), slice(None), *box)]
