"""Scans to measure with when none are given: bundled samples on a grid of 256^3 voxels of 1 mm."""

from pathlib import Path

import numpy as np

from medsym.volumes.nifti import read_scan
from medsym.volumes.resampling import resample
from medsym.volumes.volume import Volume
from medsym.volumes.writer import write_map

VOXELS = 256
#: Noise over the range of the sample: a scan without any packs, reads and hashes too fast.
NOISE = 0.02
#: Sources by their file names in ``data_samples``: a finding, and none.
SAMPLES = ("sub-leftstroke_FLAIR.nii.gz", "sub-healthy_T1w.nii.gz")


def fine_scan(sample: Volume, *, seed: int, size: int = VOXELS) -> Volume:
    """A sample on an upright cube of voxels of 1 mm, with fresh noise.

    Args:
        sample: any scan; it lies in the middle of the lattice.
        seed: of the noise.
        size: voxels along each axis.
    """
    affine = np.eye(4)
    middle = sample.affine @ [*(0.5 * (np.array(sample.shape) - 1.0)), 1.0]
    affine[:3, 3] = middle[:3] - 0.5 * (size - 1)
    low, high = (float(v) for v in np.percentile(sample.voxels, [2.0, 99.5]))
    values = resample(sample, to_shape=(size, size, size), affine_to=affine, fill=low)
    noise = np.random.default_rng(seed).normal(0.0, NOISE * (high - low), values.shape)
    voxels = np.clip(np.rint(values + noise), 0, np.iinfo(np.int16).max).astype(np.int16)
    return Volume(voxels=voxels, affine=affine, sform_code=1, qform_code=1)


def write_fine_scans(folder: Path, *, samples: Path) -> tuple[Path, ...]:
    """Write the default scans; returns their paths.

    Args:
        folder: exists.
        samples: folder of the bundled samples.
    """
    paths = []
    for seed, name in enumerate(SAMPLES):
        scan = fine_scan(read_scan(samples / name), seed=seed)
        paths.append(folder / name)
        write_map(paths[-1], scan.voxels, like=scan, description="medsym synthetic, no person")
    return tuple(paths)
