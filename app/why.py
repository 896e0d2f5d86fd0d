"""Why a finding was flagged: sentences and numbers for the panel, from the case's record alone.

Nothing here is computed from a map. What earlier versions did not write is said to be missing.
"""

import gzip
import json
import math
from collections.abc import Mapping
from typing import Any

from app.results import Case
from medsym.screening.case_words import opposite
from medsym.upwards import (
    beside_threshold,
    bound_text,
    p_text,
    percent_text,
    rounded_up,
    threshold_text,
)

Facts = Mapping[str, Any]
#: To a whole number of healthy heads; p-values of a record are rounded.
NEARLY = 0.05
#: Decimals of the numbers of a record.
KEPT = 6
NOT_RECORDED = (
    "Not recorded: this case was screened by an earlier version of medsym. Screen it again to see "
    "the healthy range at this place, the measured defect and the shares of the bound."
)
HEAD, TRUNK, ROUNDING = "Head: learned tolerance", "Layers before the head", "Rounding"
SOFT_TRUNK = "Softened layers before the head, and rounding"


def why_body(case: Case) -> bytes:
    """The panel's words for every finding of a case, by rank: JSON, gzip, the same every time."""
    found = {
        str(finding.get("rank")): why(finding, record=case.record)
        for finding in (case.record.get("findings", []) if case.assessable else [])
    }
    return gzip.compress(json.dumps(found, sort_keys=True).encode("ascii"), mtime=0)


def why(finding: Facts, *, record: Facts) -> dict[str, Any]:
    """Words and numbers of one finding.

    Args:
        finding: as the record lists it.
        record: of the case.

    Returns:
        sentence; rows of (label, text); strip, the healthy range in nats, None if not recorded;
        layers, rows of (name, share, text), empty if not recorded; and words on the layers.
    """
    basis = finding.get("basis")
    return {
        "sentence": sentence(finding, record=record),
        "rows": _rows(finding, record=record),
        "strip": _strip(finding, record=record) if basis else None,
        "layers": _layers(basis) if basis else [],
        "layers_words": _layer_words(basis, record=record) if basis else NOT_RECORDED,
    }


def sentence(finding: Facts, *, record: Facts) -> str:
    """Why it was flagged, in one plain sentence."""
    side = str(finding.get("side", ""))
    more = f"{_more_words(finding, record=record)} the mirror place on the {opposite(side)}"
    parts = [
        f"Orange on the {side.upper()}: {more}",
        _healthy_words(finding.get("p_value"), calibration=record.get("calibration") or {}),
        f"{_model_words(finding)}, {_measured_words(finding.get('basis'))}",
    ]
    return "; ".join(parts) + "."


def _more_words(finding: Facts, *, record: Facts) -> str:
    """The deviation: SD from the mean of the calibration, which need not be 0 at this place."""
    size = f"{_deviation(finding, record=record)} SD more evidence of disease"
    if not (finding.get("basis") or {}).get("healthy_mean"):
        return f"{size} than at"
    heads = _heads(record.get("calibration") or {})
    return f"{size} than {heads} have there, compared with"


def _deviation(finding: Facts, *, record: Facts) -> str:
    """It stands beside the threshold."""
    return beside_threshold(finding["deviation"], record.get("threshold", {}).get("peak_sd"))


def _heads(calibration: Facts) -> str:
    """Whom the calibration holds; where that is not known, nobody is called a person."""
    known = {"synthetic": "drawn healthy heads", "healthy scans": "healthy people"}
    return known.get(str(calibration.get("kind")), "cases of the calibration")


def _model_words(finding: Facts) -> str:
    bound, seen = f"{bound_text(finding['bound'])} nats", nats(finding["asymmetry"])
    return f"of the {seen} of difference the model itself could have made at most {bound} here"


def _measured_words(basis: Facts | None) -> str:
    if basis is None:
        return "how much it did make was not recorded"
    measured = basis.get("measured_defect")
    return (
        "how much it did make was not measured"
        if measured is None
        else f"measured {nats(measured)}"
    )


def _healthy_words(p_value: float | None, *, calibration: Facts) -> str:
    """How many of the healthy heads show as much anywhere; (1 + k) / (n + 1) is the p-value."""
    if p_value is None:
        reason = calibration.get("reason")
        return f"how often {_heads(calibration)} show as much is not known" + (
            f" ({reason})" if reason else ""
        )
    shown = f"p = {p_text(p_value)}"
    n = int(calibration.get("n") or 0)
    count = p_value * (n + 1) - 1
    if n < 1 or abs(count - round(count)) > NEARLY:
        return f"{shown}: the share of {_heads(calibration)} that show as much anywhere"
    verb = "shows" if round(count) <= 1 else "show"
    return (
        f"{round(count) or 'none'} of {n} {_heads(calibration)} {verb} as much anywhere ({shown})"
    )


