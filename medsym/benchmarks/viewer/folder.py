"""What is shown while the viewer is measured: a scan of 256^3 voxels, a list of many made cases."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from medsym.benchmarks.screening.process import run_screen
from medsym.benchmarks.screening.scans import write_fine_scans
from medsym.errors import OutputError
from medsym.screening.records import find_records, sealed
from medsym.screening.table import COLUMNS, screening_row, tsv, with_q_values
from medsym.volumes.writer import write_json, write_text

SEED = 20


def screen_fine_scan(folder: Path, *, samples: Path, report: Callable[[str], None]) -> Path:
    """Screen a bundled sample on a lattice of 256^3 voxels of 1 mm; returns the result folder.

    Args:
        folder: for the scan and its results; exists.
        samples: folder of the bundled samples.
        report: receives a line.
    """
    scan = write_fine_scans(folder, samples=samples)[0]
    report(f"screening {scan.name} on 256 x 256 x 256 voxels")
    run_screen([scan], folder / "out", keep=True)
    return folder / "out"


def made_cohort(root: Path, *, like: Path, cases: int) -> Path:
    """Write a result folder of many cases: one case again and again, with drawn numbers.

    The cases have records and small pictures, and neither maps nor scans: the list is measured.

    Args:
        root: new folder.
        like: result folder whose first assessable case is repeated.
        cases: number of cases.
    """
    record = first_record(like)
    entry = record["files"].get("thumbnail")
    picture = None if entry is None else (like / entry["path"]).read_bytes()
    draw, rows = np.random.default_rng(SEED), []
    for number in range(1, cases + 1):
        made = _made(record, number=number, draw=draw)
        anat = root / f"sub-{made['subject']}" / "anat"
        anat.mkdir(parents=True)
        files = {}
        if picture is not None:
            path = anat / f"{made['case']}_desc-leading_thumbnail.jpg"
            path.write_bytes(picture)
            files["thumbnail"] = {**entry, "path": path.relative_to(root).as_posix()}
        made = sealed({**made, "files": files})
        write_json(anat / f"{made['case']}_case.json", made)
        rows.append(screening_row(made))
    write_text(root / "screening.tsv", tsv(with_q_values(rows), columns=COLUMNS))
    return root


def first_record(folder: Path, *, case: str | None = None) -> dict[str, Any]:
    """Record of a case, or of the first assessable one of a result folder.

    Raises:
        OutputError: MS-703, there is no such case.
    """
    for path in find_records(folder):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["assessable"] and case in {None, record["case"]}:
            return record
    raise OutputError(
        code="MS-703",
        subject=str(folder),
        cause=f"holds no assessable case{'' if case is None else f' {case}'}",
        fix="name a folder that 'medsym screen' wrote, and a case of its work list",
    )


def _made(record: dict[str, Any], *, number: int, draw: np.random.Generator) -> dict[str, Any]:
    made = deepcopy(record)
    subject = f"{number:04d}"
    made["subject"], made["case"] = subject, f"sub-{subject}_T1w"
    made["scan"]["file"] = f"sub-{subject}_T1w.nii.gz"
    p_value = float(draw.uniform())
    made["summary"]["p_value"] = p_value
    made["summary"]["deviation_max"] = float(draw.gamma(4.0, 2.0))
    made["findings"] = record["findings"] if p_value < 0.05 else []
    return made
