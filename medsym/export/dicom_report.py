"""Findings as a DICOM structured report (TID 1500): numbers, places and what they do not mean."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.export.dicom_codes import anatomy_of, own, side_of, uid_of
from medsym.export.dicom_segments import DESCRIPTION, SERIES_NUMBER, Finding, tracking_of
from medsym.export.dicom_series import Series
from medsym.screening.case_words import headline, limits
from medsym.upwards import MOST_DECIMALS, plain_text, rounded_up

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.sr.coding import Code

#: Modalities of which a procedure can be named without guessing.
_PROCEDURES = {"MR": "Magnetic Resonance", "CT": "Computed Tomography"}
#: UCUM; in braces what it has no unit for.
_UNITS = {
    "1": ("1", "UCUM", "no units"),
    "SD": ("{SD}", "UCUM", "standard deviations"),
    "nat": ("{nat}", "UCUM", "nats"),
    "ml": ("ml", "UCUM", "milliliter"),
}


def structured_report(
    series: Series, *, record: Mapping[str, Any], segments: "Dataset | None", seal: str
) -> "Dataset":
    """Build the report.

    Args:
        series: the images.
        record: of the case.
        segments: segmentation that the measurements refer to; None without findings.
        seal: hash of the record, from which all UIDs are made.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    modality = str(series.images[0].Modality)
    procedure = Code(modality, "DCM", _PROCEDURES.get(modality, modality))
    content = MeasurementReport(
        observation_context=_observer(record, seal=seal),
        procedure_reported=procedure,
        imaging_measurements=[
            _scan_group(record, seal=seal),
            *_groups(series, record["findings"], segments=segments, seal=seal),
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    for text in _comments(record):
        content[0].ContentSequence.append(_comment(text))
    return Comprehensive3DSR(
        evidence=[*series.images, *([segments] if segments is not None else [])],
        content=content[0],
        series_instance_uid=uid_of("sr series", seal),
        series_number=SERIES_NUMBER + 1,
        sop_instance_uid=uid_of("sr", seal),
        instance_number=1,
        manufacturer="medsym",
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=DESCRIPTION,
    )


def _observer(record: Mapping[str, Any], *, seal: str) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", record["model"]["sha256"], __version__),
        name=f"medsym {__version__}",
        manufacturer_name="medsym",
        model_name=f"{record['model']['name']} {record['model']['version']}",
        serial_number=seal[:16],
    )
    context = ObserverContext(
        observer_type=codes.DCM.Device, observer_identifying_attributes=device
    )
    return ObservationContext(observer_device_context=context)


def _scan_group(record: Mapping[str, Any], *, seal: str) -> Any:
    """Numbers of the whole scan, which a case without findings has too."""
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    summary = record["summary"]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of("scan", seal), identifier="medsym whole scan"
        ),
        measurements=_measured(
            (own("deviation_max"), summary["deviation_max"], "SD"),
            (own("p_value_scan"), summary["p_value"], "1"),
            (own("symmetric_score"), summary["symmetric_score"], "1"),
        ),
    )


def _groups(
    series: Series, findings: Sequence[Finding], *, segments: "Dataset | None", seal: str
) -> list[Any]:
    from highdicom.sr import (
        FindingSite,
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    groups: list[Any] = []
    if segments is None:
        return groups
    for finding in findings:
        uid, name = tracking_of(finding, seal=seal)
        site = FindingSite(
            anatomic_location=anatomy_of(str(finding["structure"])),
            laterality=side_of(finding["side"]),
        )
        groups.append(
            VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=TrackingIdentifier(uid=uid, identifier=name),
                referenced_segment=ReferencedSegment(
                    sop_class_uid=segments.SOPClassUID,
                    sop_instance_uid=segments.SOPInstanceUID,
                    segment_number=int(finding["rank"]),
                    source_series=SourceSeriesForSegmentation(series.images[0].SeriesInstanceUID),
                ),
                finding_type=own("finding"),
                finding_sites=[site],
                measurements=_measurements(finding),
            )
        )
    return groups


def _measurements(finding: Finding) -> list[Any]:
    from pydicom.sr.codedict import codes

    return _measured(
        (codes.SCT.Volume, finding["volume_ml"], "ml"),
        (own("deviation"), finding["deviation"], "SD"),
        (own("asymmetry"), finding["asymmetry"], "nat"),
        (own("bound"), finding["bound"], "nat"),
        (own("p_value"), finding["p_value"], "1"),
    )


def _measured(*values: tuple["Code", float | None, str]) -> list[Any]:
    """Measurements of name, value and unit; those without a value are left out."""
    from highdicom.sr import Measurement
    from pydicom.sr.coding import Code

    return [
        Measurement(name=name, value=float(value), unit=Code(*_UNITS[unit]))
        for name, value, unit in values
        if value is not None
    ]


def _comments(record: Mapping[str, Any]) -> list[str]:
    peak_sd = rounded_up(record["threshold"]["peak_sd"], decimals=MOST_DECIMALS)
    threshold = (  # with the digits of the measurements
        f"A place is listed from {plain_text(peak_sd)} standard deviations on and "
        "where the difference exceeds the bound on what the model may have added."
    )
    return [
        RESEARCH_USE_ONLY,
        headline(record),
        threshold,
        *(f"Limit of this scan: {text}" for text in limits(record)),
    ]


def _comment(text: str) -> Any:
    from highdicom.sr import RelationshipTypeValues, TextContentItem
    from pydicom.sr.codedict import codes

    return TextContentItem(
        name=codes.DCM.Comment, value=text, relationship_type=RelationshipTypeValues.CONTAINS
    )
