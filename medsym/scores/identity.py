"""Which results belong together: one model, one reference or calibration, one medsym."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.screening.records import find_records, read_record

Record = Mapping[str, Any]


def identity_of(record: Record) -> dict[str, str]:
    """What two records must share for their numbers to mean the same."""
    model, calibration = record["model"], record.get("calibration") or {}
    return {
        "model": f"{model['name']} {model['version']}",
        "weights": str(model["sha256"]),
        "reference": str(calibration.get("sha256") or model.get("reference_sha256", "")),
        "medsym": str(record["software"]["medsym"]),
    }


def paths_of(folder: Path) -> list[Path]:
    """Records of an output folder of ``medsym screen``; MS-614 if there is none."""
    paths = find_records(folder)
    if not paths:
        raise OutputError(
            code="MS-614",
            subject=str(folder),
            cause="holds no case",
            fix="name an output folder of 'medsym screen'",
        )
    return paths


def read_results(folder: Path) -> list[dict[str, Any]]:
    """All records of a folder, to fit on.

    Raises:
        OutputError: MS-614 there is none; MS-615 two differ in identity; MS-153 one is damaged.
    """
    records = [read_record(path) for path in paths_of(folder)]
    for record in records:
        refuse_other(record, identity_of(records[0]), whose=str(records[0]["case"]))
    return records


def refuse_other(record: Record, made_from: Mapping[str, str], *, whose: str) -> None:
    """Refuse a case whose numbers mean something else (MS-615)."""
    own = identity_of(record)
    differs = [key for key in own if own[key] != made_from.get(key)]
    if differs:
        key = differs[0]
        raise OutputError(
            code="MS-615",
            subject=str(record["case"]),
            cause=f"its {key} is {own[key][:40]}, that of {whose} is {made_from.get(key, '')[:40]}",
            fix="screen all scans with one model, one calibration and one version, then fit again",
        )


def assessable(records: Sequence[Record]) -> list[Record]:
    """Those with numbers."""
    return [record for record in records if record["assessable"]]
