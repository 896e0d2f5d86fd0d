"""Softness as a model folder holds it: exact, learned or free."""

from pathlib import Path

import pytest
import torch

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.store import save_model
from medsym.science.layers import softness_of
from medsym.symmetry.softness import softnesses

SMALL = {"pairs": (2, 3), "window": (0, 1), "decoder_pairs": 2, "head_pairs": 2}


def folder_of(tmp_path: Path, softness: str, *, learned: float | None = None) -> Path:
    network = AsymmetryNet(ModelSettings(**SMALL, softness=softness))
    if learned is not None:
        for _, soft in softnesses(network):
            if soft.learned:
                soft.write(learned, keep_learning=True)
    save_model(tmp_path, network, {"name": "small", "version": "0"})
    return tmp_path


@pytest.mark.parametrize("softness", ["head", "none"])
def test_exact_backbone_is_called_exact(tmp_path: Path, softness: str) -> None:
    found = softness_of(folder_of(tmp_path, softness))
    assert found["where"] == softness
    assert found["exact"]
    assert not found["learned"]
    assert {row["high"] for row in found["layers"]} == {0.0}


def test_learned_softness_is_found_where_it_was_learned(tmp_path: Path) -> None:
    found = softness_of(folder_of(tmp_path, "encoder", learned=0.3))
    assert found["learned"]
    assert not found["exact"]
    soft = {row["path"]: row for row in found["layers"] if row["learned"]}
    assert any(path.startswith("levels.") for path in soft)
    assert not any(path.startswith("ascents.") for path in soft)
    for row in soft.values():
        assert (row["low"], row["high"]) == pytest.approx((0.3, 0.3), abs=1e-4)
    kernels = [row["odd_share"] for path, row in soft.items() if "enter" in path]
    assert all(0.0 < share < 0.5 for share in kernels)


def test_free_network_is_soft_throughout_and_learned_nothing(tmp_path: Path) -> None:
    found = softness_of(folder_of(tmp_path, "free"))
    assert (found["exact"], found["learned"]) == (False, False)
    assert max(row["high"] for row in found["layers"]) == 1.0
    assert torch.tensor([row["low"] for row in found["layers"]]).max() == 1.0
