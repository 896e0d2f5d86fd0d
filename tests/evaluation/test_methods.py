"""The methods of a table: names, and what the mirror does to each."""

import numpy as np
import pytest
import torch

from medsym.evaluation.methods import (
    IMAGE_METHODS,
    baseline_maps,
    load_candidates,
    method_maps,
    method_names,
)
from tests.evaluation.builders import fake_candidate, lesion_mask, noisy_scan


def test_free_networks_are_also_scored_as_they_were_trained() -> None:
    soft, free = fake_candidate(name="a"), fake_candidate(name="b", softness="free")
    assert method_names([soft, free], with_images=False) == (
        *IMAGE_METHODS,
        *("a pathology", "a deviation"),
        *("b one pass", "b pathology", "b deviation"),
    )
    assert (soft.main_method, free.main_method) == ("a pathology", "b one pass")
    assert set(method_maps(noisy_scan(), candidates=[soft, free], images=None).maps) == set(
        method_names([soft, free], with_images=False)
    )


def test_every_map_is_zero_outside_the_brain_and_its_mirror() -> None:
    scan = noisy_scan(lesion=lesion_mask())
    found = method_maps(scan, candidates=[fake_candidate(softness="free")], images=None)
    outside = ~(scan.brain | scan.brain[::-1])
    for name, values in found.maps.items():
        assert np.abs(values[outside]).max() == 0.0, name


def test_maps_of_a_strict_network_follow_the_mirror_to_the_last_bit() -> None:
    scan = noisy_scan(lesion=lesion_mask())
    strict = fake_candidate(softness="none", leak=0.0)
    here = method_maps(scan, candidates=[strict], images=None).maps
    there = method_maps(scan.mirrored(), candidates=[strict], images=None).maps
    for name in (*strict.methods, *IMAGE_METHODS):
        np.testing.assert_array_equal(there[name], here[name][::-1], err_msg=name)


def test_one_pass_of_a_lopsided_network_does_not_follow_the_mirror() -> None:
    scan = noisy_scan(lesion=lesion_mask())
    lopsided = fake_candidate(softness="free", leak=2.0)
    here, there = (
        method_maps(s, candidates=[lopsided], images=None).maps["fake one pass"]
        for s in (scan, scan.mirrored())
    )
    assert np.abs(there - here[::-1]).max() > 0.1


@pytest.mark.parametrize("side", ["left", "right"])
def test_deviation_is_positive_on_the_side_of_the_lesion(side: str) -> None:
    lesion = lesion_mask(side=side)
    scan = noisy_scan(lesion=lesion)
    found = method_maps(scan, candidates=[fake_candidate()], images=None).maps
    assert found["fake deviation"][lesion].min() > 1.0
    assert found["fake deviation"][lesion[::-1]].max() < -1.0
    assert found["fake pathology"][lesion].mean() > found["fake pathology"][lesion[::-1]].mean()
    assert baseline_maps(scan, images=None)["bright"][lesion].mean() > 2.0


def test_equal_names_are_told_apart() -> None:
    first, second = load_candidates([None, None], device=torch.device("cpu"))
    assert first.name != second.name
    assert set(first.methods).isdisjoint(second.methods)
