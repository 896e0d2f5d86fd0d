"""A strictly mirror-equivariant network made by formula, and head phantoms with a known side."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.calibration.reference import DeviationReference
from medsym.models.structures import STRUCTURES
from medsym.volumes.volume import Volume

SEMI_AXES_MM = (66.0, 84.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class FakeHead:
    even: Tensor
    odd: Tensor
    tolerance: Tensor


@dataclass(frozen=True, kw_only=True)
class FakeOutput:
    anatomy_logits: Tensor
    pathology: FakeHead


@dataclass(frozen=True, kw_only=True)
class FakeSettings:
    spacing_mm: float = 3.0
    pathology_prior: float = 0.01
    softness: str = "head"


class FakeNetwork(nn.Module):
    """Evidence where a place is brighter than its mirror place; structures by geometry.

    ``leak`` adds a preference for the right that the tolerance permits; ``noise`` breaks the
    equivariance of the even part on purpose. It sees millimetres: on a grid of another spacing it
    averages about as far and names the same places.
    """

    def __init__(self, *, leak: float = 0.1, noise: float = 0.0, spacing_mm: float = 3.0) -> None:
        super().__init__()
        self.settings = FakeSettings(spacing_mm=spacing_mm)
        self.leak, self.noise = leak, noise

    def forward(self, scan: Tensor) -> FakeOutput:
        reach = round(3.0 / self.settings.spacing_mm)
        smooth = avg_pool3d(scan, 2 * reach + 1, stride=1, padding=reach)
        brighter = torch.relu(smooth - smooth.flip(2))
        ramp = torch.linspace(-1.0, 1.0, scan.shape[2]).view(1, 1, -1, 1, 1)
        even = 20.0 * brighter - 8.0
        if self.noise:
            even = even + self.noise * ramp * scan
        tolerance = self.leak * (0.5 + scan.abs())
        odd = tolerance * torch.tanh(3.0 * ramp * (0.2 + smooth))
        head = FakeHead(even=even, odd=odd, tolerance=tolerance)
        anatomy = _geometric_anatomy(scan, spacing_mm=self.settings.spacing_mm)
        return FakeOutput(anatomy_logits=anatomy, pathology=head)


def _geometric_anatomy(scan: Tensor, *, spacing_mm: float) -> Tensor:
    """Structures as half shells: the index depends on the distance from the centre only."""
    x, y, z = torch.meshgrid(
        *(torch.arange(n) - (n - 1) / 2 for n in scan.shape[2:]), indexing="ij"
    )
    pairs = [s for s in STRUCTURES if s.side == "left"]
    share = (x**2 + y**2 + z**2).sqrt() * spacing_mm / 84.0
    shell = (share * len(pairs)).long().clamp(max=len(pairs) - 1)
    scores = torch.zeros(1, len(STRUCTURES), *scan.shape[2:])
    inside = scan[0, 0] > 0.02
    scores[0, 0][~inside] = 1.0
    for number, left in enumerate(pairs):
        here = inside & (shell == number)
        scores[0, left.index][here & (x < 0)] = 1.0
        scores[0, left.mirror][here & (x > 0)] = 1.0
    return scores


@dataclass(frozen=True, kw_only=True)
class FakeModel:
    network: nn.Module
    manifest: dict[str, str]
    folder: Path


def fake_model(folder: Path, *, leak: float = 0.1, spacing_mm: float = 3.0) -> FakeModel:
    manifest = {"name": "fake", "version": "0", "sha256": "f" * 64}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return FakeModel(
        network=FakeNetwork(leak=leak, spacing_mm=spacing_mm), manifest=manifest, folder=folder
    )


def flat_reference(*, spread: float = 0.5, maxima: int = 40) -> DeviationReference:
    """The same spread everywhere; the 5 % threshold of 40 maxima 0.1, 0.2, ... is 3.9 SD."""
    return DeviationReference(
        spread=np.full(REFERENCE_SHAPE, spread, dtype=np.float32),
        maxima=np.arange(1, maxima + 1, dtype=np.float32) / 10,
        num_spread=10,
    )


def affine_for(codes: str, *, spacing: float, shape: tuple[int, int, int]) -> np.ndarray:
    """Voxel to world for axis codes such as "LPS", the grid centred on the origin."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for axis, letter in enumerate(codes):
        world = "RAS".find(letter)
        sign = 1.0 if world >= 0 else -1.0
        affine["LPI".find(letter) if world < 0 else world, axis] = sign * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def head_phantom(
    *,
    lesion_mm: tuple[float, float, float] | None = (40.0, 10.0, 10.0),
    codes: str = "RAS",
    spacing: float = 3.0,
    scale: float = 1.0,
    radius_mm: float = 12.0,
    path: Path | None = None,
    world_shape: tuple[int, int, int] = (60, 72, 56),
) -> Volume:
    """Stripped ellipsoid brain with symmetric texture and, if wanted, one bright lesion.

    World x is the patient's right, so a lesion at x = +40 mm is on the right.
    """
    order = [max("RAS".find(c), "LPI".find(c)) for c in codes]
    shape = tuple(world_shape[axis] for axis in order)
    affine = affine_for(codes, spacing=spacing, shape=shape)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(index @ affine[:3, :3].T + affine[:3, 3], -1, 0)
    a, b, c = (scale * s for s in SEMI_AXES_MM)
    inside = (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1.0
    texture = 100 + 20 * np.cos(x / 9.0) + 15 * np.sin(y / 11.0) + 12 * np.cos(z / 8.0 + y / 20)
    texture = texture - 0.6 * np.sqrt(x**2 + y**2 + z**2)  # so that shells explain something
    image = np.where(inside, texture, 0.0)
    if lesion_mm is not None:
        away = np.sqrt(sum((v - m) ** 2 for v, m in zip((x, y, z), lesion_mm, strict=True)))
        image = np.where(inside & (away < radius_mm), 220.0, image)
    return Volume(
        voxels=image.astype(np.float32), affine=affine, path=path, sha256="0" * 64, sform_code=1
    )
