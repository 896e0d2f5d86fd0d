"""What the browser is told: where it starts, and zones that are those of the written maps."""

import gzip
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from app.results import Case, read_case
from app.viewer.case_volumes import ROUNDING
from app.viewer.encoding import NO_DATA, EncodedVolume, encode
from app.viewer.grid import fit_grid
from app.viewer.payload import case_payload
from app.viewer.preparing import case_volumes
from app.viewer.zones import keep_peaks, pair_bound
from medsym.volumes.volume import Volume
from tests.app.result_folder import MARKER_MM, MIRROR, WITHIN_MM, build_folder

GRID = fit_grid(np.full(3, -30.0), np.full(3, 30.0), spacing_mm=2.0)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return read_case(build_folder(tmp_path_factory.mktemp("payload")), "sub-01_T1w")


def start(case: Case, finding: int | None = None, **record: object) -> object:
    changed = replace(case, record={**case.record, **record})
    return case_payload(changed, volumes={}, web="", finding=finding)["crosshair_mm"]


def test_review_starts_at_the_finding_then_at_the_largest_deviation(case: Case) -> None:
    assert start(case) == list(MARKER_MM)
    assert start(case, 2) == list(WITHIN_MM)
    summary = {**case.record["summary"], "deviation_max_mm": [1.0, 2.0, 3.0]}
    assert start(case, findings=[], summary=summary) == [1.0, 2.0, 3.0]
    assert start(case, findings=[], summary=summary, assessable=False) is None


@pytest.mark.parametrize(
    ("record", "spacing_mm"),
    [
        ({"grid": {"spacing_mm": 6.0}}, 3.0),
        ({"grid": {"spacing_mm": 5.0}}, 2.5),
        ({"grid": {"spacing_mm": 2.0}}, 2.0),  # never finer than the scan is shown
        ({}, 2.0),  # written before the record named the grid
    ],
)
def test_maps_are_shown_at_half_the_spacing_of_the_models_grid(
    case: Case, record: dict[str, object], spacing_mm: float
) -> None:
    volumes = case_volumes(replace(case, record={**case.record, **record}))
    assert volumes["scan"].grid.spacing_mm == 2.0
    for kind in ("deviation", "asymmetry", "bound", "pathology", "anatomy"):
        assert volumes[kind].grid.spacing_mm == spacing_mm


def flat(value: float) -> np.ndarray:
    return np.full(GRID.shape, value, dtype=np.float32)


MAPS = ("asymmetry", "bound")


def stored(coded: EncodedVolume) -> np.ndarray:
    """Values as the browser reads them; NaN where there is no data."""
    steps = np.frombuffer(gzip.decompress(coded.body)[8:], dtype="<i2")
    values = np.where(steps == NO_DATA, np.nan, steps * coded.slope + coded.intercept)
    return np.asarray(values.reshape(coded.grid.shape, order="F"))


def beyond(bound: np.ndarray, asymmetry: np.ndarray) -> np.ndarray:
    """Where the browser finds the asymmetry to exceed the bound."""
    values = {"bound": bound.copy(), "asymmetry": asymmetry.copy(), "deviation": flat(1.0)}
    volume = Volume(voxels=bound, affine=GRID.affine)
    pair_bound(volume, values, grid=GRID, mirror_world=MIRROR.tolist())
    coded = [
        stored(encode(values[kind], grid=GRID, symmetric=True, rounding=ROUNDING[kind]))
        for kind in MAPS
    ]
    return np.asarray(np.abs(coded[0]) > coded[1])


