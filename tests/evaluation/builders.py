"""Small scans, subjects and models made by formula, with a known left."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from medsym.evaluation import subjects
from medsym.evaluation.healthy_images import HealthyImages, HealthyMoments
from medsym.evaluation.methods import Candidate, Scan
from medsym.evaluation.subjects import SubjectSource
from medsym.synthesis.dataset import Sources
from medsym.synthesis.settings import SynthesisConfig
from tests.builders_case import FakeModel, FakeNetwork, FakeSettings, flat_reference
from tests.synthesis.heads import PLAIN, head_anatomy

SHAPE = (32, 32, 32)
SPACING_MM = 6.0


@dataclass(frozen=True, kw_only=True)
class FullSettings:
    softness: str = "head"
    spacing_mm: float = SPACING_MM
    pathology_prior: float = FakeSettings.pathology_prior


def fake_candidate(
    *, name: str = "fake", softness: str = "head", leak: float = 0.1, sha: str = "f"
) -> Candidate:
    """A network that marks what is brighter than its mirror place; leak 0 is strict."""
    network = FakeNetwork(leak=leak)
    network.settings = FullSettings(softness=softness)
    manifest = {"name": name, "sha256": sha * 64, "reference_sha256": sha * 64}
    model = FakeModel(network=network, manifest=manifest, folder=Path())
    return Candidate(name=name, model=model, reference=flat_reference())


def brain_mask() -> np.ndarray:
    x, y, z = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 2) for n in SHAPE), indexing="ij")
    return x**2 + y**2 + z**2 < 0.7


def lesion_mask(*, side: str = "left") -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[7:11, 14:18, 14:18] = True  # low x is the patient's left
    return mask if side == "left" else mask[::-1]


def noisy_scan(*, seed: int = 0, lesion: np.ndarray | None = None, kind: str = "T1") -> Scan:
    """Texture that is the same on both sides, noise that is not, and a bright lesion."""
    random = np.random.default_rng(seed)
    brain = brain_mask()
    texture = random.normal(size=SHAPE)
    image = 0.5 + 0.1 * (texture + texture[::-1]) + 0.02 * random.normal(size=SHAPE)
    if lesion is not None:
        image = image + 0.8 * lesion
    image = np.where(brain, image, 0.0).astype(np.float32)
    return Scan(
        image=image,
        brain=brain,
        coverage=np.ones(SHAPE, dtype=bool),
        kind=kind,
        spacing_mm=SPACING_MM,
    )


def healthy(seed: int, *, kind: str = "T1") -> Scan:
    """Everybody is darker in one place on the LEFT, and T2 is brighter throughout."""
    scan = noisy_scan(seed=seed, kind=kind)
    normal = -0.4 * lesion_mask() + (0.3 if kind == "T2" else 0.0)
    return replace(scan, image=np.where(scan.brain, scan.image + normal, 0.0).astype(np.float32))


@functools.cache
def reference_images() -> HealthyImages:
    """Statistics of twelve healthy T1 and twelve T2 scans."""
    moments = HealthyMoments(spacing_mm=SPACING_MM)
    for seed in range(24):
        scan = healthy(seed, kind="T2" if seed % 2 else "T1")
        moments.add(scan.image, scan.brain, kind=scan.kind)
    return moments.finish()


def small_source(
    monkeypatch: pytest.MonkeyPatch, *, config: SynthesisConfig = PLAIN, seed: int = 3
) -> SubjectSource:
    """Subjects of one ellipsoid head on a coarse grid, the same anatomy in every split."""
    sources = Sources(anatomies=(head_anatomy(),), shapes=())
    monkeypatch.setattr(subjects, "load_sources", lambda _config, **_: sources)
    return SubjectSource(config, seed=seed, spacing_mm=SPACING_MM)
