"""The maps of a case: how each is stored, what its values mean, and with whom they compare."""

from dataclasses import dataclass

from medsym.inference.case import CaseResult
from medsym.inference.maps import REGION_MM
from medsym.screening.records import plain

_NOT_COMPARED = (
    "0 outside the brain and where the mirror place is outside the field of view: there the two "
    "sides cannot be compared, which is not the same as no asymmetry."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MapKind:
    """How one map is stored and described.

    Attributes:
        key: name in case.json, also the BIDS description.
        suffix: BIDS suffix.
        units: unit of the values.
        meaning: what a value says.
        outside: value where the grid of the comparison ends.
    """

    key: str
    suffix: str
    units: str
    meaning: str
    outside: float = 0.0


KINDS = (
    MapKind(
        key="pathology",
        suffix="probseg",
        units="probability",
        meaning="Probability of pathology; 0 outside the brain and where left out.",
    ),
    MapKind(
        key="asymmetry",
        suffix="statmap",
        units="nats",
        meaning="Evidence of pathology here minus evidence at the mirror place. Positive: more "
        f"here than there. {_NOT_COMPARED}",
    ),
    MapKind(
        key="deviation",
        suffix="statmap",
        units="standard deviations",
        meaning=f"Asymmetry averaged over its neighbourhood (Gaussian, {REGION_MM:g} mm), divided "
        "by the spread of that average in the healthy reference or calibration (ComparedWith), "
        "after taking off their mean if minus_mean is true. Positive: more here than at the "
        f"mirror place. {_NOT_COMPARED}",
    ),
    MapKind(
        key="bound",
        suffix="statmap",
        units="nats",
        meaning="Upper bound on the part of the asymmetry map that the model can have made itself, "
        "in the units of the asymmetry map (not of the deviation map). Where the size of the "
        "asymmetry exceeds it, the scan differs from its mirror image. Errors of alignment are "
        "not covered. Linear interpolation to the scan's voxels keeps the bound valid.",
    ),
    MapKind(
        key="pvalue",
        suffix="statmap",
        units="probability",
        meaning="Family-wise p-value: probability that a healthy scan like those of the "
        "calibration (see the case's record) deviates anywhere as far as this place, on either "
        "side. The same at a place and its mirror place; 1 where nothing was compared. Linear "
        "interpolation to the scan's voxels keeps it valid. Absent if the calibration is too "
        "small to say.",
        outside=1.0,
    ),
)
ANATOMY = MapKind(
    key="anatomy",
    suffix="dseg",
    units="label",
    meaning="Structure per voxel, see the .tsv file. Left and right are the patient's.",
)
FINDINGS = MapKind(
    key="findings",
    suffix="dseg",
    units="label",
    meaning="Rank of the finding in case.json per voxel, 0 where there is none. Only the side with "
    "more evidence is marked; the mirror place is in case.json.",
)
#: Maps whose values depend on the healthy cases.
_COMPARING = ("deviation", "pvalue", "findings")


def compared_with(kind: MapKind, result: CaseResult) -> dict[str, object]:
    """Which healthy cases decide the values of a map; nothing for maps that compare with none."""
    if kind.key not in _COMPARING:
        return {}
    use = result.calibration.as_dict()
    keys = ("name", "kind", "n", "group", "sha256", "minus_mean", "adjusted_for", "reason")
    return {"ComparedWith": plain({key: use[key] for key in keys})}
