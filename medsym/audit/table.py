"""The equivariance report as plain text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medsym.text_table import aligned

SHOWN_LAYERS = 10
"""Layers in the table, those that add most; the JSON file holds all."""

_Row = Sequence[str]


def format_audit(result: Mapping[str, Any]) -> str:
    """The result of ``run_audit`` (or ``NetworkAudit.numbers``) as plain text."""
    lines = [
        f"{result['name']}, {result['parameters']:,} parameters, mirror along {result['axis']}",
        "defect: |f(Sx) - S f(x)| / |f(x)|, 0 is exact",
    ]
    for volume in result["volumes"]:
        lines += ["", *_volume(volume, tolerance=result["tolerance"])]
    lines += ["", *_cost(result["cost"]), "", *_softness(result["softness"])]
    for failure in result.get("failures", ()):
        lines += ["", f"not audited: {failure['error']}"]
    return "\n".join(lines)


def _volume(volume: Mapping[str, Any], *, tolerance: float) -> Iterator[str]:
    shape = " x ".join(str(n) for n in volume["shape"])
    yield f"== {volume['name']}, {shape} voxels"
    yield from _outputs(volume["outputs"])
    yield ""
    yield from _layers(volume, tolerance=tolerance)
    yield ""
    yield "Lie derivative of the main output (Gruver et al., arXiv 2210.02984), smoothed by 1 voxel"
    yield from aligned(
        [
            ("motion", "change per unit", "unit", "share of motion", "floor", "method"),
            *(
                (
                    row["motion"],
                    _short(row["change"]),
                    row["unit"],
                    _short(row["share"]),
                    _short(row["floor"]),
                    row["method"],
                )
                for row in volume["motions"]
            ),
        ]
    )
    yield ""
    yield "disturbances of the input, relative changes"
    columns = ("input_change", "output_change", "defect", "asymmetry")
    yield from aligned(
        [
            ("disturbance", "strength", *(name.replace("_", " ") for name in columns)),
            *(
                (
                    row["name"],
                    f"{row['strength']:g} {row['unit']}" if row["unit"] else "",
                    *(_short(row[name]) for name in columns),
                )
                for row in volume["disturbances"]
            ),
        ]
    )


def _outputs(outputs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows: list[_Row] = [
        (
            "output",
            "defect",
            "largest |E|",
            "at borders",
            "at mid-plane",
            "within 2 S t",
            "|E| / 2 S t",
        )
    ]
    for output in outputs:
        kept = output["compliance"]
        within = "no tolerance"
        used = ""
        if kept is not None:
            shares = (f"{100.0 * kept[name]:.4g} %" for name in ("within", "within_rounding"))
            within = "{} ({} with rounding)".format(*shares)
            used = "bounds below rounding"
            if kept["tightness"] is not None:
                used = f"{_short(kept['tightness'])}, median {_short(kept['tightness_median'])}"
        place = output["place"]
        rows.append(
            (
                output["name"],
                _short(output["defect"]),
                _short(output["largest"]),
                f"{place['border']:.2f}",
                f"{place['midplane']:.2f}",
                within,
                used,
            )
        )
    yield from aligned(rows)
    yield "(at borders, at mid-plane: concentration of the squared defect, 1 is evenly spread)"


def _layers(volume: Mapping[str, Any], *, tolerance: float) -> Iterator[str]:
    layers, skipped = volume["layers"], volume["layers_not_compared"]
    first = volume["first_layer_above_tolerance"]
    lost = f"symmetry is first lost at {first}" if first else "symmetry is nowhere lost"
    yield f"{len(layers)} layers compared, {len(skipped)} not; {lost} (defect above {tolerance:g})"
    ranked = sorted(layers, key=lambda layer: -max(layer["own"] or 0.0, 0.0))[:SHOWN_LAYERS]
    shift = volume["layer_shift"]
    rows: list[_Row] = [
        ("layer", "kind", "channels", "defect", "adds", "at borders", "at mid-plane", "shift")
    ]
    for layer in layers:
        if layer in ranked:
            moved = shift.get(layer["path"])
            rows.append(
                (
                    layer["path"],
                    layer["kind"],
                    str(layer["shape"][0]),
                    _short(layer["defect"]),
                    _short(layer["own"]),
                    f"{layer['place']['border']:.2f}",
                    f"{layer['place']['midplane']:.2f}",
                    _short(moved),
                )
            )
    yield from aligned(rows)
    yield f"(the {len(rows) - 1} layers that add most; shift: 0 follows a shift, 1 ignores it)"
    if any(layer["action"] == "assumed" for layer in layers):
        yield "(channels of layers that state no action are expected to stay under the mirror)"


def _cost(cost: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from aligned(
        [
            ("processor time", "s", f"ratio to {cost[-1]['form']}"),
            *((row["form"], f"{row['cpu_seconds']:.3f}", f"{row['ratio']:.3f}") for row in cost),
        ]
    )


def _softness(softness: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line if all layers are alike, else a table."""
    if not softness:
        yield "no layer is softened"
        return
    if all(row["high"] == 0.0 and not row["learned"] for row in softness):
        yield f"{len(softness)} softened layers, all with softness 0: exactly symmetric weights"
        return
    yield from aligned(
        [
            ("softened layer", "softness", "learned", "odd share of weight"),
            *(
                (
                    row["path"],
                    f"{row['low']:.3g}"
                    + (f" to {row['high']:.3g}" if row["high"] != row["low"] else ""),
                    "yes" if row["learned"] else "no",
                    _short(row["odd_share"]),
                )
                for row in softness
            ),
        ]
    )


def _short(value: float | None) -> str:
    """Two digits; "n/a" for what was not measured."""
    if value is None:
        return "n/a"
    return "0" if value == 0.0 else f"{value:.2g}" if 1e-3 <= abs(value) < 100 else f"{value:.1e}"
