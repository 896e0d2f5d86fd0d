"""The bound of an AsymmetryNet on a grid of 2 mm: sound for every place of softness."""

import numpy as np
import pytest
import torch
from torch import nn

from medsym.inference.evidence import defect, evidence
from medsym.inference.maps import CaseMaps, MapRequest, compute_maps
from medsym.inference.passes import NetworkParts
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.structures import mirror_permutation
from medsym.volumes.frame import SymmetricGrid

SHAPE = SymmetricGrid.spanning(2.0).shape


def network(softness: str, *, seed: int = 0) -> AsymmetryNet:
    """Five resolutions as a network at 2 mm has; every weight drawn, so nothing starts at 0."""
    torch.manual_seed(seed)
    settings = ModelSettings(
        spacing_mm=2.0,
        pairs=(2, 2, 3, 3, 3),
        window=(0, 1, 1, 1, 1),
        decoder_pairs=2,
        head_pairs=2,
        softness=softness,
        initial_softness=0.3,
        head_tolerance=0.5,
        head_side_width=20.0,
    )
    net = AsymmetryNet(settings)
    for name, parameter in net.named_parameters():
        if "pathology" in name or "mix" in name or "key" in name:
            nn.init.normal_(parameter, std=0.4)
    return net.eval()


def head_image(*, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A textured, lopsided ball of 60 mm, small beside the grid; and its mask."""
    axes = [(np.arange(n) - (n - 1) / 2) * 2.0 for n in SHAPE]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    brain = (x / 30) ** 2 + (y / 30) ** 2 + (z / 30) ** 2 < 1.0
    noise = np.random.default_rng(seed).normal(0.5, 0.2, SHAPE)
    return (noise * brain).astype(np.float32), brain


def maps_of(
    net: nn.Module, *, seed: int = 0, mirrored: bool = True, flipped: bool = False
) -> tuple[CaseMaps, NetworkParts]:
    image, brain = head_image(seed=seed)
    image = image[::-1].copy() if flipped else image
    request = MapRequest(
        spacing_mm=2.0,
        brain=brain,
        coverage=np.ones_like(brain),
        mirror_classes=mirror_permutation(),
        mirrored=mirrored,
    )
    return compute_maps(net, image, request=request)


@pytest.mark.parametrize("softness", ["none", "head", "encoder", "both", "free"])
@pytest.mark.parametrize("seed", range(2))
def test_measured_defect_never_exceeds_the_bound_at_2_mm(softness: str, seed: int) -> None:
    maps, parts = maps_of(network(softness, seed=seed), seed=seed)
    assert maps.defect.shape == SHAPE
    assert (np.abs(maps.defect) <= maps.bound).all()
    lopsided = np.abs(maps.defect).max()
    assert lopsided < 1e-3 if softness == "none" else lopsided > 1e-2
    assert maps.bound[maps.domain].min() > 0.0
    assert (parts.rounding < 1e-3) == (softness in ("none", "head"))


@pytest.mark.parametrize("softness", ["head", "both"])
def test_what_the_scan_does_not_differ_in_never_exceeds_the_bound(softness: str) -> None:
    """A = [F(x) - F(Sx)] + E: on a symmetric scan the model alone has made the asymmetry."""
    image, brain = head_image(seed=3)
    symmetric = (image + image[::-1]) / 2
    request = MapRequest(
        spacing_mm=2.0,
        brain=brain,
        coverage=np.ones_like(brain),
        mirror_classes=mirror_permutation(),
    )
    maps, _ = compute_maps(network(softness), symmetric, request=request)
    assert (np.abs(maps.asymmetry) <= maps.bound).all()
    assert np.abs(maps.asymmetry).max() > 1e-2


def test_bound_of_a_single_pass_holds_the_defect_that_two_passes_measure() -> None:
    net = network("head")
    single, here = maps_of(net, mirrored=False)
    _, there = maps_of(net, mirrored=False, flipped=True)
    found = defect(evidence(here.raw_logits[0]), of_mirrored=evidence(there.raw_logits[0]))
    assert (np.abs(found.numpy()) * single.domain <= single.bound).all()
    assert np.abs(found.numpy() * single.domain).max() > 1e-2


def test_maps_of_the_mirrored_scan_are_the_mirrored_maps_at_2_mm() -> None:
    net = network("none")
    (here, _), (there, _) = maps_of(net), maps_of(net, flipped=True)
    np.testing.assert_array_equal(there.asymmetry, here.asymmetry[::-1])
    partner = np.array(mirror_permutation())
    np.testing.assert_array_equal(there.anatomy, partner[here.anatomy[::-1]])
    assert (here.anatomy != here.anatomy[::-1]).any()
