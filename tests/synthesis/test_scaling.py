"""Images drawn on another device are scaled as real scans are."""

import numpy as np
import torch

from medsym.synthesis.scaling import normalised, scaled_by_percentiles
from medsym.volumes.intensity import normalise


def test_both_ways_give_what_real_scans_get() -> None:
    generator = torch.Generator().manual_seed(0)
    image = 40.0 + 9.0 * torch.randn((12, 14, 10), generator=generator)
    mask = torch.rand(image.shape, generator=generator) > 0.4
    expected = torch.from_numpy(normalise(image.numpy(), mask.numpy()))
    assert normalised(image, mask).equal(expected)
    torch.testing.assert_close(scaled_by_percentiles(image, mask), expected, atol=1e-5, rtol=0)


def test_a_constant_image_stays_finite() -> None:
    scaled = scaled_by_percentiles(torch.ones(4, 4, 4), torch.ones(4, 4, 4, dtype=torch.bool))
    assert np.isfinite(scaled.numpy()).all()
