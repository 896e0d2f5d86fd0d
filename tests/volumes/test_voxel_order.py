"""Arrays in the order of memory that everything here expects: the same values, elsewhere."""

import numpy as np
import pytest

from medsym.volumes.voxel_order import BLOCK, in_c_order


@pytest.mark.parametrize("shape", [(1, 1, 1), (BLOCK, 3, 2 * BLOCK), (BLOCK + 1, 7, BLOCK - 1)])
@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_the_order_changes_and_no_value_does(shape: tuple[int, int, int], kind: type) -> None:
    values = np.random.default_rng(3).integers(-9, 9, shape).astype(kind)
    for given in (np.asfortranarray(values), np.asfortranarray(values)[::-1], values):
        made = in_c_order(given)
        assert made.flags.c_contiguous
        assert made.dtype == given.dtype
        assert np.array_equal(made, given)
    assert in_c_order(values) is values
