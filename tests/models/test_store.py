"""Models on disk: round trip, and refusal of everything that was changed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medsym.errors import ModelError
from medsym.models import store
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.store import MANIFEST, WEIGHTS, load_model, save_model, self_test_volume


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    net = AsymmetryNet(ModelSettings(pairs=(2, 3), decoder_pairs=2, head_pairs=2, window=(0, 1)))
    save_model(tmp_path / "model", net, {"name": "test", "version": "0"})
    return tmp_path / "model"


def rehash(folder: Path) -> None:
    """Make the manifest agree with the changed weights, as a careless tool would."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["sha256"] = store.hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_round_trip_gives_the_same_numbers(folder: Path) -> None:
    plain, soft = load_model(folder), load_model(folder, folded=False)
    with torch.inference_mode():
        first, second = (m.network(self_test_volume()).pathology_logits for m in (plain, soft))
    assert (first - second).abs().max() <= 1e-5
    assert not any("original" in n for n, _ in plain.network.named_parameters())
    assert any("original" in n for n, _ in soft.network.named_parameters())


def test_one_flipped_bit_is_refused(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))
    with pytest.raises(ModelError, match=r"MS-312 .*weights.safetensors: does not have the hash"):
        load_model(folder)


def test_cut_file_is_refused_even_with_a_fitting_hash(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    rehash(folder)
    with pytest.raises(ModelError, match=r"MS-313 .*is not a safetensors file"):
        load_model(folder)


@pytest.mark.parametrize(
    ("value", "message"), [(float("nan"), "MS-314 .*not finite"), (5.0, "MS-315 .*known answer")]
)
def test_changed_numbers_are_refused_even_with_a_fitting_hash(
    folder: Path, value: float, message: str
) -> None:
    tensors = load_file(folder / WEIGHTS)
    name = "pathology.even.parametrizations.weight.original"
    tensors[name] = torch.full_like(tensors[name], value)
    save_file(tensors, folder / WEIGHTS)
    rehash(folder)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_missing_tensor_is_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, folder / WEIGHTS)
    rehash(folder)
    with pytest.raises(ModelError, match=r"MS-313 .*does not fit the architecture"):
        load_model(folder)


def test_missing_folder_and_foreign_manifest_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MS-310 .*cannot be read.*Fix: give a folder"):
        load_model(tmp_path / "nowhere")
    (folder / MANIFEST).write_text("[]")
    with pytest.raises(ModelError, match=r"MS-311 .*is not a manifest of format 1"):
        load_model(folder)


def test_shipped_model_is_small_licensed_and_passes_its_self_test() -> None:
    model = load_model()
    total = sum(f.stat().st_size for f in model.folder.iterdir())
    assert total <= 12e6
    assert any("Apache-2.0" in line for line in model.manifest["training_data"])
    assert "research only" in model.manifest["intended_use"]
    assert model.manifest["training"]["optimiser"]["steps"] > 1000
