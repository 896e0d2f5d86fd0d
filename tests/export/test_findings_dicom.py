"""Findings as DICOM: the outline is on the patient's side that the words name, and nowhere else."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="needs the extra dicom")

from pydicom import dcmread
from pydicom.dataset import Dataset

from medsym.cli import main
from medsym.errors import MedsymError, OutputError
from medsym.export.dicom_series import Series
from medsym.export.findings_dicom import write_findings
from medsym.screening.records import read_record
from medsym.volumes.volume import Volume
from tests.builders_case import head_phantom
from tests.builders_dicom import PATIENT, write_series
from tests.screening.quick_run import patch_known_plane, run, store

SIDES = {"left": (-40.0, "7771000"), "right": (40.0, "24028007")}
LAYOUTS = {"axial": "LPS", "sagittal": "PIL", "coronal": "LIP", "other way": "RAI"}


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An output folder for every side and layout, one case each, and one without a finding."""
    root = tmp_path_factory.mktemp("dicom")
    wanted: dict[str, dict[str, Any]] = {
        f"{side} {layout}": {"lesion_mm": (x, 10.0, 10.0), "codes": codes}
        for side, (x, _) in SIDES.items()
        for layout, codes in LAYOUTS.items()
        if side == "right" or layout == "axial"
    }
    wanted["none axial"] = {"lesion_mm": None, "codes": "LPS"}
    with pytest.MonkeyPatch.context() as patch:
        patch_known_plane(patch)
        found = {}
        for name, phantom in wanted.items():
            folder = root / name.replace(" ", "-")
            scan = store(folder / "sub-01_T1w.nii.gz", **phantom)
            write_series(folder / "series", head_phantom(**phantom))
            run([scan], folder / "out", root / "model")
            found[name] = folder
    return found


def written(folder: Path, to: Path) -> tuple[Dataset | None, Dataset]:
    result = write_findings(folder / "out", "sub-01_T1w", series=folder / "series", to=to)
    segments = dcmread(result.segments) if result.segments else None
    return segments, dcmread(result.report)


def record_of(folder: Path) -> dict[str, Any]:
    return read_record(next((folder / "out").glob("sub-01/anat/*_case.json")))


def outline_mm(segments: Dataset) -> np.ndarray:
    """World points (RAS, mm) of every marked pixel, from the tags of the file alone."""
    shared = segments.SharedFunctionalGroupsSequence[0]
    spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float)
    frames = segments.pixel_array.reshape(-1, segments.Rows, segments.Columns)
    points = []
    for frame, groups in zip(frames, segments.PerFrameFunctionalGroupsSequence, strict=True):
        first = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for row, column in np.argwhere(frame):
            step = cosines[:3] * spacing[1] * column + cosines[3:] * spacing[0] * row
            points.append((first + step) * (-1.0, -1.0, 1.0))
    return np.array(points)


def content_of(report: Dataset, meaning: str) -> list[Dataset]:
    """Content items by the meaning of their name, however deep."""
    return [
        item
        for item in report.iterall_items()
        if "ConceptNameCodeSequence" in item
        and item.ConceptNameCodeSequence[0].CodeMeaning == meaning
    ]


@pytest.fixture(autouse=True)
def _walk(monkeypatch: pytest.MonkeyPatch) -> None:
    def items(dataset: Dataset) -> list[Dataset]:
        found = []
        for item in dataset.get("ContentSequence", []):
            found += [item, *items(item)]
        return found

    monkeypatch.setattr(Dataset, "iterall_items", items, raising=False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_outline_lies_where_the_finding_is_in_every_layout(screened, tmp_path, layout) -> None:
    folder = screened[f"right {layout}"]
    segments, _ = written(folder, tmp_path)
    points = outline_mm(segments)
    assert np.abs(points.mean(0) - (40.0, 10.0, 10.0)).max() < 5.0
    assert points[:, 0].min() > 0.0
    volume = sum(finding["volume_ml"] for finding in record_of(folder)["findings"])
    assert len(points) * 0.027 == pytest.approx(volume, rel=0.1)


@pytest.mark.parametrize("side", SIDES)
def test_words_codes_and_pixels_name_the_same_side(screened, tmp_path, side: str) -> None:
    segments, report = written(screened[f"{side} axial"], tmp_path)
    x_mm, code = SIDES[side]
    (segment,) = segments.SegmentSequence
    assert side.upper() in segment.SegmentLabel
    (region,) = segment.AnatomicRegionSequence
    assert region.AnatomicRegionModifierSequence[0].CodeValue == code
    assert np.sign(outline_mm(segments)[:, 0]).mean() == np.sign(x_mm)
    (laterality,) = content_of(report, "Laterality")
    assert laterality.ConceptCodeSequence[0].CodeValue == code
    words = [item.TextValue for item in content_of(report, "Comment")]
    other = {"left": "RIGHT", "right": "LEFT"}[side]
    assert f"{side.upper()} higher than {other}" in words


def test_the_library_reads_both_back_as_what_they_are(screened, tmp_path: Path) -> None:
    import highdicom

    written(screened["left axial"], tmp_path)
    stem = tmp_path / "sub-01_T1w_desc-findings"
    segments = highdicom.seg.segread(f"{stem}_seg.dcm")
    assert list(segments.segment_numbers) == [1]
    report = highdicom.sr.srread(f"{stem}_sr.dcm")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.finding_sites[0].laterality.meaning == "Left"
    assert group.tracking_uid == segments.get_segment_description(1).tracking_uid


def test_the_report_has_the_numbers_of_the_record_and_the_notice(screened, tmp_path) -> None:
    folder = screened["right axial"]
    segments, report = written(folder, tmp_path)
    (finding,) = record_of(folder)["findings"]
    for meaning, key in (
        ("Volume", "volume_ml"),
        ("Deviation from healthy asymmetry at the peak", "deviation"),
        ("Bound on what the model may have added, at the peak", "bound"),
        ("Family-wise p-value of the peak", "p_value"),
    ):
        (item,) = content_of(report, meaning)
        value = float(item.MeasuredValueSequence[0].NumericValue)
        assert value == pytest.approx(finding[key], rel=1e-4), meaning
    comments = [item.TextValue for item in content_of(report, "Comment")]
    assert any(text.startswith("Research use only") for text in comments)
    (said,) = (text.split()[5] for text in comments if text.startswith("A place is listed from"))
    assert float(said) == record_of(folder)["threshold"]["peak_sd"]
    assert report.VerificationFlag == "UNVERIFIED"
    (reference,) = content_of(report, "Referenced Segment")
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == segments.SOPInstanceUID


def test_the_objects_belong_to_patient_and_study_of_the_series(screened, tmp_path) -> None:
    folder = screened["right axial"]
    source = dcmread(next((folder / "series").glob("*.dcm")))
    for made in written(folder, tmp_path):
        assert made.PatientName == PATIENT
        assert made.StudyInstanceUID == source.StudyInstanceUID
        assert made.SeriesInstanceUID != source.SeriesInstanceUID
        assert "research use only" in made.SeriesDescription
        assert len(made.SOPInstanceUID) <= 64


def test_a_rerun_writes_the_same_bytes(screened, tmp_path) -> None:
    folder = screened["left axial"]
    for name in ("first", "second"):
        written(folder, tmp_path / name)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("first", "second"))
    assert len(first) == 2
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_without_a_finding_there_is_a_report_that_does_not_say_normal(screened, tmp_path) -> None:
    segments, report = written(screened["none axial"], tmp_path)
    assert segments is None
    assert len(content_of(report, "Largest deviation from healthy asymmetry in the scan")) == 1
    words = [item.TextValue for item in content_of(report, "Comment")]
    assert "No finding. This does not mean normal." in words