def test_the_larger_bound_of_a_place_and_its_mirror_place_counts() -> None:
    bound = flat(1.0)
    bound[: GRID.shape[0] // 2] = 3.0  # on the patient's left
    right = slice(GRID.shape[0] // 2 + 1, -1)  # small bound here, large one at the mirror place
    assert not beyond(bound, flat(2.0))[right].any()
    assert beyond(bound, flat(3.1))[right].all()
    values = {"bound": bound.copy()}
    volume = Volume(voxels=bound, affine=GRID.affine)
    pair_bound(volume, values, grid=GRID, mirror_world=MIRROR.tolist())
    assert (values["bound"][right] == 3.0).all(), "the layer shows the bound that counts"


def test_nothing_is_called_beyond_the_bound_for_the_rounding_of_16_bits() -> None:
    rng = np.random.default_rng(1)
    bound = rng.uniform(1e-6, 2e-3, GRID.shape).astype(np.float32)
    bound = np.maximum(bound, bound[::-1])
    asymmetry = bound * rng.uniform(0.9, 1.0, GRID.shape).astype(np.float32)
    asymmetry[0, 0, 0], bound[0, 0, 1] = 14.0, 3.0  # coarse steps
    bound = np.maximum(bound, bound[::-1])
    called, inner = beyond(bound, asymmetry), np.abs(asymmetry) <= bound
    assert not called[inner].any()
    assert called[0, 0, 0]
    assert not beyond(flat(1.0), flat(1.0)).any()
    assert beyond(flat(1.0), flat(1.001)).all()


def test_where_nothing_was_compared_there_is_no_value() -> None:
    bound = flat(1.0)
    bound[:, :, :5] = 0.0
    values = {"bound": bound.copy(), "asymmetry": flat(0.5), "deviation": flat(1.0)}
    volume = Volume(voxels=bound, affine=GRID.affine)
    pair_bound(volume, values, grid=GRID, mirror_world=MIRROR.tolist())
    for array in values.values():
        assert np.isnan(array[:, :, :5]).all()
        assert np.isfinite(array[:, :, 5:]).all()


def test_a_peak_of_the_record_keeps_its_size_on_either_side_and_makes_no_other() -> None:
    deviation = flat(1.0)
    deviation[:, :, :5] = np.nan
    low = GRID.origin_mm[2]
    peaks = [(10.4, 4.0, 6.0, 8.0), (-20.0, 4.0, low, 9.0), (999.0, 0.0, 0.0, 7.0)]
    keep_peaks(deviation, grid=GRID, peaks=peaks, mirror_world=MIRROR.tolist())
    places = [tuple(index) for index in np.argwhere(np.abs(deviation) > 1)]
    found = {(GRID.affine @ [*at, 1.0])[0]: deviation[at] for at in places}
    assert found == {10.0: 8.0, -10.0: -8.0}
    keep_peaks(deviation, grid=GRID, peaks=[(10.0, 4.0, 6.0, 7.0)], mirror_world=())
    assert deviation[places[1]] == 8.0, "a larger value of the map stays"


def test_a_bound_of_one_side_alone_is_not_sent(case: Case) -> None:
    assert "bound" in case_volumes(case)
    assert "bound" not in case_volumes(replace(case, record={**case.record, "mirror_world": None}))


def test_a_bound_is_never_stored_smaller_than_it_is() -> None:
    values = np.random.default_rng(0).random((21, 21, 21)).astype(np.float32)
    grid = fit_grid(np.zeros(3), np.full(3, 20.0), spacing_mm=1.0)
    coded = encode(values, grid=grid, symmetric=True, rounding="up")
    back = stored(coded)
    assert np.isfinite(back).all()
    assert (back >= values.astype(np.float64) * (1 - 1e-12)).all()
    assert (back - values).max() <= 1.01 * coded.slope


def test_a_scan_that_lies_in_an_archive_is_drawn_like_the_scan(case: Case) -> None:
    assert case.scan_path is not None
    archive = case.root.parent / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(case.scan_path.with_name("sub-02_FLAIR.nii.gz"), "another.nii.gz")
        packed.write(case.scan_path, "visit/renamed.nii.gz")
    shown = case_volumes(replace(case, scan_path=archive))
    assert shown["scan"].digest == case_volumes(case)["scan"].digest
