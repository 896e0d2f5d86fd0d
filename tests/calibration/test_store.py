"""Calibrations on disk: read back as they were, refused when changed or of another model."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from medsym.calibration.building import build_calibration
from medsym.calibration.calibration import Calibration
from medsym.calibration.checks import CalibrationSettings
from medsym.calibration.cross_validation import cross_validate
from medsym.calibration.groups import GroupColumn
from medsym.calibration.mean_test import mean_asymmetry_p_value
from medsym.calibration.people import by_person
from medsym.calibration.store import (
    MANIFEST,
    TENSORS,
    check_free,
    load_calibration,
    save_calibration,
)
from medsym.errors import ConfigError, OutputError
from medsym.inference.case import Options
from medsym.screening.runner import ScreenOptions
from medsym.strict_json import to_json
from tests.calibration.builders import draw, people, scan_of

MODEL = {"name": "m", "version": "1", "sha256": "f" * 64}


@pytest.fixture
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    from medsym.calibration import store

    monkeypatch.setattr(store, "REFERENCE_SHAPE", (6, 5, 4))


def calibration(*, minus_mean: bool = False, adjust: tuple[str, ...] = ()) -> Calibration:
    rng = np.random.default_rng(0)
    scans = [
        scan_of(
            draw(rng, torque=0.4),
            person=f"Muster{i}",
            covariates={"site": "A", "age": float(30 + i)},
        )
        for i in range(48)
    ]
    settings = CalibrationSettings(
        name="people of A",
        group_by=(GroupColumn.parse("site"),),
        adjust=adjust,
        minus_mean=minus_mean,
    )
    return build_calibration(scans, settings, model=MODEL)


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize("adjust", [(), ("age",)])
def test_a_calibration_judges_the_same_after_its_folder(
    tmp_path: Path, adjust: tuple[str, ...]
) -> None:
    written = save_calibration(tmp_path / "c", calibration(minus_mean=True, adjust=adjust))
    again = load_calibration(tmp_path / "c")
    assert again.sha256 == written.sha256 != ""
    row = {"site": "A", "age": 50.0}
    for alpha in (0.05, 0.1):
        before, after = (c.compare(row, alpha=alpha) for c in (written, again))
        assert before.use == after.use
        assert np.array_equal(before.reference.maxima, after.reference.maxima)
        assert np.array_equal(before.reference.mean, after.reference.mean)
        assert np.array_equal(before.reference.spread, after.reference.spread)
        # and where no p-value can be given
        before, after = (c.compare({}, alpha=alpha) for c in (written, again))
        assert np.array_equal(before.reference.maxima, after.reference.maxima)
    assert again.thresholds() == written.thresholds()


@pytest.mark.usefixtures("small_maps")
def test_equal_calibrations_are_equal_files_and_name_nobody(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_calibration(tmp_path / name, calibration())
    for file in (MANIFEST, TENSORS):
        content = (tmp_path / "a" / file).read_bytes()
        assert content == (tmp_path / "b" / file).read_bytes()
        assert b"Muster" not in content


def restate(folder: Path, content: dict[str, object]) -> None:
    """Change a manifest together with the hash that it states of itself."""
    stated = {key: value for key, value in content.items() if key != "stated_sha256"}
    digest = hashlib.sha256(to_json(stated).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**stated, "stated_sha256": digest}))


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize(
    "damage", ["tensors", "manifest", "missing", "lopsided", "format", "edited"]
)
def test_a_damaged_calibration_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "c"
    save_calibration(folder, calibration())
    text = json.loads((folder / MANIFEST).read_text())
    if damage == "tensors":
        (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-8])
    elif damage == "missing":
        (folder / MANIFEST).unlink()
    elif damage == "manifest":
        restate(folder, {**text, "groups": text["groups"][:-1]})
    elif damage == "edited":
        (folder / MANIFEST).write_text(json.dumps({**text, "name": "other people"}))
    elif damage == "format":
        (folder / MANIFEST).write_text(json.dumps({**text, "format": 99}))
    else:
        tensors = load_file(folder / TENSORS)
        tensors["mean"][0] += 1.0
        save_file(tensors, folder / TENSORS)
        known = hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
        restate(folder, {**text, "tensors_sha256": known})
    with pytest.raises(ConfigError, match="MS-507"):
        load_calibration(folder)


@pytest.mark.usefixtures("small_maps")
def test_a_calibration_of_another_version_or_other_options_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(calibration(), options={"measure_defect": True, "volume_index": 1})
    save_calibration(tmp_path / "c", made)
    again = load_calibration(tmp_path / "c")
    assert again.options == made.options
    again.check_options({"measure_defect": True, "volume_index": None})
    ScreenOptions(calibration=again)
    with pytest.raises(ConfigError, match="MS-518 people of A"):
        ScreenOptions(calibration=again, analysis=Options(measure_defect=False))
    monkeypatch.setattr("medsym.calibration.store.__version__", "9.9")
    with pytest.raises(ConfigError, match=r"MS-517 .*this is 9\.9"):
        load_calibration(tmp_path / "c")


@pytest.mark.usefixtures("small_maps")
def test_a_calibration_of_other_weights_is_refused() -> None:
    found = calibration()
    found.check_model({"sha256": "f" * 64})
    with pytest.raises(ConfigError, match="MS-505 people of A"):
        found.check_model({"sha256": "0" * 64})


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="MS-506"):
        save_calibration(tmp_path, calibration())
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_place_that_takes_no_files_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="MS-140"):
        check_free(tmp_path / "letter.txt" / "below")


def test_a_scan_is_never_judged_by_itself_even_if_it_was_packed_anew() -> None:
    rng = np.random.default_rng(3)
    scans = [
        scan_of(draw(rng), person=f"p{i}", sha256=f"file {i}", content_sha256=f"voxels {i}")
        for i in range(20)
    ]
    found = build_calibration(scans, CalibrationSettings(), model=MODEL, test_mean=False)
    assert found.compare({}, alpha=0.05, hashes=("file 20", "voxels 20")).use.reason is None
    for own in (("file 7", "voxels 7"), ("file 7",), ("packed anew", "voxels 7")):
        comparison = found.compare({}, alpha=0.05, hashes=own)
        assert "one of those that made the calibration" in str(comparison.use.reason)
        assert np.array_equal(comparison.reference.maxima, found.largest)
        assert comparison.use.thresholds == ()


@pytest.mark.usefixtures("small_maps")
def test_another_visit_of_somebody_in_the_calibration_is_warned_of(tmp_path: Path) -> None:
    save_calibration(tmp_path / "c", calibration())
    found = load_calibration(tmp_path / "c")
    row = {"site": "A", "person": "Muster7"}
    use = found.compare(row, alpha=0.05).use
    assert use.reason is None
    assert "the same person, the p-value is invalid" in str(use.warning)
    assert use.warning in use.remarks
    for other in ({"site": "A"}, {**row, "person": "Muster48"}):
        assert found.compare(other, alpha=0.05).use.warning is None


@pytest.mark.usefixtures("small_maps")
def test_limits_of_groups_keep_every_digit_on_disk(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    scans = [
        scan_of(draw(rng), person=f"p{i:02d}", covariates={"date": 20240101.0 + 4 * i})
        for i in range(40)
    ]
    settings = CalibrationSettings(group_by=(GroupColumn.parse("date:20240115,20240180"),))
    made = build_calibration(scans, settings, model=MODEL, test_mean=False)
    save_calibration(tmp_path / "c", made)
    again = load_calibration(tmp_path / "c")
    assert again.group_by == made.group_by
    row = {"date": 20240110.0}
    assert again.compare(row, alpha=0.4).use == replace(
        made.compare(row, alpha=0.4).use, sha256=again.sha256
    )
    assert again.compare(row, alpha=0.4).use.n == 4


def test_a_mean_asymmetry_is_found_where_there_is_one_and_only_there() -> None:
    rng = np.random.default_rng(1)
    with_one = mean_asymmetry_p_value(by_person(people(rng, 30, torque=0.5)))
    none = [mean_asymmetry_p_value(by_person(people(rng, 12))) for _ in range(100)]
    assert with_one <= 0.01
    assert np.mean(np.array(none) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 100)
    assert np.mean(np.array(none) <= 0.5) >= 0.3


def test_cross_validation_judges_every_person_once_and_flags_as_promised() -> None:
    rng = np.random.default_rng(2)
    scans = people(rng, 60, scans=2)
    found = cross_validate(scans, CalibrationSettings(), folds=6, model=MODEL)
    assert found["people"] == 60
    for row in found["rows"]:
        assert row["judged"] + row["abstained"] == 60
        assert row["flagged"] <= 60 * row["alpha"] + 3 * np.sqrt(60 * row["alpha"])
        assert row["share"] == row["flagged"] / 60
    assert found["tested_for_shift"] == 60
    few = cross_validate(scans[:12], CalibrationSettings(), folds=2, model=MODEL)
    assert few["rows"][0]["share"] is None  # 4 people cannot keep a rate of 5 %
    with pytest.raises(ConfigError, match="MS-508"):
        cross_validate(scans[:6], CalibrationSettings(), folds=7, model=MODEL)


@pytest.mark.usefixtures("small_maps")
def test_what_left_out_people_showed_is_kept_and_goes_with_every_comparison(tmp_path) -> None:
    found = {"people": 6, "folds": 2, "rows": [{"alpha": 0.5, "share": 0.5}]}
    made = replace(calibration(), cross_validation=found)
    save_calibration(tmp_path / "c", made)
    use = load_calibration(tmp_path / "c").compare({}, alpha=0.5).use
    assert use.cross_validation == found
    assert use.as_dict()["cross_validation"] == found
    assert calibration().compare({}, alpha=0.5).use.cross_validation is None