def test_nothing_of_the_patient_is_in_the_result_folder(screened, tmp_path) -> None:
    folder = screened["right axial"]
    written(folder, tmp_path)
    for path in (p for p in (folder / "out").rglob("*") if p.is_file()):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert b"CANARY" not in data
    with pytest.raises(MedsymError, match="MS-595"):
        written(folder, folder / "out" / "dicom")


def refused(folder: Path, to: Path, **changes: Any) -> str:
    given = {"case": "sub-01_T1w", "series": folder / "series", "to": to} | changes
    with pytest.raises(MedsymError) as caught:
        write_findings(folder / "out", given.pop("case"), **given)
    assert not list(to.glob("*.dcm"))
    return caught.value.code


@pytest.mark.parametrize("tag", ["PatientBirthDate", "StudyDate", "SliceThickness"])
def test_a_series_without_names_and_dates_is_enough(screened, tmp_path, tag: str) -> None:
    phantom = head_phantom(lesion_mm=(40.0, 10.0, 10.0), codes="LPS")
    series = write_series(tmp_path / "series", phantom, leave_out=tag)
    (series / "notes.dcm").write_text("no image")
    out = screened["right axial"] / "out"
    result = write_findings(out, "sub-01_T1w", series=series, to=tmp_path / "to")
    assert outline_mm(dcmread(result.segments)).mean(0)[0] == pytest.approx(40.0, abs=5.0)


def test_another_series_or_case_is_refused(screened, tmp_path: Path) -> None:
    folder, to = screened["right axial"], tmp_path / "to"
    with pytest.raises(
        OutputError, match=r"MS-594 sub-1_T1w: .*out, which has sub-01_T1w"
    ) as caught:
        write_findings(folder / "out", "sub-1_T1w", series=folder / "series", to=to)
    assert "did you mean sub-01_T1w?" in caught.value.fix
    (tmp_path / "empty").mkdir()
    assert refused(folder, to, series=tmp_path / "empty") == "MS-591"
    volume = head_phantom(codes="LPS")
    away = volume.affine.copy()
    away[0, 3] += 9.0
    shifted = write_series(tmp_path / "shifted", replace(volume, affine=away))
    assert refused(folder, to, series=shifted) == "MS-593"
    write_series(tmp_path / "two" / "a", volume, name="a")
    write_series(tmp_path / "two" / "b", volume, name="b")
    assert refused(folder, to, series=tmp_path / "two") == "MS-593"
    lost = write_series(tmp_path / "lost", volume, leave_out="FrameOfReferenceUID")
    assert refused(folder, to, series=lost) == "MS-592"


def test_the_command_writes_both_and_says_where(screened, tmp_path: Path, capsys) -> None:
    folder = screened["right axial"]
    place = ["--series", str(folder / "series"), "--to", str(tmp_path / "to")]
    assert main(["dicom", str(folder / "out"), "sub-01_T1w", *place]) == 0
    assert "patient" in capsys.readouterr().out
    assert len(list((tmp_path / "to").glob("*.dcm"))) == 2


def test_the_256th_finding_is_no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Series, "indices", lambda *_, **__: np.array([[[0.0, 0.0, 0.0]]]))
    ranks = Volume(voxels=np.array([[[256]]], dtype=np.int16), affine=np.eye(4))
    assert Series(images=(Dataset(),), folder=Path()).cut(ranks).tolist() == [[[256]]]
