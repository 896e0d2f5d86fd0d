"""From the file of a scan and of its mirror image to features that are equal or opposite."""

from pathlib import Path

import numpy as np
import pytest

from medsym.scores.features import feature_table
from medsym.screening.batch import screen
from medsym.screening.records import find_records, read_record
from tests.builders_case import fake_model, flat_reference
from tests.screening.quick_run import known_plane, store

__all__ = ["known_plane"]


@pytest.mark.usefixtures("known_plane")
def test_features_of_a_mirrored_scan_are_the_mirrored_features(tmp_path: Path) -> None:
    scans = [
        store(tmp_path / "in" / f"sub-{name}_T1w.nii.gz", lesion_mm=(x, 10.0, 10.0))
        for name, x in (("left", -40.0), ("right", 40.0))
    ]
    model = fake_model(tmp_path, leak=0.0)  # strictly equivariant: what it adds itself is nothing
    screen(scans, tmp_path / "out", model=model, reference=flat_reference())
    records = [read_record(path) for path in find_records(tmp_path / "out")]
    assert [record["assessable"] for record in records] == [True, True]
    table = feature_table(records)
    signs = np.array([feature.parity for feature in table.features])
    np.testing.assert_allclose(table.values[1], signs * table.values[0], atol=1e-5)
    largest = [f.quantity == "largest deviation is left" for f in table.features].index(True)
    assert table.values[0, largest] > 1.0 > -1.0 > table.values[1, largest]
