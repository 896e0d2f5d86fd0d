"""What the browser is told: where it starts, and zones that are those of the written maps."""

import gzip
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from app.results import Case, read_case
from app.viewer.encoding import NO_DATA, EncodedVolume, encode, encode_margin
from app.viewer.grid import fit_grid
from app.viewer.payload import case_payload, case_volumes
from app.viewer.zones import find_margin
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
    for kind in ("deviation", "asymmetry", "bound", "pathology", "anatomy", "margin"):
        assert volumes[kind].grid.spacing_mm == spacing_mm


def flat(value: float) -> np.ndarray:
    return np.full(GRID.shape, value, dtype=np.float32)


def margins(bound: np.ndarray, asymmetry: float) -> np.ndarray:
    """Stored margins, in steps, as the browser gets them."""
    values = {"bound": bound.copy(), "asymmetry": flat(asymmetry), "deviation": flat(1.0)}
    volume = Volume(voxels=bound, affine=GRID.affine)
    found = find_margin(volume, values, grid=GRID, mirror_world=MIRROR.tolist())
    body = gzip.decompress(encode_margin(found, grid=GRID).body)[8:]
    return np.frombuffer(body, dtype="<i2").reshape(GRID.shape, order="F")


def test_the_larger_bound_of_a_place_and_its_mirror_place_counts() -> None:
    bound = flat(1.0)
    bound[: GRID.shape[0] // 2] = 3.0  # on the patient's left
    found = margins(bound, asymmetry=2.0)
    right = slice(GRID.shape[0] // 2 + 1, -1)  # small bound here, large one at the mirror place
    assert set(np.unique(found[right])) == {-1000}  # nats short of the bound
    assert set(np.unique(margins(flat(1.0), asymmetry=2.5))) == {1500}


def test_a_bound_far_below_a_16_bit_step_still_decides() -> None:
    for bound_nats, asymmetry, beyond in ((1e-6, 2e-6, True), (2e-6, 1e-6, False), (1, 1, False)):
        bound = flat(bound_nats)
        bound[0, 0, 0] = 1.0
        found = margins(bound, asymmetry=asymmetry)
        assert ((found[2:-2, 2:-2, 2:-2] > 0) == beyond).all()


def test_a_margin_that_16_bits_do_not_hold_stays_on_its_side() -> None:
    assert set(np.unique(margins(flat(1e-3), asymmetry=500.0))) == {32767}
    assert set(np.unique(margins(flat(500.0), asymmetry=1e-3))) == {-32767}  # and is not "no data"


def test_where_nothing_was_compared_there_is_no_margin_and_no_value() -> None:
    bound = flat(1.0)
    bound[:, :, :5] = 0.0
    values = {"bound": bound.copy(), "asymmetry": flat(0.5), "deviation": flat(1.0)}
    volume = Volume(voxels=bound, affine=GRID.affine)
    found = find_margin(volume, values, grid=GRID, mirror_world=MIRROR.tolist())
    for array in (found, *values.values()):
        assert np.isnan(array[:, :, :5]).all()
        assert np.isfinite(array[:, :, 5:]).all()
    assert (encode_margin(found, grid=GRID).low, encode_margin(found, grid=GRID).high) == (
        -0.5,
        -0.5,
    )


def value_at(volume: EncodedVolume, place: tuple[float, ...]) -> float:
    """Value of the voxel nearest to a world point."""
    stored = np.frombuffer(gzip.decompress(volume.body)[8:], dtype="<i2")
    shape, index = volume.grid.shape, np.linalg.inv(volume.grid.affine) @ [*place, 1]
    voxel = tuple(int(i) for i in np.rint(index[:3]))
    return float(stored.reshape(shape, order="F")[voxel] * volume.slope + volume.intercept)


def test_margin_is_on_the_grid_of_the_maps(case: Case) -> None:
    volumes = case_volumes(case)
    assert volumes["margin"].grid == volumes["deviation"].grid
    assert volumes["margin"].high > 0 > volumes["margin"].low


def test_a_bound_is_never_stored_smaller_than_it_is() -> None:
    values = np.random.default_rng(0).random((21, 21, 21)).astype(np.float32)
    grid = fit_grid(np.zeros(3), np.full(3, 20.0), spacing_mm=1.0)
    coded = encode(values, grid=grid, symmetric=True, round_up=True)
    stored = np.frombuffer(gzip.decompress(coded.body)[8:], dtype="<i2").reshape(
        values.shape, order="F"
    )
    assert (stored != NO_DATA).all()
    back = stored * coded.slope + coded.intercept
    assert (back >= values * (1 - 1e-6)).all()
    assert (back - values).max() <= 1.01 * coded.slope


def test_a_scan_that_lies_in_an_archive_is_drawn_like_the_scan(case: Case) -> None:
    assert case.scan_path is not None
    archive = case.root.parent / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(case.scan_path.with_name("sub-02_FLAIR.nii.gz"), "another.nii.gz")
        packed.write(case.scan_path, "visit/renamed.nii.gz")
    shown = case_volumes(replace(case, scan_path=archive))
    assert shown["scan"].digest == case_volumes(case)["scan"].digest
