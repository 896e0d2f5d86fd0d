"""Settings and fixtures that every test shares: one thread, fixed seeds, real data if present."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from medsym.volumes.volume import Volume
from tests.builders import make_volume, rotated

torch.set_num_threads(1)  # faster and steadier than several on small volumes

settings.register_profile("repeatable", max_examples=20, deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random numbers, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries still draw from the legacy generator
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans beside the repository; they are not part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real scans in ../shared/data, which are not in the repository")
    return folder


@pytest.fixture(params=["RAS", "LAS", "LPS", "oblique"])
def oriented_volume(request: pytest.FixtureRequest) -> Volume:
    """The same head stored in different ways, so that a law can be tested for each of them."""
    if request.param == "oblique":
        return rotated(make_volume(), degrees=(12.0, -8.0, 5.0))
    return make_volume(axcodes=request.param)
