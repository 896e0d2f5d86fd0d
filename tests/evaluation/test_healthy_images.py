"""Z-scores against healthy images: calibrated on the healthy, one side and contrast at a time."""

from pathlib import Path

import numpy as np

from medsym.evaluation.baselines import mirror_difference
from medsym.evaluation.healthy_images import (
    ANY_KIND,
    MIN_SCANS,
    load_images,
    save_images,
)
from tests.evaluation.builders import SPACING_MM, healthy, lesion_mask, reference_images


def test_z_of_a_new_healthy_scan_has_mean_zero_and_spread_one() -> None:
    images = reference_images()
    for measure in (images.voxel_z, images.asymmetry_z):
        values = [
            measure(s.image, s.brain, kind="T1")[s.brain]
            for s in (healthy(seed) for seed in range(100, 106))
        ]
        found = np.concatenate(values)
        assert abs(found.mean()) < 0.2
        assert 0.6 < found.std() < 1.4


def test_what_is_normal_on_one_side_is_not_abnormal_there() -> None:
    images = reference_images()
    scan, place = healthy(200), lesion_mask()
    z = np.abs(images.asymmetry_z(scan.image, scan.brain, kind="T1"))
    assert z[place].mean() < 2.0
    plain = mirror_difference(scan.image, spacing_mm=SPACING_MM)
    assert plain[place].mean() > 5 * np.median(plain[scan.brain])


def test_mirrored_scan_is_abnormal_where_the_normal_one_is_not() -> None:
    images = reference_images()
    scan = healthy(200).mirrored()
    place = lesion_mask(side="right")
    assert np.abs(images.asymmetry_z(scan.image, scan.brain, kind="T1"))[place].mean() > 4.0
    assert np.abs(images.voxel_z(scan.image, scan.brain, kind="T1"))[place].mean() > 3.0


def test_contrast_is_compared_with_its_own_kind_and_rare_ones_with_all() -> None:
    images = reference_images()
    assert dict(images.scans) == {"T1": MIN_SCANS, "T2": MIN_SCANS, ANY_KIND: 24}
    scan = healthy(201, kind="T2")
    own = np.abs(images.voxel_z(scan.image, scan.brain, kind="T2"))[scan.brain].mean()
    wrong = np.abs(images.voxel_z(scan.image, scan.brain, kind="T1"))[scan.brain].mean()
    assert wrong > 3.0 * own
    assert images.kind_of("FLAIR") == images.kind_of("") == ANY_KIND


def test_statistics_survive_the_disk(tmp_path: Path) -> None:
    images = reference_images()
    path = tmp_path / "new" / "images.safetensors"
    save_images(path, images)
    read = load_images(path)
    assert dict(read.scans) == dict(images.scans)
    assert read.spacing_mm == SPACING_MM
    for key, values in images.statistics.items():
        np.testing.assert_array_equal(read.statistics[key], values)
