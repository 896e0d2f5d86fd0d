"""No single flipped bit of a compressed scan ever changes a voxel silently."""

from pathlib import Path

import numpy as np
import pytest

from medsym.errors import MedsymError
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume
from tests.builders import make_image, ras_affine, write_nifti


def flip_bits(tmp_path: Path, *, count: int, seed: int) -> tuple[int, int, int]:
    """Flip one random bit at a time; return how many were refused, harmless and silent."""
    path = write_nifti(tmp_path / "t.nii.gz", make_image().astype(np.int16), ras_affine())
    data, truth = path.read_bytes(), read_scan(path)
    positions = np.random.default_rng(seed).choice(8 * len(data), size=count, replace=False)
    outcomes = [_outcome(path, data, int(position), truth) for position in positions]
    return outcomes.count("refused"), outcomes.count("harmless"), outcomes.count("silent")


def _outcome(path: Path, data: bytes, position: int, truth: Volume) -> str:
    damaged = bytearray(data)
    damaged[position // 8] ^= 1 << (position % 8)
    path.write_bytes(damaged)
    try:
        scan = read_scan(path)
    except MedsymError:
        return "refused"
    same = np.array_equal(scan.voxels, truth.voxels) and np.array_equal(scan.affine, truth.affine)
    return "harmless" if same else "silent"


def test_200_flipped_bits_change_nothing_silently(tmp_path: Path) -> None:
    refused, harmless, silent = flip_bits(tmp_path, count=200, seed=1)
    assert silent == 0
    assert refused >= 195  # only name, time and system fields of the gzip header are harmless
    assert refused + harmless == 200


@pytest.mark.slow
def test_1000_flipped_bits_change_nothing_silently(tmp_path: Path) -> None:
    refused, _, silent = flip_bits(tmp_path, count=1000, seed=2)
    assert silent == 0
    assert refused >= 990


def test_every_bit_of_the_gzip_header_is_refused_or_harmless(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "t.nii.gz", make_image().astype(np.int16), ras_affine())
    data, truth = path.read_bytes(), read_scan(path)
    outcomes = {_outcome(path, data, position, truth) for position in range(8 * 12)}
    assert outcomes == {"refused", "harmless"}


def test_damage_in_a_plain_header_never_escapes_as_another_error(tmp_path: Path) -> None:
    """Plain files have no checksum; every header bit still ends in a volume or a MedsymError."""
    image = make_image().astype(np.int16)
    path = write_nifti(tmp_path / "t.nii", image, ras_affine(), qform_code=1)
    data, truth = path.read_bytes(), read_scan(path)
    positions = np.random.default_rng(3).choice(8 * 352, size=300, replace=False)
    outcomes = [_outcome(path, data, int(position), truth) for position in positions]
    assert {"refused", "harmless"} <= set(outcomes)
