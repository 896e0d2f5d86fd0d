"""The report: one page that needs no other file, figures as PNG and SVG, numbers as JSON."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.science import words
from medsym.science.drawing.figures import Drawn, alarm_groups, draw_figures
from medsym.science.run import Findings
from medsym.strict_json import to_json
from medsym.volumes.output_file import writable_folder, write_atomically

PAGE, NUMBERS, ATLAS = "science.html", "science.json", "atlas.safetensors"
FIGURES = "figures"


def write_study(out: Path, findings: Findings) -> Path:
    """Write page, figures, numbers and atlas; returns the page.

    Args:
        out: folder, made if it is missing.
        findings: what was measured.

    Raises:
        OutputError: MS-140 the folder cannot be made; MS-141 a file cannot be written.
    """
    folder = writable_folder(out / FIGURES)
    figures = list(draw_figures(findings))
    for figure in figures:
        write_atomically(folder / f"{figure.name}.png", figure.png)
        write_atomically(folder / f"{figure.name}.svg", figure.svg)
    write_atomically(out / NUMBERS, to_json(findings.numbers).encode())
    write_atomically(out / ATLAS, atlas_bytes(findings))
    write_atomically(out / PAGE, render(findings, figures).encode())
    return out / PAGE


def atlas_bytes(findings: Findings) -> bytes:
    """The mean maps as a safetensors file: tensors alone, no code."""
    from safetensors.numpy import save

    atlas = findings.atlas
    tensors = {name: values.astype(np.float32) for name, values in atlas.means.items()}
    tensors["brain"] = atlas.brain.astype(np.float32)
    kind = {"kind": "medsym tolerance atlas", "axes": "x to the patient's right, y front, z up"}
    return save(tensors, metadata=kind)


def render(findings: Findings, figures: Sequence[Drawn]) -> str:
    """The page."""
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("medsym.science", "templates"),
                PackageLoader("medsym.screening", "templates"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["interval"] = words.interval_words
    environment.filters["embedded"] = _data_uri
    numbers = findings.numbers
    alarms = [
        words.alarm_words(name, curve, alpha=numbers["alpha"])
        for name, curve in alarm_groups(findings)
    ]
    return environment.get_template("science.html.j2").render(
        research_use_only=RESEARCH_USE_ONLY,
        version=__version__,
        numbers=numbers,
        figures=figures,
        tolerance=words.tolerance_words(
            numbers["tolerance"], soft_head=numbers["model"]["softness"] in ("head", "both")
        ),
        correlation=words.correlation_words(numbers["tolerance"], numbers["structures"]),
        softness=words.softness_words(numbers["softness"]),
        reliability=words.reliability_words(numbers["reliability"]),
        alarms=alarms,
    )


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
