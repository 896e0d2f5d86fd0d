"""Shares of antisymmetric energy against their definition, on a real network."""

import pytest
import torch

from medsym.inference.passes import run_network
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.structures import mirror_permutation
from medsym.nn.representations import mirror_action
from medsym.science.sides import SCAN, SideEnergy, antisymmetric_share, layers_of

SETTINGS = {"pairs": (2, 3), "window": (0, 1), "decoder_pairs": 2, "head_pairs": 2}


def network(softness: str = "head") -> AsymmetryNet:
    return AsymmetryNet(ModelSettings(**SETTINGS, softness=softness)).eval()


def scan(*, symmetric: bool) -> torch.Tensor:
    volume = torch.rand(16, 16, 16) + 0.1
    return volume + volume.flip(0) if symmetric else volume


def energies(model: AsymmetryNet, volume: torch.Tensor) -> dict[str, float]:
    energy = SideEnergy()
    with energy.watching(model):
        run_network(model, volume.numpy(), mirror_classes=mirror_permutation())
        energy.keep("one")
    return {name: found["value"] for name, found in energy.finish().get("one", {}).items()}


def test_share_is_zero_of_even_one_of_odd_and_adds_up() -> None:
    volume = torch.rand(1, 1, 8, 4, 4)
    even, odd = volume + volume.flip(2), volume - volume.flip(2)
    assert antisymmetric_share(even, even.flip(2)) == pytest.approx(0.0, abs=1e-12)
    assert antisymmetric_share(odd, odd.flip(2)) == pytest.approx(1.0)
    expected = float(odd.square().sum() / (odd.square().sum() + even.square().sum()))
    assert antisymmetric_share(volume, volume.flip(2)) == pytest.approx(expected, rel=1e-5)


def test_symmetric_scan_has_nothing_antisymmetric_in_any_layer() -> None:
    found = energies(network(), scan(symmetric=True))
    assert {"scan", "level 0", "level 1", "exchange 0", "decoder 0"} <= set(found)
    assert max(found.values()) < 1e-8


def test_shares_are_those_of_the_features_and_their_own_mirror() -> None:
    model, volume = network(), scan(symmetric=False)
    found = energies(model, volume)
    image = volume[None, None]
    assert found[SCAN] == pytest.approx(antisymmetric_share(image, image.flip(2)), rel=1e-6)
    with torch.no_grad():
        features = model.levels[0](image)
    mirrored = mirror_action(regular=2).apply(features, dim=1).flip(2)
    expected = antisymmetric_share(features, mirrored)
    assert found["level 0"] == pytest.approx(expected, rel=1e-4)
    assert expected > 1e-4


def test_nothing_is_measured_where_features_and_mirrored_pass_differ() -> None:
    assert layers_of(network("free")) == {}
    assert energies(network("encoder"), scan(symmetric=False)) == {}


def test_network_is_left_as_it_was() -> None:
    model = network()
    energies(model, scan(symmetric=False))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
