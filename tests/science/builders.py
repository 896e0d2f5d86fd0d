"""Subjects and findings made by formula, with a known left."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from medsym.inference.maps import CaseMaps
from medsym.models.structures import index_of
from medsym.science.subjects import Seen
from medsym.synthesis.case import SyntheticCase

SHAPE = (32, 40, 32)
SPACING_MM = 6.0
PLACE = (8, 26, 18)  # low x: the patient's left


def axes() -> tuple[np.ndarray, ...]:
    grids = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 2) for n in SHAPE), indexing="ij")
    return tuple(grids)


def brain_mask() -> np.ndarray:
    x, y, z = axes()
    return x**2 + y**2 + z**2 < 0.7


def blob(at: tuple[int, int, int] = PLACE, *, radius: int = 2) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    x, y, z = (slice(i - radius, i + radius + 1) for i in at)
    mask[x, y, z] = True
    return mask


def structure_map() -> np.ndarray:
    """Thalamus everywhere in the brain, by side."""
    x = axes()[0]
    left, right = (index_of("thalamus", side=side) for side in ("left", "right"))
    return np.where(brain_mask(), np.where(x < 0, left, right), 0).astype(np.int64)


def seen(
    *,
    tolerance: np.ndarray | float = 0.1,
    torque: np.ndarray | float = 1.0,
    normal: np.ndarray | float = 0.2,
    lesion: np.ndarray | None = None,
    pathology: np.ndarray | None = None,
    deviation: np.ndarray | None = None,
    asymmetry: np.ndarray | None = None,
    bound: float = 0.05,
    outside: float = 0.0,
) -> Seen:
    """A subject whose maps are what is asked for; ``outside`` is what the image has beyond it."""
    brain = brain_mask()
    nothing = np.zeros(SHAPE, dtype=np.float32)
    truth = np.zeros(SHAPE, dtype=bool) if lesion is None else lesion
    random = np.random.default_rng(0)
    image = np.where(brain, random.uniform(0.3, 0.9, SHAPE), outside)

    def full(values: np.ndarray | float) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, dtype=np.float32), SHAPE).copy()

    case = SyntheticCase(
        image=torch.from_numpy(image.astype(np.float32)),
        structures=torch.from_numpy(structure_map()),
        lesion=torch.from_numpy(truth),
        brain=torch.from_numpy(brain),
        coverage=torch.ones(SHAPE, dtype=torch.bool),
        stripped=True,
        kind="T1",
        records=(),
        anatomy="formula",
        normal_asymmetry=torch.from_numpy(full(normal)),
        torque_mm=torch.from_numpy(np.stack([full(torque), nothing, nothing])),
    )
    maps = CaseMaps(
        pathology=nothing if pathology is None else pathology.astype(np.float32),
        asymmetry=nothing if asymmetry is None else asymmetry.astype(np.float32),
        deviation=nothing if deviation is None else deviation.astype(np.float32),
        bound=full(bound) * brain,
        regional_asymmetry=nothing if asymmetry is None else asymmetry.astype(np.float32),
        regional_bound=full(bound) * brain,
        tolerance=full(tolerance) * brain,
        defect=nothing,
        anatomy=structure_map().astype(np.int16),
        brain=brain,
        domain=brain | brain[::-1],
        even_pathology=nothing,
    )
    return Seen(case=case, maps=maps, spacing_mm=SPACING_MM)


def antisymmetric(mask: np.ndarray, size: float) -> np.ndarray:
    """+size in the mask, -size at its mirror place."""
    return size * (mask.astype(np.float32) - mask[::-1].astype(np.float32))


@dataclass(frozen=True)
class Box:
    """Where axes lie in a drawn figure, in pixels: rows from the top."""

    left: int
    right: int
    top: int
    bottom: int


def drawn(figure: Any) -> tuple[np.ndarray, dict[str, Box]]:
    """(row, column, 3) colours of a figure, and the box of every labelled axes."""
    figure.canvas.draw()
    colours = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    height = colours.shape[0]
    boxes = {}
    for part in figure.axes:
        found = part.get_window_extent()
        boxes[part.get_label()] = Box(
            int(found.x0), int(found.x1), height - int(found.y1), height - int(found.y0)
        )
    return colours, boxes


def share_on_left_hand(mask: np.ndarray, box: Box) -> float:
    """Share of marked pixels of an axes in its left-hand half; fails if there are none."""
    inside = mask[box.top : box.bottom, box.left : box.right]
    assert inside.any()
    return float(inside[:, : inside.shape[1] // 2].sum() / inside.sum())
