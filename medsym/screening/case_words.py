"""What a case record says, in the words and rows of a report; nothing is computed from voxels."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medsym.calibration.comparison import CAUTION
from medsym.inference import gate
from medsym.upwards import p_text

Record = Mapping[str, Any]

NO_RATE = "no false-alarm rate can be stated for the threshold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a table of facts: what, its value, what to know about it."""

    label: str
    value: str
    meaning: str = ""


def opposite(side: str) -> str:
    """The other side."""
    return "left" if side == "right" else "right"


def direction(side: str) -> str:
    """Example: LEFT higher than RIGHT."""
    return f"{side.upper()} higher than {opposite(side).upper()}"


def sides_of(record: Record) -> list[str]:
    """The patient's side of every finding, in their order."""
    return [finding["side"] for finding in record["findings"]]


def sides_words(sides: Iterable[str]) -> str:
    """What the sides of the findings say in one line; "" where there is no finding.

    Example:
        >>> sides_words(["left", "left"]), sides_words(["right"])
        ('LEFT higher than RIGHT', 'RIGHT higher than LEFT')
    """
    counts = Counter(sides)
    if len(counts) < 2:
        return "".join(map(direction, counts))
    return "; ".join(
        f"{direction(side)} at {count} place{'s' if count > 1 else ''}"
        for side, count in counts.most_common()
    )


def headline(record: Record) -> str:
    """The result in one line."""
    if not record["assessable"]:
        return "Not assessable"
    return sides_words(sides_of(record)) or "No finding. This does not mean normal."


def calibration_of(record: Record) -> dict[str, Any]:
    """The block of the record that says which healthy cases it was judged by; empty if none."""
    return dict(record.get("calibration") or {})


def limits(record: Record) -> list[str]:
    """What limits this scan: sentences, most general first."""
    calibration, threshold = calibration_of(record), record["threshold"]
    said = list(record["scan"]["notes"])
    for text in (calibration.get("warning"), calibration.get("reason")):
        if text and not any(text in known for known in said):
            said.append(text)
    if calibration.get("kind") == "synthetic":
        said.append(
            "the comparison is with synthetic healthy heads, not with healthy people of this "
            "scanner: on real scans the false-alarm rate may be another (see 'medsym calibrate'); "
            f"{calibration.get('caution') or CAUTION}"
        )
    if threshold["false_alarm_rate"] is None:
        said.append(NO_RATE)
    return list(dict.fromkeys(said))


def quality_rows(record: Record) -> list[Row]:
    """What the assessability was judged by, with the limits."""
    quality, plane = record["quality"], record["midplane"]
    low, high = gate.BRAIN_ML
    turned = f"turned {plane['yaw_deg']:.1f}, tilted {plane['roll_deg']:.1f} degrees"
    rows = [
        ("Alignment: agreement with the mirror image", "plane_score", 2, gate.MIN_PLANE_SCORE),
        ("Brain mask: agreement of two methods (Dice)", "brain_dice", 2, gate.MIN_BRAIN_DICE),
        ("Coverage: brain with its mirror place in view", "coverage", None, gate.MIN_COVERAGE),
        ("Structures found", "structures_found", None, gate.MIN_STRUCTURES),
        ("Brightness explained by the structures", "explained", None, gate.MIN_EXPLAINED),
        ("Contrast inside the brain", "contrast", 2, gate.MIN_CONTRAST),
        ("Brain, length over width", "length_over_width", 2, gate.MIN_LENGTH_OVER_WIDTH),
    ]
    found = [
        Row(label="Head, corrected before comparing", value=turned),
        Row(
            label="Brain mask: volume",
            value=f"{quality['brain_ml']:.0f} ml",
            meaning=f"{low:.0f} to {high:.0f} ml",
        ),
    ]
    for label, key, decimals, least in rows:
        limit = _number(least, 2 if decimals else None)
        found.append(
            Row(label=label, value=_number(quality[key], decimals), meaning=f"at least {limit}")
        )
    ratio, most = quality["hemisphere_ratio"], gate.MAX_HEMISPHERE_RATIO
    found.append(
        Row(
            label="Larger hemisphere over smaller",
            value=_number(ratio, 2),
            meaning=f"at most {most:g}",
        )
    )
    excluded = quality.get("excluded")
    if excluded:
        meaning = "of the brain, mirror places included"
        found.append(Row(label="Exclusion mask", value=_number(excluded, None), meaning=meaning))
    return found


def _number(value: float | None, decimals: int | None) -> str:
    """A number, or without decimals a share in per cent; a dash where there is none."""
    if value is None:
        return "-"
    return f"{100 * value:.0f} %" if decimals is None else f"{value:.{decimals}f}"


def calibration_rows(record: Record) -> list[Row]:
    """Which healthy cases the scan was compared with, and whether it is like them."""
    calibration = calibration_of(record)
    if not calibration:
        return []
    rows = [
        Row(label="Compared with", value=calibration["name"], meaning=calibration["kind"]),
        Row(label="Healthy cases behind a p-value", value=str(calibration["n"])),
        Row(label="Group", value=calibration.get("group") or "all"),
    ]
    if calibration.get("adjusted_for"):
        rows.append(Row(label="Adjusted for", value=", ".join(calibration["adjusted_for"])))
    test = calibration.get("exchangeability")
    rows.append(
        Row(
            label="Is the scan like those of the calibration?",
            value="not tested" if test is None else f"p = {p_text(test['p_value'])}",
            meaning=calibration.get("warning")
            or ("" if test is None else "nothing speaks against"),
        )
    )
    return rows


def provenance_rows(record: Record) -> list[Row]:
    """From what, with what and how the case was made."""
    scan, model, software = record["scan"], record["model"], record["software"]
    options = json.dumps(record["options"], sort_keys=True)
    rows = [
        Row(label="Scan", value=scan["file"], meaning=scan["sha256"]),
        Row(label="Scan, its voxels and place", value="", meaning=scan.get("content_sha256") or ""),
        *(
            Row(label=f"Scan, {key}", value=_text(value))
            for key, value in sorted(scan.items())
            if key not in _SHOWN_OF_SCAN and value not in (None, "", [], {})
        ),
        Row(label="Model", value=f"{model['name']} {model['version']}", meaning=model["sha256"]),
        *(
            Row(label=f"Model, its {key.removesuffix('_sha256')}", value="", meaning=value)
            for key, value in sorted(model.items())
            if key not in ("name", "version", "sha256") and value
        ),
        Row(
            label="Options",
            value=options,
            meaning=hashlib.sha256(options.encode("ascii")).hexdigest(),
        ),
        Row(label="Software", value=", ".join(f"{k} {v}" for k, v in sorted(software.items()))),
    ]
    sha256 = calibration_of(record).get("sha256")
    if sha256:
        rows.insert(-2, Row(label="Calibration", value="", meaning=sha256))
    return rows


_SHOWN_OF_SCAN = frozenset(
    ["file", "sha256", "content_sha256", "shape", "spacing_mm", "axcodes", "affine_source", "notes"]
)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
