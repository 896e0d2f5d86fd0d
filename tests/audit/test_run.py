"""``medsym audit`` from files to numbers and pictures."""

import io
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from medsym.audit.inputs import synthetic_volume
from medsym.audit.network_audit import audit_network
from medsym.audit.run import SYNTHETIC, run_audit
from medsym.audit.subject import load_subject
from medsym.audit.table import format_audit
from medsym.audit.volume_audit import VolumeAudit
from medsym.errors import GridError, ModelError, ScanError
from medsym.symmetry import mirror
from tests.audit.small_networks import GainOnTheRight
from tests.builders_head import make_head

pytest.importorskip("matplotlib")
TINY = {
    "network": "BasicUNet",
    "arguments": {"features": [2, 2, 2, 2, 2, 2], "out_channels": 3},
    "labels": [0, 2, 1],
    "shape": [16, 32, 16],
    "spacing_mm": 8.0,
}


def network_file(folder: Path, **changes: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changes}), encoding="utf-8")
    return path


def test_network_file_is_audited_on_a_made_volume(tmp_path: Path) -> None:
    said: list[str] = []
    result = run_audit(network_file(tmp_path), out=tmp_path / "out", report=said.append)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["name"] == "BasicUNet (tiny.yaml)"
    assert [volume["name"] for volume in result["volumes"]] == [SYNTHETIC]
    assert result["volumes"][0]["shape"] == [16, 32, 16]
    assert result["volumes"][0]["outputs"][0]["defect"] > 0.1
    assert result["pictures"] == ["audit-1-synthetic-volume.png"]
    with Image.open(tmp_path / "out" / result["pictures"][0]) as image:
        assert (image.format, image.size) == ("PNG", (1320, 1020))
    text = format_audit(result)
    for part in ("symmetry is first lost at", "tilt xz", "shading", "processor time"):
        assert part in text
    assert any("layers" in line for line in said)


@pytest.mark.slow
def test_bad_scan_is_reported_and_the_good_one_goes_on(tmp_path: Path) -> None:
    head = make_head()
    good, bad = tmp_path / "head.nii.gz", tmp_path / "notes.nii"
    nibabel.save(nibabel.Nifti1Image(head.voxels, head.affine), good)
    bad.write_text("no scan")
    result = run_audit(network_file(tmp_path), scans=[bad, good])
    assert [volume["name"] for volume in result["volumes"]] == ["head.nii.gz"]
    assert [failure["scan"] for failure in result["failures"]] == ["notes.nii"]
    assert "not audited: MS-" in format_audit(result)
    assert result["pictures"] == []


def test_no_usable_scan_and_odd_grids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"MS-278 .*none of 1 scans"):
        run_audit(network_file(tmp_path), scans=[tmp_path / "missing.nii.gz"])
    with pytest.raises(GridError, match="MS-160"):
        run_audit(network_file(tmp_path, shape=[15, 16, 16]))
    unfit = {"network": "VNet", "arguments": {"out_channels": 3}, "shape": [18, 20, 18]}
    with pytest.raises(ModelError, match=r"MS-277 VNet .*does not run on \(1, 1, 18, 20, 18\)"):
        run_audit(network_file(tmp_path, **unfit))


def test_what_is_neither_folder_nor_yaml_is_not_called_a_damaged_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MS-791 .*neither a folder nor a YAML file"):
        load_subject(tmp_path / "nowhere")


def test_made_volume_fits_the_network_and_is_not_symmetric(tmp_path: Path) -> None:
    subject = load_subject(network_file(tmp_path))
    volume = synthetic_volume(subject)
    assert volume.shape == (1, 1, 16, 32, 16)
    assert float((volume - mirror(volume)).norm() / volume.norm()) > 0.1
    assert torch.equal(volume, synthetic_volume(subject))
    shipped = load_subject(None)
    cropped = synthetic_volume(shipped)
    assert all(size % (shipped.size_multiple or 1) == 0 for size in cropped.shape[2:])


def picture(volume: VolumeAudit) -> np.ndarray:
    from medsym.audit.figure import draw_audit

    content = draw_audit("name", volume, tolerance=1e-5)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)


def test_defect_at_the_patients_right_is_drawn_on_the_left_of_the_axial_slice() -> None:
    volume = torch.zeros(1, 1, 24, 24, 24)
    volume[:, :, 16:20, 6:18, 6:18] = 1.0  # x grows to the patient's right
    pixels = picture(audit_network(GainOnTheRight(), volume).volumes[0])
    lower = pixels[520:, :430]  # the axial panel
    yellow = (lower[..., 0] > 150) & (lower[..., 1] > 120) & (lower[..., 2] < 120)
    dark = lower.max(axis=2) < 40
    columns = np.flatnonzero(dark.any(axis=0))
    middle = (columns[0] + columns[-1]) / 2
    assert yellow.sum() > 500
    assert np.flatnonzero(yellow.any(axis=0)).max() < middle


def test_picture_of_an_output_on_another_grid_has_bars_alone() -> None:
    net = torch.nn.AvgPool3d(2)
    found = audit_network(net, torch.rand(1, 1, 16, 16, 16)).volumes[0]
    assert found.outputs[0].voxels.shape == (8, 8, 8)
    assert picture(found).shape == (1020, 1320, 3)
