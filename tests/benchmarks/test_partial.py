"""A part of a network's pass is the whole pass where nothing was left out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.benchmarks.partial.benchmark import run_partial_benchmark
from medsym.benchmarks.partial.memory import frozen, mirrored, placed, recorded
from medsym.benchmarks.partial.table import format_partial
from medsym.benchmarks.partial.variants import VARIANTS, Passes, Variant, mirror_of, run_variant
from medsym.calibration.reference import DeviationReference
from medsym.evaluation.methods import Candidate, Scan
from medsym.models.asymmetry_net import AsymmetryNet, NetworkOutput
from medsym.models.store import load_model
from medsym.symmetry.mirror import flip
from tests.builders_case import flat_reference
from tests.export.small_model import make_model_folder

SHAPE = (24, 28, 20)


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    folder: Path = make_model_folder(tmp_path_factory.mktemp("partial") / "m", position=True)
    reference: DeviationReference = flat_reference()
    return Candidate(name="tiny", model=load_model(folder), reference=reference)


@pytest.fixture(scope="module")
def network(candidate: Candidate) -> AsymmetryNet:
    return candidate.model.network


def volume(seed: int = 0) -> torch.Tensor:
    return torch.rand((1, 1, *SHAPE), generator=torch.Generator().manual_seed(seed))


def run(variant: Variant, network: AsymmetryNet, marked: np.ndarray) -> Passes:
    def asks(_first: NetworkOutput) -> np.ndarray:
        return marked

    return run_variant(variant, network, volume(), asks=asks, spacing_mm=6.0)


def parts(output: NetworkOutput) -> list[torch.Tensor]:
    head = output.pathology
    return [output.anatomy_logits, head.even, head.odd, head.tolerance]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_where_everything_is_in_question_both_passes_are_whole(
    variant: Variant, network: AsymmetryNet
) -> None:
    passes = run(variant, network, np.ones(SHAPE, dtype=bool))
    assert passes.share == 1.0
    with torch.inference_mode():
        wanted = network(flip(volume()))
    for got, expected in zip(parts(passes.second), parts(wanted), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda v: v.name)
def test_where_nothing_is_in_question_the_first_pass_is_mirrored(
    variant: Variant, network: AsymmetryNet
) -> None:
    passes = run(variant, network, np.zeros(SHAPE, dtype=bool))
    assert passes.share == 0.0
    with torch.inference_mode():
        wanted = network(flip(volume()))
    for got, expected in zip(parts(passes.second), parts(wanted), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    assert all(
        torch.equal(a, b)
        for a, b in zip(parts(mirror_of(passes.second)), parts(passes.first), strict=True)
    )


def test_statistics_of_the_mirrored_scan_are_those_with_channels_swapped(
    network: AsymmetryNet,
) -> None:
    with torch.inference_mode():
        with recorded(network) as here:
            network(volume())
        with recorded(network) as there:
            network(flip(volume()))
    swapped = mirrored(here)
    assert here
    for name, values in there.items():
        for got, expected in zip(swapped[name], values, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    apart = max(float((here[name][0] - there[name][0]).abs().max()) for name in here)
    assert apart > 1e-2  # not to be confused: unswapped they differ


def test_a_part_with_places_of_the_whole_is_told_where_it_lies(network: AsymmetryNet) -> None:
    box = (slice(0, 24), slice(0, 14), slice(0, 20))
    part = volume()[(..., *box)]
    with torch.inference_mode():
        alone = network(part).pathology.even
        with placed(network, box, shape=SHAPE):
            told = network(part).pathology.even
        with placed(network, tuple(slice(0, n) for n in SHAPE), shape=SHAPE):
            whole = network(volume()).pathology.even
        plain = network(volume()).pathology.even
    assert float((alone - told).abs().max()) > 1e-3
    assert torch.equal(whole, plain)


def test_a_network_is_left_as_it_was(network: AsymmetryNet) -> None:
    with torch.inference_mode():
        before = network(volume()).pathology.even
        with recorded(network) as statistics:
            network(volume(1))
        with frozen(network, statistics):
            changed = network(volume()).pathology.even
        after = network(volume()).pathology.even
    assert torch.equal(before, after)
    assert not torch.equal(before, changed)


def test_the_whole_second_pass_is_what_others_are_compared_with(candidate: Candidate) -> None:
    image = volume()[0, 0].numpy()
    inside = np.ones(SHAPE, dtype=bool)
    scan = Scan(image=image, brain=inside, coverage=inside, kind="", spacing_mm=6.0)
    numbers = run_partial_benchmark(candidate, [("made", scan)], report=lambda _: None)
    rows = {row["variant"]: row for row in numbers["rows"]}
    full, skips = rows[VARIANTS[0].name], rows[VARIANTS[1].name]
    assert full["difference_sd"] == 0.0
    assert full["cpu_s"] == 1.0
    assert full["flagged_other"] == 0
    assert skips["difference_sd"] < 1e-3
    assert all(row["bound_holds"] for row in numbers["rows"])
    assert VARIANTS[3].name in format_partial(numbers)
