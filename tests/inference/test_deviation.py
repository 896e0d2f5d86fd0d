"""The healthy reference: symmetric, scale-free, with an honest family-wise threshold."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.calibration.normative import Moments, spread_of
from medsym.calibration.reference import DeviationReference, load_reference, save_reference
from medsym.errors import ModelError
from medsym.inference.deviation import build_reference
from medsym.models.structures import mirror_permutation
from tests.builders_case import FakeNetwork, flat_reference


def ellipsoid(scale: float, *, shape: tuple[int, int, int] = (32, 40, 32)) -> np.ndarray:
    x, y, z = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    return (x / 11) ** 2 + (y / 14) ** 2 + (z / 10) ** 2 < scale**2


def moments_of(maps: np.ndarray) -> Moments:
    everywhere = np.ones(REFERENCE_SHAPE, dtype=bool)
    moments = Moments.none()
    for values in maps:
        case = Moments.of_case(values - values[::-1], domain=everywhere, brain=everywhere)
        case = replace(case, squares=(values**2 + values[::-1] ** 2) / 2)
        case = replace(case, weights=np.ones(REFERENCE_SHAPE), levels=float((values**2).mean()))
        moments = moments.plus(case)
    return moments


def test_sigma_is_symmetric_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4, *REFERENCE_SHAPE))
    spread = spread_of(moments_of(noise))
    assert np.array_equal(spread, spread[::-1])
    reference = DeviationReference(spread=spread, maxima=np.zeros(0, np.float32), num_spread=1)
    brain = ellipsoid(1.0)
    brain[4:8] = False  # a lopsided mask must not tilt the reference
    sigma = reference.sigma_on(brain)
    assert np.array_equal(sigma, sigma[::-1])
    assert (sigma > 0).all()


def test_reference_follows_the_size_of_the_brain() -> None:
    spread = np.linspace(1, 2, REFERENCE_SHAPE[1], dtype=np.float32)[None, :, None]
    spread = np.broadcast_to(spread, REFERENCE_SHAPE).copy()
    reference = DeviationReference(spread=spread, maxima=np.zeros(0, np.float32), num_spread=1)
    small, large = (reference.sigma_on(ellipsoid(s)) for s in (0.7, 1.3))
    front_small, front_large = round(19.5 + 0.7 * 14), round(19.5 + 1.3 * 14)
    assert small[16, front_small, 16] == pytest.approx(large[16, front_large, 16], abs=0.03)


def test_spread_recovers_the_known_spread() -> None:
    rng = np.random.default_rng(1)
    spread = spread_of(moments_of(rng.standard_normal((60, *REFERENCE_SHAPE)) * 0.8))
    assert np.abs(spread - 0.8).max() < 0.1


def test_threshold_is_the_finite_sample_quantile() -> None:
    reference = flat_reference(maxima=40)
    assert reference.threshold(0.05) == pytest.approx(3.9)  # ceil(41 * 0.95) = 39
    assert flat_reference(maxima=18).threshold(0.05) is None
    assert flat_reference(maxima=19).threshold(0.05) == pytest.approx(1.9)


def test_threshold_keeps_its_false_alarm_rate() -> None:
    rng = np.random.default_rng(2)
    exceeded = []
    for _ in range(2000):
        maxima = np.sort(rng.gumbel(size=50)).astype(np.float32)
        reference = DeviationReference(spread=np.ones(1), maxima=maxima, num_spread=1)
        exceeded.append(rng.gumbel() > reference.threshold(0.1))
    assert np.mean(exceeded) < 0.1 + 3 * np.sqrt(0.09 / 2000)


def test_build_reference_measures_healthy_asymmetry() -> None:
    rng = np.random.default_rng(3)
    brain = ellipsoid(1.0)

    def healthy(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        images = (0.5 + 0.1 * rng.standard_normal(brain.shape) for _ in range(count))
        return [((image * brain).astype(np.float32), brain) for image in images]

    reference = build_reference(
        FakeNetwork(),
        healthy(8),
        mirror_classes=mirror_permutation(),
        spacing_mm=3.0,
        num_spread=5,
    )
    assert reference.num_spread == 5
    assert reference.maxima.size == 3
    assert (np.diff(reference.maxima) >= 0).all()
    assert reference.maxima.min() > 1.0  # the largest of many voxels is beyond one SD
    assert np.array_equal(reference.spread, reference.spread[::-1])


def test_reference_survives_its_file(tmp_path) -> None:
    path = tmp_path / "reference.safetensors"
    save_reference(path, reference=flat_reference())
    again = load_reference(path)
    assert np.array_equal(again.spread, flat_reference().spread)
    assert np.array_equal(again.maxima, flat_reference().maxima)


@pytest.mark.parametrize("damage", ["missing", "cut", "lopsided", "negative"])
def test_a_damaged_reference_is_refused(tmp_path, damage: str) -> None:
    path = tmp_path / "reference.safetensors"
    save_reference(path, reference=flat_reference())
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        spread = np.ones(REFERENCE_SHAPE, dtype=np.float32)
        spread[0] = 2.0 if damage == "lopsided" else spread[0]
        spread = -spread if damage == "negative" else spread
        save_file(
            {"spread": spread, "maxima": np.ones(1, np.float32), "num_spread": np.ones(1, int)},
            path,
        )
    with pytest.raises(ModelError, match="MS-305"):
        load_reference(path)


def test_another_reference_than_the_manifest_states_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    save_reference(path, reference=flat_reference())
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_reference(path, sha256=known).maxima.size > 0
    save_reference(path, reference=flat_reference(spread=0.1))
    with pytest.raises(ModelError, match=r"MS-305 .*hash that the manifest states"):
        load_reference(path, sha256=known)


def test_a_rate_too_small_for_the_reference_never_loosens_the_threshold() -> None:
    reference = flat_reference(maxima=40)
    assert reference.threshold(0.005) is None
    usual = reference.threshold(0.05)
    assert usual is not None
    assert reference.strictest(0.0) >= usual
    assert reference.strictest(99.0) == 99.0
