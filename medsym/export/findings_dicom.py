"""Findings of a screened case as DICOM objects beside the series that it was made from.

These files hold the patient's name and identity, copied from the series, because that is how an
archive files them. So they are never written into the result folder, which holds neither.
"""

import difflib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.errors import OutputError
from medsym.export.dicom_report import structured_report
from medsym.export.dicom_segments import segmentation
from medsym.export.dicom_series import Series, find_series
from medsym.export.extras import require
from medsym.screening.records import SEAL, damaged_files, find_records, read_record
from medsym.volumes.nifti import read_label_map
from medsym.volumes.output_file import write_atomically
from medsym.volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Cases that a refusal lists at most.
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenDicom:
    """What was written.

    Attributes:
        segments: segmentation; None if there is no finding to outline.
        report: structured report.
        findings: number of findings in both.
    """

    segments: Path | None
    report: Path
    findings: int


def write_findings(out: Path, case: str, *, series: Path, to: Path) -> WrittenDicom:
    """Write segmentation and structured report of one case.

    Args:
        out: output folder of a screening.
        case: name of the case.
        series: folder of the DICOM series that was screened.
        to: folder for the files, made if missing; not inside ``out``.

    Raises:
        ConfigError: MS-590 without the extra ``dicom``.
        OutputError: MS-153 or MS-594 the case cannot be used, MS-595 ``to`` lies in ``out``.
        ScanError: MS-591, MS-592, MS-593 the series cannot be used.
    """
    require("dicom")
    if to.resolve().is_relative_to(out.resolve()):
        raise OutputError(
            code="MS-595",
            subject=str(to),
            cause="DICOM files name the patient, and the result folder must not",
            fix="name a folder outside the result folder with --to",
        )
    record = _usable_record(out, case)
    labels = read_label_map(out / record["files"]["findings"]["path"])
    found = find_series(series, like=labels)
    segments, report = _objects(found, record, labels)
    to.mkdir(parents=True, exist_ok=True)
    paths = {}
    for kind, made in (("seg", segments), ("sr", report)):
        if made is not None:
            paths[kind] = to / f"{case}_desc-findings_{kind}.dcm"
            write_atomically(paths[kind], _bytes(made))
    return WrittenDicom(
        segments=paths.get("seg"), report=paths["sr"], findings=len(record["findings"])
    )


def _usable_record(out: Path, case: str) -> dict[str, Any]:
    paths = {path.name.removesuffix("_case.json"): path for path in find_records(out)}
    if case not in paths:
        raise _unknown(case, known=list(paths), out=out)
    record = read_record(paths[case])
    if not record["assessable"]:
        raise _unusable(case, f"it is not assessable: {'; '.join(record['reasons'])}")
    if "findings" not in record["files"]:
        raise _unusable(case, "it has no map of its findings")
    if damaged_files(record | {"files": {"f": record["files"]["findings"]}}, out=out):
        raise _unusable(case, "the map of its findings is not as it was written")
    return record


def _unknown(case: str, *, known: Sequence[str], out: Path) -> OutputError:
    """A case that is not there, with the nearest name and what is there."""
    listed = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    near = difflib.get_close_matches(case, known, n=1, cutoff=0.0)
    return OutputError(
        code="MS-594",
        subject=case,
        cause=f"there is no such case in {out}, which has {listed or 'none'}",
        fix=f"did you mean {near[0]}? The column case of screening.tsv lists all, with their files"
        if near
        else "name a folder of 'medsym screen'",
    )


def _unusable(case: str, cause: str) -> OutputError:
    fix = "name a case of the result folder, or screen it again"
    return OutputError(code="MS-594", subject=case, cause=cause, fix=fix)


def _objects(
    series: Series, record: Mapping[str, Any], labels: Volume
) -> tuple["Dataset | None", "Dataset"]:
    seal = str(record[SEAL])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = None
        if record["findings"]:
            made = segmentation(
                series,
                series.cut(labels),
                findings=record["findings"],
                model=record["model"],
                seal=seal,
            )
        report = structured_report(series, record=record, segments=made, seal=seal)
    for dataset in (made, report):
        if dataset is not None:
            _date_like(dataset, series.images[0])
    return made, report


def _date_like(dataset: "Dataset", image: "Dataset") -> None:
    """Date an object like its images, so that the same case gives the same bytes on any day."""
    day, hour = str(image.get("StudyDate") or "19000101"), str(image.get("StudyTime") or "000000")
    for item in dataset.iterall():
        if item.keyword in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
            item.value = day
        elif item.keyword in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
            item.value = hour
        elif item.keyword in ("ObservationDateTime", "ContributionDateTime"):
            item.value = day + hour


def _bytes(dataset: "Dataset") -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
