"""What the browser gets for one case: addresses of the volumes and the facts to print with them."""

from collections.abc import Mapping
from typing import Any

from app.results import Case, compared_with, seal_of
from medsym import RESEARCH_USE_ONLY


def case_payload(
    case: Case,
    *,
    volumes: Mapping[str, Mapping[str, object]],
    web: str,
    finding: int | None,
    maps: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """JSON for the browser component.

    Args:
        case: the case.
        volumes: kind -> description with the address, as `EncodedVolume.describe` gives it.
        web: address of the folder of the browser modules.
        finding: rank of the finding at which the crosshair starts; None for the first.
        maps: where to wait for the volumes that are still being made, and their name; None if
            `volumes` are all.
    """
    record = case.record
    findings: list[Mapping[str, Any]] = [
        {key: value for key, value in found.items() if key != "basis"}  # of the panel Why alone
        for found in (record.get("findings", []) if case.assessable else [])
    ]
    largest = record.get("summary", {}).get("deviation_max_mm") if case.assessable else None
    return {
        "web": web,
        "case": case.name,
        "seal": seal_of(record),
        "assessable": case.assessable,
        "volumes": dict(volumes),
        "maps": None if maps is None else dict(maps),
        "mirror_world": record.get("mirror_world"),
        "structures": {str(index): name for index, name in case.structures.items()},
        "reasons": [str(reason) for reason in record.get("reasons", [])],
        "findings": findings,
        "threshold": record.get("threshold", {}),
        "calibration": {
            key: (record.get("calibration") or {}).get(key)
            for key in ("name", "kind", "n", "group", "reason", "warning", "caution", "thresholds")
        },
        "compared_with": compared_with(record),
        "crosshair_mm": _start(findings, finding, largest=largest),
        "largest_mm": largest,
        "largest_values": {
            "deviation": record.get("summary", {}).get("deviation_max"),
            "p_value": record.get("summary", {}).get("p_value"),
        }
        if largest
        else None,
        "largest_bound": record.get("summary", {}).get("bound_max"),
        "measured_defect_max": record.get("summary", {}).get("measured_defect_max"),
        "scan": {
            key: record.get("scan", {}).get(key) for key in ("shape", "spacing_mm", "axcodes")
        },
        "model": record.get("model", {}),
        "software": record.get("software", {}),
        "research_use_only": record.get("research_use_only") or RESEARCH_USE_ONLY,
    }


def _start(
    findings: list[Mapping[str, Any]], rank: int | None, *, largest: list[float] | None
) -> list[float] | None:
    """Peak of the finding with this rank, else of the first, else the largest deviation, mm."""
    chosen = [found for found in findings if found.get("rank") == rank] or findings[:1]
    place = chosen[0]["peak_mm"] if chosen else largest
    return [float(value) for value in place] if place else None
