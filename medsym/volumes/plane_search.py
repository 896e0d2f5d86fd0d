"""Search for the plane with the best robust mirror score, coarse to fine.

Parameters of a plane are yaw and roll in degrees and the distance in mm from the centre of the
plane space. All steps are deterministic and treat the two directions of the x axis alike.

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
ADAM_STEPS, ADAM_RATE = 30, 0.5  # the rate in degrees and mm
LBFGS_STEPS = 20
TOLERANCES = {8: 0.25, 4: 0.20, 2: 0.05}  # c of the score per lattice spacing in mm
SCORE_TOLERANCE = 0.15  # c of the score that is reported
POINTS = {8: 6_000, 4: 12_000, 2: 40_000}  # about as many voters are used
PRIOR = 0.004  # score lost at PRIOR_DEG: an upright head is likelier, but only just
PRIOR_DEG = 15.0
LEAST_OVERLAP = 0.25  # of the votes must find a partner in the field of view


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
    image = functional.avg_pool3d(space.image, factor) if factor > 1 else space.image
    votes = functional.avg_pool3d(space.votes[None, None], factor)[0, 0]
    step = 1
    while int((votes[:, ::step] > 0.25).sum()) > 2 * POINTS[spacing]:
        step += 1
    keep = torch.zeros_like(votes, dtype=torch.bool)
    rows = torch.arange(votes.shape[1])[:, None] + torch.arange(votes.shape[2])[None, :]
    keep[:, rows % step == 0] = True  # thinned along y and z only: symmetric in x
    index = torch.nonzero(keep & (votes > 0.25))
    size = torch.tensor(votes.shape, dtype=torch.float32)
    return _Level(
        image=image,
        points=(index - 0.5 * (size - 1)) * spacing,
        values=image[0, 0][tuple(index.T)],
        votes=votes[tuple(index.T)],
        half_mm=0.5 * (size - 1) * spacing,
        tolerance=TOLERANCES[spacing],
    )


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
    where = (mirrored / level.half_mm).flip(-1)[None, None]  # grid_sample wants (z, y, x)
    found = functional.grid_sample(level.image, where, align_corners=True)[0, :, 0]
    seen = level.votes[:, None] * found[1]
    likeness = 1.0 / (1.0 + ((found[0] - level.values[:, None]) / level.tolerance) ** 2)
    return (seen * likeness).sum(0) / seen.sum(0).clamp_min(LEAST_OVERLAP * level.votes.sum())


def _objective(level: _Level, *, parameters: torch.Tensor, prior: float) -> torch.Tensor:
    tilt = (parameters[:, :2] / PRIOR_DEG).square().sum(dim=1)
    return _scores(level, parameters=parameters) - prior * tilt


def _survey(level: _Level) -> torch.Tensor:
    """The best few planes of a grid, (SEEDS, 3)."""
    planes = torch.tensor(list(product(ANGLES_DEG, ANGLES_DEG, OFFSETS_MM)))
    with torch.no_grad():
        scores = torch.cat(
            [_objective(level, parameters=part, prior=PRIOR) for part in planes.split(27)]
        )
    return planes[scores.topk(SEEDS).indices]


def _climb(level: _Level, *, start: torch.Tensor) -> torch.Tensor:
    """Adam on several planes at once; returns the best one, (1, 3)."""
    parameters = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([parameters], lr=ADAM_RATE)
    for step in range(ADAM_STEPS):
        optimiser.param_groups[0]["lr"] = ADAM_RATE * (1.0 - step / ADAM_STEPS)
        optimiser.zero_grad()
        (-_objective(level, parameters=parameters, prior=PRIOR).sum()).backward()
        optimiser.step()
    with torch.no_grad():
        best = _objective(level, parameters=parameters, prior=PRIOR).argmax()
    return parameters.detach()[best][None]


def _finish(level: _Level, *, start: torch.Tensor) -> tuple[torch.Tensor, float]:
    """L-BFGS on one plane; returns (1, 3) and its score."""
    parameters = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=LBFGS_STEPS, history_size=8, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = -100.0 * _objective(level, parameters=parameters, prior=0.0).sum()
        value.backward()
        return value

    optimiser.step(loss)
    with torch.no_grad():
        judged = replace(level, tolerance=SCORE_TOLERANCE)
        score = float(_scores(judged, parameters=parameters)[0])
    return parameters.detach(), score


def _to_plane(space: PlaneSpace, *, parameters: torch.Tensor, score: float) -> MidPlane:
    normal = _normals(parameters.double())[0].numpy()
    normal = normal / np.linalg.norm(normal)
    offset = float(normal @ space.centre_mm) + float(parameters[0, 2])
    return MidPlane(normal=normal, offset_mm=offset, score=min(max(score, 0.0), 1.0))


def search_plane(space: PlaneSpace) -> MidPlane:
    """Global search: grid at 8 mm, Adam at 4 mm, L-BFGS at 2 mm."""
    best = _climb(_level(space, spacing=4), start=_survey(_level(space, spacing=8)))
    parameters, score = _finish(_level(space, spacing=2), start=best)
    return _to_plane(space, parameters=parameters, score=score)


def polish_plane(space: PlaneSpace, *, start: MidPlane) -> MidPlane:
    """Local search from a plane that is nearly right: Adam at 4 mm, L-BFGS at 2 mm."""
    distance = start.offset_mm - float(start.normal @ space.centre_mm)
    first = torch.tensor([[start.yaw_deg, start.roll_deg, distance]], dtype=torch.float32)
    best = _climb(_level(space, spacing=4), start=first)
    parameters, score = _finish(_level(space, spacing=2), start=best)
    return _to_plane(space, parameters=parameters, score=score)
