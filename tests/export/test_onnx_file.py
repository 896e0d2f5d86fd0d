"""The ONNX file: the same numbers as torch at any size, left being left, and what it says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import medsym
from medsym.cli import main
from medsym.errors import ModelError, OutputError
from medsym.export import extras, onnx_file
from medsym.export.accurate_norm import with_accurate_norms
from medsym.export.channels import OUTPUT_CHANNELS
from medsym.export.onnx_file import ABSOLUTE_TOLERANCE, OnnxReport, phantom, write_onnx
from medsym.models.store import LoadedModel, load_model
from medsym.models.structures import mirror_permutation

onnx = pytest.importorskip("onnx", reason="needs the extra [export]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [export]")

SHAPE = (20, 34, 26)  # not one of those compared while exporting


@pytest.fixture(scope="module")
def model(model_folder: Path) -> LoadedModel:
    return load_model(model_folder)


@pytest.fixture(scope="module")
def report(model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> OnnxReport:
    """About 15 s: torch's exporter follows every operation three times."""
    return write_onnx(model, tmp_path_factory.mktemp("onnx") / "tiny.onnx")


def run(path: Path, image: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": image.numpy()}), strict=True))


@pytest.mark.slow
def test_onnxruntime_gives_torchs_numbers_at_a_new_size(
    report: OnnxReport, model: LoadedModel
) -> None:
    image = phantom(SHAPE)
    found = run(report.path, image)
    with torch.inference_mode():
        output = model.network(image)
    head = output.pathology
    wanted = (output.anatomy_logits, head.even, head.odd, head.tolerance)
    assert list(found) == list(OUTPUT_CHANNELS)
    for (name, got), expected in zip(found.items(), wanted, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-4, err_msg=name)
        assert np.ptp(got) > 100 * 1e-4, f"{name} is flat: a wrong file would pass"


@pytest.mark.slow
def test_the_mirrored_image_gives_mirrored_outputs_with_sides_exchanged(
    report: OnnxReport,
) -> None:
    image = phantom(SHAPE)
    here, there = run(report.path, image), run(report.path, image.flip(2))
    back = {name: values[:, :, ::-1] for name, values in there.items()}
    swapped = back["anatomy_logits"][:, list(mirror_permutation())]
    np.testing.assert_allclose(swapped, here["anatomy_logits"], atol=1e-4)
    np.testing.assert_allclose(back["pathology_even"], here["pathology_even"], atol=1e-4)
    np.testing.assert_allclose(back["pathology_odd"], -here["pathology_odd"], atol=1e-4)
    np.testing.assert_allclose(back["tolerance"], here["tolerance"], atol=1e-4)
    assert np.abs(here["pathology_odd"]).max() > 1e-3
    assert not np.allclose(back["anatomy_logits"], here["anatomy_logits"], atol=1e-2)


@pytest.mark.slow
def test_the_file_says_what_it_is_and_nothing_about_this_machine(
    report: OnnxReport, model: LoadedModel
) -> None:
    content = onnx.load(report.path)
    facts = {entry.key: entry.value for entry in content.metadata_props}
    assert facts["weights_sha256"] == model.manifest["sha256"]
    assert facts["licence"] == "CC0-1.0"
    assert json.loads(facts["training_data"]) == ["made volumes, CC0"]
    assert "at most 2 S tolerance" in facts["guarantee"]
    assert "Not a medical device" in facts["research_use_only"]
    mirrors = [row["mirror"] for row in json.loads(facts["structures"])]
    assert mirrors == list(mirror_permutation())
    assert [entry.version for entry in content.opset_import if entry.domain == ""] == [report.opset]
    (image,) = content.graph.input
    sizes = [axis.dim_param or axis.dim_value for axis in image.type.tensor_type.shape.dim]
    assert sizes == [1, 1, "2*x", "2*y", "2*z"]
    raw = report.path.read_bytes()
    for folder in (Path(medsym.__file__).parents[1], Path(torch.__file__).parents[1], sys.prefix):
        assert str(folder).encode() not in raw


@pytest.mark.slow
def test_a_file_with_other_numbers_than_torch_gets_no_name(
    report: OnnxReport, model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < max(report.differences.values()) < ABSOLUTE_TOLERANCE
    assert len(set(report.shapes)) == 3
    content = onnx.load(report.path)
    weight = next(t for t in content.graph.initializer if t.name == "network.anatomy.bias")
    changed = onnx.numpy_helper.to_array(weight).copy()
    changed[3] += 0.01
    weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    monkeypatch.setattr(onnx_file, "_translate", lambda *_: content.SerializeToString())
    with pytest.raises(ModelError, match=r"MS-363 .*differ by 0\.01\d* in anatomy_logits"):
        write_onnx(model, tmp_path / "other.onnx")
    content.graph.node[3].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match=r"MS-363 .*onnx.checker refuses"):
        write_onnx(model, tmp_path / "other.onnx")
    assert list(tmp_path.iterdir()) == []


def test_staged_norms_are_instance_norms_and_the_network_itself_keeps_its_own(
    model: LoadedModel,
) -> None:
    def norms(network: nn.Module) -> int:
        return sum(isinstance(module, nn.InstanceNorm3d) for module in network.modules())

    before = norms(model.network)
    changed = with_accurate_norms(model.network)
    assert (norms(changed), norms(model.network)) == (0, before)
    assert before > 0
    image = phantom(SHAPE)
    with torch.inference_mode():
        got, wanted = (n(image).pathology_logits for n in (changed, model.network))
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), atol=1e-5)
    wide = nn.InstanceNorm3d(3, affine=True)
    nn.init.normal_(wide.weight), nn.init.normal_(wide.bias)
    volume = 100.0 + 5.0 * torch.rand(2, 3, 4, 6, 5)
    staged = with_accurate_norms(nn.Sequential(wide))
    np.testing.assert_allclose(staged(volume).detach(), wide(volume).detach(), atol=1e-4)


def test_a_network_that_torch_cannot_translate_is_an_error_in_one_line(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator\nand a long trace")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ModelError, match=r"MS-364 .*RuntimeError: no such operator") as caught:
        write_onnx(model, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/a.onnx", "file/a.onnx", "folder"])
def test_a_place_without_room_for_the_file_is_refused_before_the_translation(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    begun: list[object] = []
    monkeypatch.setattr(torch.onnx, "export", lambda *_a, **_k: begun.append(1))
    with pytest.raises(OutputError, match="MS-140"):
        write_onnx(model, tmp_path / place)
    assert begun == []


def test_a_missing_package_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if "script" in name else name)
    assert main(["export", "--bundle", str(tmp_path / "b"), "--onnx", str(tmp_path / "a")]) == 2
    message = capsys.readouterr().err
    assert "MS-360 medsym export: not installed: onnxscript" in message
    assert "python -m pip install onnxscript" in message
    assert list(tmp_path.iterdir()) == []
