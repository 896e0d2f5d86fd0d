"""Findings as a DICOM segmentation on the images of their series, one segment per finding."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.export.dicom_codes import anatomy_of, own, side_of, uid_of
from medsym.export.dicom_series import Series

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SERIES_NUMBER = 9001
DESCRIPTION = "medsym findings (research use only)"
Finding = Mapping[str, Any]


def label_of(finding: Finding) -> str:
    """Label of a segment, with its side: at most 64 characters."""
    where = str(finding["structure"]).replace("-", " ")
    return f"{finding['rank']} {finding['side'].upper()} higher, {where}"[:64]


def tracking_of(finding: Finding, *, seal: str) -> tuple[str, str]:
    """UID and name under which segment and measurements of a finding know each other."""
    return uid_of("finding", seal, str(finding["rank"])), f"medsym finding {finding['rank']}"


def segmentation(
    series: Series,
    labels: NDArray[np.uint16],
    *,
    findings: Sequence[Finding],
    model: Mapping[str, str],
    seal: str,
) -> "Dataset":
    """Build the segmentation.

    Args:
        series: the images.
        labels: (images, rows, columns) rank of the finding per pixel, 0 elsewhere.
        findings: of the record.
        model: name and version of the model.
        seal: hash of the record, from which all UIDs are made.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    made = Segmentation(
        source_images=series.images,
        pixel_array=labels,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(f, model=model, seal=seal) for f in findings],
        series_instance_uid=uid_of("seg series", seal),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("seg", seal),
        instance_number=1,
        manufacturer="medsym",
        manufacturer_model_name="medsym",
        software_versions=__version__,
        device_serial_number="none",
        content_label="MEDSYM_FINDINGS",
        content_description=RESEARCH_USE_ONLY[:64].rpartition(" ")[0],
        series_description=DESCRIPTION,
    )
    made.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid_of("dimensions", seal)
    for item in made.DimensionIndexSequence:
        item.DimensionOrganizationUID = uid_of("dimensions", seal)
    for item, finding in zip(made.SegmentSequence, findings, strict=True):
        (region,) = item.AnatomicRegionSequence
        region.AnatomicRegionModifierSequence = [_coded(finding["side"])]
    return made


def _segment(finding: Finding, *, model: Mapping[str, str], seal: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    uid, name = tracking_of(finding, seal=seal)
    return SegmentDescription(
        segment_number=int(finding["rank"]),
        segment_label=label_of(finding),
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=own("finding"),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"medsym, {model['name']}"[:64],
            version=f"{__version__}, {model['version']}"[:64],
            family=codes.DCM.ArtificialIntelligence,
        ),
        tracking_uid=uid,
        tracking_id=name,
        anatomic_regions=[anatomy_of(str(finding["structure"]))],
    )


def _coded(side: str) -> Any:
    from highdicom.sr.coding import CodedConcept

    code = side_of(side)
    return CodedConcept(value=code.value, scheme_designator="SCT", meaning=code.meaning)
