"""What a worker is told and what it answers: plain JSON text, which every engine can carry.

No scan, network or object of a user's file travels: a task holds paths, names and options, an
answer says how scans ended. Results go from the worker to the output folder.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from medsym.calibration.store import load_calibration
from medsym.errors import (
    AnatomyError,
    ConfigError,
    GridError,
    MedsymError,
    ModelError,
    OutputError,
    ScanError,
)
from medsym.inference.case import Options
from medsym.screening.dicom.series import DicomSeries
from medsym.screening.entry import ScanEntry
from medsym.screening.naming import CaseName
from medsym.screening.packed import Packed
from medsym.screening.progress import ScanReport
from medsym.screening.runner import ScreenOptions

Numbered = tuple[int, ScanEntry]
#: "screen" writes cases, "measure" measures healthy scans for a calibration.
Purpose = Literal["screen", "measure"]
_CLASSES: tuple[type[MedsymError], ...] = (
    *(MedsymError, ScanError, GridError, AnatomyError),
    *(ConfigError, ModelError, OutputError),
)
_KINDS = {kind.__name__: kind for kind in _CLASSES}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """What all tasks of a run share.

    Attributes:
        out: output folder, absolute; every worker sees it under this name.
        model: model folder, absolute; likewise.
        sha256: hash of the model's weights: a worker that finds other weights refuses.
        options: what the user chose; a calibration among them lies in a folder.
        total: number of scans.
        purpose: what is done with a scan.
    """

    out: Path
    model: Path
    sha256: str
    options: ScreenOptions
    total: int
    purpose: Purpose = "screen"

    def as_text(self) -> str:
        """As one line of JSON."""
        value = {
            "out": str(self.out),
            "model": str(self.model),
            "sha256": self.sha256,
            "options": _plain_options(self.options),
            "total": self.total,
            "purpose": self.purpose,
        }
        return json.dumps(value)


def read_plan(text: str) -> RunPlan:
    """The plan that ``RunPlan.as_text`` wrote."""
    value = json.loads(text)
    return RunPlan(
        out=Path(value["out"]),
        model=Path(value["model"]),
        sha256=value["sha256"],
        options=_options(value["options"]),
        total=value["total"],
        purpose=value["purpose"],
    )


def _plain_options(options: ScreenOptions) -> dict[str, Any]:
    found = options.calibration
    place = None if found is None else {"folder": str(found.folder), "sha256": found.sha256}
    without = asdict(replace(options, calibration=None))
    return {**without, "calibration": place}


def _options(value: dict[str, Any]) -> ScreenOptions:
    place = value["calibration"]
    calibration = None
    if place is not None:
        calibration = load_calibration(Path(place["folder"]))
        if calibration.sha256 != place["sha256"]:
            raise other_files(place["folder"])
    analysis = Options(**value["analysis"])
    return ScreenOptions(**{**value, "analysis": analysis, "calibration": calibration})


def other_files(folder: Path | str) -> ModelError:
    """A worker found another model or calibration than the run that it works for."""
    return ModelError(
        code="MS-565",
        subject=str(folder),
        cause="a worker found other files there than the run did",
        fix="put the same folder at the same path on every machine, and leave it alone meanwhile",
    )


def task_text(plan: str, scans: Sequence[Numbered]) -> str:
    """A task: some scans of a run."""
    return json.dumps({"plan": plan, "scans": [[n, _plain_entry(entry)] for n, entry in scans]})


def read_task(text: str) -> tuple[str, tuple[Numbered, ...]]:
    """Plan and scans of a task."""
    value = json.loads(text)
    return value["plan"], tuple((number, _entry(entry)) for number, entry in value["scans"])


def _plain_entry(entry: ScanEntry) -> dict[str, Any]:
    """A refused entry never becomes a task; the path of a DICOM series is only a name."""
    series, packed = entry.series, entry.packed
    files = () if series is None else series.files
    return {
        "path": str(entry.path.absolute() if series is None else entry.path),
        "series": series and [str(path if packed else path.absolute()) for path in files],
        "packed": packed and [str(packed.archive.absolute()), *map(str, packed.members)],
        "name": asdict(entry.name),
        "brain_mask": entry.brain_mask and str(entry.brain_mask.absolute()),
        "exclusion_mask": entry.exclusion_mask and str(entry.exclusion_mask.absolute()),
        "covariates": dict(entry.covariates),
    }


def _entry(value: dict[str, Any]) -> ScanEntry:
    brain, exclusion = value["brain_mask"], value["exclusion_mask"]
    name, files, packed = CaseName(**value["name"]), value["series"], value["packed"]
    return ScanEntry(
        path=Path(value["path"]),
        name=name,
        series=files and DicomSeries(name=name, files=tuple(map(Path, files))),
        packed=packed
        and Packed(archive=Path(packed[0]), members=tuple(map(PurePosixPath, packed[1:]))),
        brain_mask=brain and Path(brain),
        exclusion_mask=exclusion and Path(exclusion),
        covariates=value["covariates"],
    )


def answer_text(reports: Sequence[ScanReport]) -> str:
    """How the scans of a task ended."""
    keys = ("number", "case", "file", "stage", "total_s", "seconds", "cost", "digest")
    return json.dumps(
        [
            {**{key: getattr(report, key) for key in keys}, "error": _plain_error(report.error)}
            for report in reports
        ]
    )


def _plain_error(error: MedsymError | None) -> dict[str, str] | None:
    if error is None:
        return None
    stated = {key: getattr(error, key) for key in ("code", "subject", "cause", "fix")}
    return {"kind": type(error).__name__, **stated}


def _error(value: dict[str, str]) -> MedsymError:
    """The error that ``_plain_error`` wrote: its class says whether it is about the scan."""
    return _KINDS[value["kind"]](**{key: value[key] for key in value if key != "kind"})


def refusal_text(error: MedsymError) -> str:
    """Why none of the scans of a run can be screened."""
    return json.dumps({"refusal": _plain_error(error)})


def read_answer(text: str) -> tuple[ScanReport, ...]:
    """Reports that ``answer_text`` wrote.

    Raises:
        MedsymError: the refusal that ``refusal_text`` wrote.
    """
    answer = json.loads(text)
    if isinstance(answer, dict):
        raise _error(answer["refusal"])
    return tuple(
        ScanReport(**{**value, "error": value["error"] and _error(value["error"])})
        for value in answer
    )
