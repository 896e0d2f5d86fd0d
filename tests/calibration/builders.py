"""Healthy people on a small reference grid, drawn from a law that is not normal."""

import hashlib

import numpy as np

from medsym.calibration.normative import Moments
from medsym.calibration.people import HealthyScan

SHAPE = (6, 5, 4)
_HALF = np.stack(np.meshgrid(*(np.arange(n) for n in (3, 5, 4)), indexing="ij")).reshape(3, -1)


def antisymmetric(values: np.ndarray) -> np.ndarray:
    return values - values[::-1]


def scan_of(values: np.ndarray, *, person: str, sha256: str = "", **more: object) -> HealthyScan:
    """A scan whose symmetric grid is the reference grid itself.

    Args:
        values: ``SHAPE`` antisymmetric regional asymmetry.
        person: whose.
        sha256: of its file.
        more: features, covariates.
    """
    moments = Moments(
        squares=values**2,
        firsts=values,
        weights=np.ones(SHAPE),
        levels=float((values**2).mean()),
        count=1.0,
    )
    half = values[:3].ravel().astype(np.float32)
    places = _HALF.astype(np.float32)
    return HealthyScan(
        person=person,
        sha256=sha256 or hashlib.sha256(person.encode()).hexdigest(),
        values=half,
        places=places,
        moments=moments,
        **{"features": {"noise": float(values.std())}, **more},
    )


def draw(rng: np.random.Generator, *, torque: float = 0.0, size: float = 1.0) -> np.ndarray:
    """Heavy tails, a size that differs between people, and an asymmetry that all of them have."""
    usual = antisymmetric(np.linspace(-1.0, 1.0, 6)[:, None, None] * np.ones(SHAPE))
    wild = antisymmetric(rng.standard_t(3, SHAPE)) * np.exp(0.3 * rng.standard_normal())
    return size * (0.3 * wild + torque * usual)


def people(
    rng: np.random.Generator, count: int, *, scans: int = 1, torque: float = 0.0
) -> list[HealthyScan]:
    """``count`` people; every second one has ``scans`` scans, much like each other."""
    found = []
    for number in range(count):
        own = draw(rng, torque=torque)
        for repeat in range(scans if number % 2 else 1):
            noise = 0.1 * antisymmetric(rng.standard_normal(SHAPE))
            name = f"p{number:03d}"
            found.append(scan_of(own + noise, person=name, sha256=f"{name}-{repeat}"))
    return found
