"""Limits of the reader: memory, pipes, series, assumed orientations, names on a terminal."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.nifti import read_label_map, read_scan
from tests.builders import make_image, ras_affine, reordered, write_nifti


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.nii.gz")
    with pytest.raises(ScanError, match=r"MS-108.*pipe"):
        read_scan(tmp_path / "t.nii.gz")


def test_a_pair_without_its_image_is_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "t.hdr", make_image(), ras_affine())
    path.with_suffix(".img").unlink()
    with pytest.raises(ScanError, match=r"MS-108.*t\.img"):
        read_scan(path)


@pytest.mark.parametrize("name", ["t.nii", "t.nii.gz"])
def test_data_far_beyond_the_last_voxel_are_refused_early(tmp_path: Path, name: str) -> None:
    path = write_nifti(tmp_path / name, make_image(), ras_affine(), tail=b"\0" * (64 << 20))
    tracemalloc.start()
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "MS-103"
    assert peak < 8 << 20


def test_a_lying_header_allocates_nothing(tmp_path: Path) -> None:
    fields = {"dim": [3, 700, 700, 700, 1, 1, 1, 1]}
    path = write_nifti(tmp_path / "t.nii", make_image(), ras_affine(), fields=fields)
    tracemalloc.start()
    with pytest.raises(ScanError, match="MS-101"):
        read_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_size_limit_counts_float32_voxels(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "t.nii", make_image().astype(np.uint8), ras_affine())
    gib = 4 * make_image().size / 2**30
    assert read_scan(path, max_gib=gib).shape == (20, 24, 18)
    with pytest.raises(ScanError, match="MS-103"):
        read_scan(path, max_gib=0.99 * gib)


@pytest.mark.parametrize("index", [-1, 5])
def test_volumes_that_do_not_exist_are_refused(tmp_path: Path, index: int) -> None:
    series = np.stack([make_image()] * 5, axis=-1)
    path = write_nifti(tmp_path / "t.nii", series, ras_affine())
    with pytest.raises(ScanError, match=f"MS-123.*no volume {index}"):
        read_scan(path, volume_index=index)


@pytest.mark.parametrize("text", ["ras", "RRS", "RASX", ""])
def test_impossible_assumed_orientations_are_refused(tmp_path: Path, text: str) -> None:
    path = write_nifti(tmp_path / "t.nii", make_image(), ras_affine(), sform_code=0)
    with pytest.raises(ScanError, match=r"MS-111.*48 axis codes"):
        read_scan(path, assume_orientation=text)


def test_label_maps_obey_the_same_affine_rules(tmp_path: Path) -> None:
    voxels, affine = reordered(make_image(), ras_affine(), axcodes="LAS")
    path = write_nifti(tmp_path / "t.nii", voxels, affine, qform_code=1, qform=ras_affine())
    with pytest.raises(ScanError, match="MS-112"):
        read_label_map(path)


def test_line_breaks_in_names_stay_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScanError) as caught:
        read_scan(tmp_path / "a\nb\x1b[31m.nii")
    assert "a\\nb\\x1b[31m.nii" in str(caught.value)