def _rows(finding: Facts, *, record: Facts) -> list[tuple[str, str]]:
    basis, threshold = finding.get("basis") or {}, record.get("threshold", {})
    p_value, rate = finding.get("p_value"), threshold.get("false_alarm_rate")
    peak_sd = threshold.get("peak_sd")
    peak = f"{threshold_text(peak_sd)} SD" if peak_sd else "\u2013"
    if rate is not None:
        peak += f" (at most {percent_text(rate)} % of {_heads(record.get('calibration') or {})})"
    measured, around = basis.get("measured_defect"), basis.get("regional_bound")
    rows = [
        (
            "Structure",
            str(finding.get("structure") or "outside named structures").replace("-", " "),
        ),
        ("Volume", f"{finding['volume_ml']:.1f} ml"),
        ("Deviation", f"{_deviation(finding, record=record)} SD"),
        ("Threshold", peak),
        ("p", "\u2013" if p_value is None else p_text(p_value)),
        ("Asymmetry at the peak", nats(finding["asymmetry"])),
        ("Bound here", f"{bound_text(finding['bound'])} nats"),
        ("Measured defect here", "\u2013" if measured is None else nats(measured)),
    ]
    if around is not None:
        average = f"{nats(basis['regional_asymmetry'])}, by the model at most"
        rows.append(("Average around the peak", f"{average} {bound_text(around)} nats"))
    caution = (record.get("calibration") or {}).get("caution")
    return [*rows, ("Compared with", str(caution))] if caution else rows


def _strip(finding: Facts, *, record: Facts) -> dict[str, Any]:
    """The healthy range at this place, and where this case and the threshold lie; nats."""
    basis = finding["basis"]
    mean, sd, value = (
        float(basis[key]) for key in ("healthy_mean", "healthy_sd", "regional_asymmetry")
    )
    peak = record.get("threshold", {}).get("peak_sd")
    low, high = mean - 2 * sd, mean + 2 * sd
    threshold = mean + float(peak) * sd if peak else None
    words = (
        f"Healthy here: mean {_signed(mean)}, SD {plain_number(sd)} nats (two SD: "
        f"{_signed(low)} to {_signed(high)}). This case: {_signed(value, threshold)} nats, "
        f"{_deviation(finding, record=record)} SD from the mean."
    )
    if threshold is not None:
        least = _signed(rounded_up(threshold, decimals=_decimals(threshold)))
        words += f" Threshold: {least} nats, {threshold_text(peak)} SD."
    return {"mean": mean, "sd": sd, "value": value, "threshold": threshold, "words": words}


def _layers(basis: Facts) -> list[tuple[str, float, str]]:
    """Rows name, share of the bound (they make 1), share and nats in words."""
    head, rest = float(basis["head_share"]), float(basis["rest_share"])
    parts = [(HEAD, head, float(basis["head_nats"]))]
    if basis["trunk"] == "strict":
        parts += [(ROUNDING, rest, float(basis["rest_nats"]))]
    else:
        parts += [(SOFT_TRUNK, rest, float(basis["rest_nats"]))]
    rows = [(name, share, f"{percent(share)}, {nats(size)}") for name, share, size in parts]
    if basis["trunk"] == "strict":
        rows.insert(1, (TRUNK, 0.0, "exactly 0"))
    return rows


def _layer_words(basis: Facts, *, record: Facts) -> str:
    tolerance = f"Learned tolerance at this place: {plain_number(basis['tolerance'])} nats."
    if basis["trunk"] != "strict":
        return (
            "Layers before the head are softened. One pair of passes tells neither them nor "
            f"rounding apart; the Model page lists the softness of each. {tolerance}"
        )
    rounding = record.get("summary", {}).get("rounding_max")
    how = "measured" if basis.get("measured_defect") is not None else "assumed"
    exact = (
        "Only the head can take part: every layer before it is exactly symmetric (softness 0), so "
        "the rest of the bound is rounding of the arithmetic"
    )
    if rounding is not None:
        exact += f" (at most {bound_text(rounding)} nats in this scan, {how})"
    return f"{exact}. {tolerance}"


def percent(share: float) -> str:
    """A share in percent that never calls a rest nothing, nor a part everything."""
    if 0.0 < share < 0.001:
        return "below 0.1 %"
    if 0.999 < share < 1.0:
        return "above 99.9 %"
    return f"{100 * share:.3g} %"


def nats(value: float) -> str:
    """A size in nats with two figures."""
    return f"{plain_number(value)} nats"


def plain_number(value: float) -> str:
    """Two figures without an exponent; records keep six decimals, so 0 is said as below that."""
    size = abs(float(value))
    if size == 0.0:
        return "below 0.000001"
    digits = min(max(0, 1 - math.floor(math.log10(size))), KEPT)
    return f"{'-' if value < 0 else ''}{size:.{digits}f}"


def _decimals(value: float) -> int:
    size = abs(value)
    return 2 if size >= 0.1 or size == 0.0 else min(KEPT, 1 - math.floor(math.log10(size)))


def _signed(value: float, threshold: float | None = None) -> str:
    """A size with its sign; beside a threshold on its own side of it."""
    digits = _decimals(value)
    shown = float(beside_threshold(value, threshold, decimals=digits))
    return f"{shown:+.{digits}f}" if value else "0"
