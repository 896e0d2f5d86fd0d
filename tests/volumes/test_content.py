"""The hash of a scan's content: of the voxels and where they lie, not of how the file is packed."""

import gzip
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import content_sha256


def test_packing_changes_the_file_and_not_the_content(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).random((46, 43, 44)).astype(np.float32)
    plain, packed = tmp_path / "a.nii", tmp_path / "b.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([2.0, 2.0, 2.0, 1.0])), plain)
    packed.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=1, mtime=1))
    first, second = read_scan(plain), read_scan(packed)
    assert first.sha256 != second.sha256
    assert content_sha256(first) == content_sha256(second)
    other = first.voxels.copy()
    other[3, 4, 5] += 1.0
    flipped = first.affine.copy()
    flipped[0] *= -1.0
    changed = (replace(first, voxels=other), replace(first, affine=flipped))
    mirrored = replace(first, voxels=np.ascontiguousarray(first.voxels[::-1]))
    assert len({content_sha256(v) for v in (first, *changed, mirrored)}) == 4
