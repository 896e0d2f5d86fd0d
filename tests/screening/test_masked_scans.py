"""A table with masks, screened: what a mask changes, and what happens to one that is no good."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.screening.manifest import entries_of
from tests.builders_case import affine_for, head_phantom
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")
LESION_MM = (40.0, 10.0, 10.0)


def ball(path: Path, *, centre_mm=LESION_MM, codes: str = "RAS", move_mm: float = 0.0) -> Path:
    """A mask on the lattice of the phantom, stored in any order."""
    shape = tuple(
        head_phantom().shape["RAS".find(c) if c in "RAS" else "LPI".find(c)] for c in codes
    )
    affine = affine_for(codes, spacing=3.0, shape=shape)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    voxels = np.linalg.norm(points - centre_mm, axis=-1) < 20
    affine[0, 3] += move_mm
    image = nibabel.Nifti1Image(voxels.astype(np.uint8), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    nibabel.save(image, path)
    return path


def table(folder: Path, rows: str) -> Path:
    path = folder / "t.csv"
    path.write_text("scan,case,exclusion_mask,age\n" + rows, encoding="utf-8")
    return path


def records(out: Path) -> dict[str, dict]:
    found = (json.loads(path.read_text()) for path in out.glob("sub-*/anat/*_case.json"))
    return {record["subject"]: record for record in found}


def test_a_batch_takes_good_masks_and_names_bad_ones(tmp_path: Path) -> None:
    store(tmp_path / "x.nii.gz")
    ball(tmp_path / "m.nii")
    ball(tmp_path / "las.nii", codes="LAS")
    ball(tmp_path / "moved.nii", move_mm=20)
    (tmp_path / "web.nii").write_text("<html>")
    rows = "x.nii.gz,plain,,70\nx.nii.gz,masked,m.nii,71\nx.nii.gz,order,las.nii,72\n"
    rows += "x.nii.gz,moved,moved.nii,73\nx.nii.gz,web,web.nii,74\n"
    out = tmp_path / "out"
    outcome = run(entries_of([table(tmp_path, rows)]), out, tmp_path / "model")
    codes = {row["case"]: row["code"] for row in outcome.failures}
    assert codes == {"sub-order": "MS-351", "sub-moved": "MS-351", "sub-web": "MS-106"}
    assert "data." not in "".join(row["fix"] for row in outcome.failures)
    found = records(out)
    assert [f["side"] for f in found["plain"]["findings"]] == ["right"]
    assert found["masked"]["findings"] == []
    (mask,) = found["masked"]["masks"]
    assert (mask["kind"], mask["file"]) == ("exclusion", "m.nii")
    assert found["plain"]["masks"] == []
    page = next(out.glob("*masked*.html")).read_text()
    assert "m.nii" in page
    assert "leaves out" in page


def test_a_changed_or_new_mask_is_another_result(tmp_path: Path) -> None:
    store(tmp_path / "x.nii.gz", scale=0.7)
    mask = ball(tmp_path / "m.nii")
    out, model = tmp_path / "out", tmp_path / "model"
    listed = table(tmp_path, "x.nii.gz,a,m.nii,70\n")
    assert run(entries_of([listed]), out, model).resumed == 0
    assert run(entries_of([listed]), out, model).resumed == 1
    ball(mask, centre_mm=(-20.0, 0.0, 0.0))
    (refused,) = run(entries_of([listed]), out, model).failures
    assert refused["code"] == "MS-152"
    (bare,) = entries_of([listed])
    (refused,) = run([replace(bare, exclusion_mask=None)], out, model).failures
    assert refused["code"] == "MS-152"
