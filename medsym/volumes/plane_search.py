"""Search for the plane with the best robust mirror score, coarse to fine.

Parameters of a plane are yaw and roll in degrees and the distance in mm from the centre of the
plane space. All steps are deterministic and treat the two directions of the x axis alike: a flipped
space has the parameters with the opposite signs. Three things make that true to rounding:

- Voters lie beside the lattice, and those of the two sides lie mirrored. Voters on lattice points
  would be carried onto lattice points by every upright plane. There trilinear interpolation has a
  kink, its gradient is that of the cell to the right, and the first step went to one side.
- Arithmetic is float64: a flip reverses the order of the sums.
- Adam with a falling rate changes a difference of rounding at the start by a factor near 1. L-BFGS
  with a line search enlarged it 4000 times on a usual head and 10^7 times on a flat score.

Every voter counts the same, near the plane or far from it: votes that fade with distance were more
exact on made heads (0.37 against 0.45 degrees) but followed the bowed midline of heads with a big
tumour by 2 degrees and 1.5 mm.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch.nn import functional

from medsym.volumes.midplane import MidPlane
from medsym.volumes.plane_space import SPACING_MM, PlaneSpace

ANGLES_DEG = tuple(6.0 * k for k in range(-4, 5))
OFFSETS_MM = tuple(4.0 * k for k in range(-4, 5))
SEEDS = 3
TOLERANCES = {8: 0.25, 4: 0.20, 2: 0.05}  # c of the score per lattice spacing in mm
SCORE_TOLERANCE = 0.15  # c of the score that is reported
POINTS = {8: 6_000, 4: 12_000, 2: 40_000}  # about as many voters are used
PRIOR = 0.004  # score lost at PRIOR_DEG: an upright head is likelier, but only just
PRIOR_DEG = 15.0
LEAST_OVERLAP = 0.25  # of the votes must find a partner in the field of view
# Roots g^-1, g^-2, g^-3 of g^4 = g + 1: the multiples of all three, modulo 1, fill a cube evenly
# (M. Roberts, The unreasonable effectiveness of quasirandom sequences, 2018).
SCATTER = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pace:
    """How Adam walks: number of steps, first rate in degrees and mm, and how long it remembers."""

    steps: int
    rate: float
    betas: tuple[float, float]


ADAM_EPSILON = 1e-8  # of the paper; keeps a flat score from dividing by 0
CLIMB = _Pace(steps=30, rate=0.5, betas=(0.9, 0.999))
FINISH = _Pace(steps=16, rate=0.2, betas=(0.7, 0.99))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Level:
    """One resolution: two-channel image, voters (n, 3) mm from the centre, values and votes."""

    image: torch.Tensor
    points: torch.Tensor
    values: torch.Tensor
    votes: torch.Tensor
    half_mm: torch.Tensor
    tolerance: float


def _level(space: PlaneSpace, *, spacing: int) -> _Level:
    factor = round(spacing / SPACING_MM)
    image = functional.avg_pool3d(space.image.double(), factor)
    votes = functional.avg_pool3d(space.votes.double()[None, None], factor)[0, 0]
    step = 1
    while int((votes[:, ::step] > 0.25).sum()) > 2 * POINTS[spacing]:
        step += 1
    keep = torch.zeros_like(votes, dtype=torch.bool)
    rows = torch.arange(votes.shape[1])[:, None] + torch.arange(votes.shape[2])[None, :]
    keep[:, rows % step == 0] = True  # thinned along y and z only: symmetric in x
    index = torch.nonzero(keep & (votes > 0.25))
    half_mm = 0.5 * spacing * (torch.tensor(votes.shape, dtype=torch.float64) - 1.0)
    points = _scattered(index, shape=votes.shape) * spacing
    values, seen = _sampled(image, points=points, half_mm=half_mm)
    return _Level(
        image=image,
        points=points,
        values=values,
        votes=votes[tuple(index.T)] * seen,
        half_mm=half_mm,
        tolerance=TOLERANCES[spacing],
    )


def _scattered(index: torch.Tensor, *, shape: torch.Size) -> torch.Tensor:
    """Lattice indices (n, 3) to places in voxels from the centre, up to half a voxel off.

    Both voxels of a mirrored pair are moved by the same amount outward, front and up.
    """
    doubled = 2 * index - (torch.tensor(shape) - 1)  # odd in x: the sizes are even
    side = doubled[:, 0].sign()
    rank = ((doubled[:, 0].abs() // 2) * shape[1] + index[:, 1]) * shape[2] + index[:, 2]
    shift = torch.frac(rank[:, None] * torch.tensor(SCATTER, dtype=torch.float64)) - 0.5
    shift[:, 0] *= side
    return 0.5 * doubled + shift


def _sampled(image: torch.Tensor, *, points: torch.Tensor, half_mm: torch.Tensor) -> torch.Tensor:
    """Trilinear intensity and view, (2, ...), at points (..., 3) mm from the centre; 0 beyond."""
    flat = (points / half_mm).flip(-1).reshape(1, 1, 1, -1, 3)  # grid_sample wants (z, y, x)
    found = functional.grid_sample(image, flat, align_corners=True)
    return found.reshape(2, *points.shape[:-1])


def _normals(parameters: torch.Tensor) -> torch.Tensor:
    yaw, roll = torch.deg2rad(parameters[..., 0]), torch.deg2rad(parameters[..., 1])
    return torch.stack([yaw.cos() * roll.cos(), yaw.sin() * roll.cos(), roll.sin()], dim=-1)


def _scores(level: _Level, *, parameters: torch.Tensor) -> torch.Tensor:
    """Robust mirror score of planes: parameters (p, 3) -> (p,), in [0, 1], higher is better.

    sum_v w_v / (1 + ((I(v) - I(Gv)) / c)^2) / sum_v w_v, with w_v the vote of v where Gv is in
    view.
    """
    normal = _normals(parameters)
    distance = level.points @ normal.T - parameters[:, 2]
    mirrored = level.points[:, None] - 2.0 * distance[..., None] * normal
    values, view = _sampled(level.image, points=mirrored, half_mm=level.half_mm)
    seen = level.votes[:, None] * view
    likeness = 1.0 / (1.0 + ((values - level.values[:, None]) / level.tolerance) ** 2)
    return (seen * likeness).sum(0) / seen.sum(0).clamp_min(LEAST_OVERLAP * level.votes.sum())


def _objective(level: _Level, *, parameters: torch.Tensor, prior: float) -> torch.Tensor:
    tilt = (parameters[:, :2] / PRIOR_DEG).square().sum(dim=1)
    return _scores(level, parameters=parameters) - prior * tilt


def _survey(level: _Level) -> torch.Tensor:
    """The best few planes of a grid, (SEEDS, 3)."""
    planes = torch.tensor(list(product(ANGLES_DEG, ANGLES_DEG, OFFSETS_MM)), dtype=torch.float64)
    with torch.no_grad():
        scores = torch.cat(
            [_objective(level, parameters=part, prior=PRIOR) for part in planes.split(27)]
        )
    return planes[scores.topk(SEEDS).indices]


@torch.enable_grad()
def _ascend(level: _Level, *, start: torch.Tensor, pace: _Pace, prior: float) -> torch.Tensor:
    """Adam on each of several planes, its rate falling to 0; (p, 3) to (p, 3).

    Written out, with the arithmetic of torch's: making an optimiser of torch's loads its compiler,
    a second of every start. D. P. Kingma, J. Ba, Adam, ICLR 2015, algorithm 1.
    """
    parameters = start.clone().requires_grad_(True)
    first, second = torch.zeros_like(start), torch.zeros_like(start)
    slow, slower = pace.betas
    for step in range(pace.steps):
        total = -_objective(level, parameters=parameters, prior=prior).sum()
        (gradient,) = torch.autograd.grad(total, parameters)
        first.lerp_(gradient, 1.0 - slow)
        second.mul_(slower).addcmul_(gradient, gradient, value=1.0 - slower)
        spread = (second.sqrt() / (1.0 - slower ** (step + 1)) ** 0.5).add_(ADAM_EPSILON)
        rate = pace.rate * (1.0 - step / pace.steps)
        with torch.no_grad():
            parameters.addcdiv_(first, spread, value=-rate / (1.0 - slow ** (step + 1)))
    return parameters.detach()


def _climb(level: _Level, *, start: torch.Tensor) -> torch.Tensor:
    """Improve several planes; returns the best one, (1, 3)."""
    parameters = _ascend(level, start=start, pace=CLIMB, prior=PRIOR)
    with torch.no_grad():
        best = _objective(level, parameters=parameters, prior=PRIOR).argmax()
    return parameters[best][None]


def _finish(level: _Level, *, start: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Improve one plane by the score alone; returns (1, 3) and its score."""
    parameters = _ascend(level, start=start, pace=FINISH, prior=0.0)
    with torch.no_grad():
        judged = replace(level, tolerance=SCORE_TOLERANCE)
        score = float(_scores(judged, parameters=parameters)[0])
    return parameters, score


