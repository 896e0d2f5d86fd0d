"""From healthy files to a calibration and on to a patient: one analysis, one statistic."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.calibration.calibration import Calibration
from medsym.calibration.groups import GroupColumn
from medsym.errors import ConfigError
from medsym.inference.case import Options, analyse_scan
from medsym.screening.batch import screen
from medsym.screening.calibrating import people_of
from medsym.screening.manifest import entries_of
from medsym.screening.participants import read_participants, with_participants
from medsym.screening.runner import ScreenOptions
from medsym.volumes.nifti import read_scan
from tests.builders_case import flat_reference
from tests.screening.healthy_cohort import Cohort, calibration_of, cohort

__all__ = ["cohort"]


@pytest.mark.usefixtures("known_plane")
def test_a_patient_is_measured_exactly_as_the_healthy_were(cohort: Cohort) -> None:
    found, model, scans = cohort
    assert [scan.person for scan in found.scans] == ["0", "1", "2"]
    ((case, sentence),) = found.left_out
    assert case == "sub-9_T1w"
    assert "not assessable" in sentence
    assert found.scans[0].covariates == {"site": "A", "age": 40.0}
    for minus_mean in (False, True):
        calibration = calibration_of(found, minus_mean=minus_mean)
        result = analyse_scan(read_scan(scans[1]), model, calibration=calibration)
        reference = calibration.compare({}, alpha=0.05).reference
        own = found.scans[1].largest_deviation(reference.spread, mean=reference.mean)
        assert result.summary.deviation_max == pytest.approx(own, rel=1e-4)
        assert np.array_equal(result.maps.deviation, -result.maps.deviation[::-1])
        assert result.calibration.features == pytest.approx(dict(found.scans[1].features))
        assert result.calibration.minus_mean is minus_mean


@pytest.mark.usefixtures("known_plane")
def test_a_patient_of_a_small_group_gets_no_p_value_and_a_note(cohort: Cohort) -> None:
    found, model, scans = cohort
    calibration = calibration_of(found, group_by=(GroupColumn.parse("site"),))
    scan, generous = read_scan(scans[0]), Options(false_alarm_rate=0.4)
    patient = replace(scan, voxels=scan.voxels + 0.25, sha256="0" * 64)
    known = analyse_scan(
        patient, model, calibration=calibration, covariates={"site": "A"}, options=generous
    )
    assert known.p_value is not None
    assert known.p_value >= 1 / 3
    assert known.calibration.group == "site=A"
    assert known.calibration.kind == "healthy scans"
    packed_anew = replace(scan, sha256="0" * 64)
    own = analyse_scan(
        packed_anew, model, calibration=calibration, covariates={"site": "A"}, options=generous
    )
    assert own.p_value is None
    assert "one of those that made the calibration" in str(own.calibration.reason)
    result = analyse_scan(scan, model, calibration=calibration, options=generous)
    assert result.p_value is None
    assert result.maps.pvalue is None
    assert any("no p-value" in note for note in result.notes)
    other = replace(model, manifest={**model.manifest, "sha256": "0" * 64})
    with pytest.raises(ConfigError, match="MS-505"):
        analyse_scan(scan, other, calibration=calibration)


@pytest.mark.usefixtures("known_plane")
def test_screening_keeps_a_case_until_calibration_or_covariates_change(
    cohort: Cohort, tmp_path: Path
) -> None:
    found, model, scans = cohort
    calibration = calibration_of(found, group_by=(GroupColumn.parse("site"),))
    (entry,) = entries_of(scans[:1])
    quick = Options(measure_defect=False)

    def run(site: str, used: Calibration | None) -> tuple[int, dict[str, object]]:
        options = ScreenOptions(replace="outdated", calibration=used, analysis=quick)
        outcome = screen(
            [replace(entry, covariates={"site": site, "hand": "left"})],
            tmp_path / "out",
            model=model,
            reference=flat_reference(),
            options=options,
        )
        return outcome.resumed, outcome.records[0]["calibration"]

    resumed, use = run("A", calibration)
    assert (resumed, use["group"], use["sha256"]) == (0, "site=A", "c" * 64)
    (sidecar,) = (tmp_path / "out").rglob("*desc-deviation_statmap.json")
    assert "one of those" in str(use["reason"])
    assert (use["namesake"], use["warning"]) == (True, None)  # no p-value, so nothing to doubt
    compared = json.loads(sidecar.read_text())["ComparedWith"]
    assert (compared["sha256"], compared["group"]) == ("c" * 64, "site=A")
    (other,) = (tmp_path / "out").rglob("*desc-pathology_probseg.json")
    assert "ComparedWith" not in json.loads(other.read_text())
    assert run("A", calibration)[0] == 1
    assert run("B", calibration)[0] == 0
    resumed, use = run("B", None)
    assert (resumed, use["kind"]) == (0, "synthetic")


def test_participants_that_know_nobody_or_somebody_twice_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\nsub-x\t1\n")
    (entry,) = entries_of([tmp_path / "sub-1_T1w.nii.gz"])
    with pytest.raises(ConfigError, match=r"MS-509 participants.tsv: knows x, .* belong to 1"):
        with_participants([entry], read_participants(table), table=table)
    table.write_text("participant_id\tage\nsub-x\t1\nx\t2\n")
    with pytest.raises(ConfigError, match=r"MS-509 .* twice"):
        read_participants(table)
    table.write_text("participant_id,age\nsub-1,70\n")
    (same,) = with_participants([entry], {"1": {"age": 70.0}}, table=table)
    assert same.covariates == {"age": 70.0}
    stated = replace(entry, covariates={"age": 3.0})
    (own,) = with_participants([stated], {"1": {"age": 70.0}}, table=table)
    assert own.covariates == {"age": 3.0}


def test_scans_of_which_nobody_knows_whose_they_are_make_no_calibration(tmp_path: Path) -> None:
    visits = [tmp_path / f"P01_visit{n}.nii.gz" for n in (1, 2)]
    for path in visits:
        path.touch()
    with pytest.raises(ConfigError, match=r"MS-516 P01_visit1.nii.gz: .* \(2 of 2 scans\)"):
        people_of(entries_of(visits))
    table = tmp_path / "scans.tsv"
    for column in ("person", "participant_id"):
        table.write_text(
            f"scan\t{column}\tage\nP01_visit1.nii.gz\tP01\t60\nP01_visit2.nii.gz\tP01\t61\n"
        )
        ((person, scans),) = people_of(entries_of([table])).items()
        assert person == "P01"
        assert [row["age"] for row in scans.values()] == [60.0, 61.0]
    (whole, masked) = entries_of([table])
    with pytest.raises(ConfigError, match="MS-519 P01_visit2"):
        people_of([whole, replace(masked, exclusion_mask=table)])


def test_nobody_has_to_say_whose_scan_a_refused_one_is(tmp_path: Path) -> None:
    (tmp_path / "sub-1_T1w.nii").touch()
    (tmp_path / "anat").symlink_to(tmp_path / "none")
    entries = entries_of([tmp_path])
    assert [entry.refusal is None for entry in entries] == [True, False]
    assert list(people_of(entries)) == ["1"]
