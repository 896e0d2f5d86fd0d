"""A model folder with everything that an export needs: a tiny network and a healthy reference."""

import hashlib
from pathlib import Path

import pytest
import torch

from medsym.calibration.reference import REFERENCE_FILE, REFERENCE_HASH, save_reference
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.store import amend_manifest, save_model
from tests.builders_case import flat_reference

MANIFEST = {
    "name": "tiny",
    "version": "1.2.3",
    "licence": "CC0-1.0",
    "intended_use": "research only; not a medical device",
    "training_data": ["made volumes, CC0"],
    "unseen_synthetic": {"auprc": 0.5, "cases": 3},
}


def make_model_folder(folder: Path, **settings: object) -> Path:
    """Write a random network whose parts all differ from zero, with its reference."""
    torch.manual_seed(3)
    given = {"pairs": (2, 3), "decoder_pairs": 2, "head_pairs": 2, "window": (0, 1)} | settings
    network = AsymmetryNet(ModelSettings.model_validate({"spacing_mm": 6.0} | given))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    save_model(folder, network, dict(MANIFEST))
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    digest = hashlib.sha256((folder / REFERENCE_FILE).read_bytes()).hexdigest()
    amend_manifest(folder, {REFERENCE_HASH: digest})
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("export") / "model")