def _to_plane(space: PlaneSpace, *, parameters: torch.Tensor, score: float) -> MidPlane:
    normal = _normals(parameters)[0].numpy()
    normal = normal / np.linalg.norm(normal)
    offset = float(normal @ space.centre_mm) + float(parameters[0, 2])
    return MidPlane(normal=normal, offset_mm=offset, score=min(max(score, 0.0), 1.0))


def search_plane(space: PlaneSpace) -> MidPlane:
    """Global search: grid at 8 mm, Adam at 4 mm and at 2 mm."""
    best = _climb(_level(space, spacing=4), start=_survey(_level(space, spacing=8)))
    parameters, score = _finish(_level(space, spacing=2), start=best)
    return _to_plane(space, parameters=parameters, score=score)


def polish_plane(space: PlaneSpace, *, start: MidPlane) -> MidPlane:
    """Local search from a plane that is nearly right: Adam at 4 mm and at 2 mm."""
    distance = start.offset_mm - float(start.normal @ space.centre_mm)
    first = torch.tensor([[start.yaw_deg, start.roll_deg, distance]], dtype=torch.float64)
    best = _climb(_level(space, spacing=4), start=first)
    parameters, score = _finish(_level(space, spacing=2), start=best)
    return _to_plane(space, parameters=parameters, score=score)
