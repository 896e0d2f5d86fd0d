"""What the analysis of an upload does, in a process of its own that ends with it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.errors import MedsymError, ScanError
from medsym.screening.workers.child import tell

if TYPE_CHECKING:
    from medsym.screening.progress import Progress

#: Scans larger than this are refused once their header is read, GiB of stored or float32 voxels.
MAX_GIB = 0.5
#: Scans of one upload; an examination has about ten series.
MAX_SCANS = 12
TOO_LARGE = "MS-103"
FINAL = ("done", "resumed", "not assessable", "refused")


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadedScan:
    """How one scan of an upload ended.

    Attributes:
        case: its name.
        stage: one of ``FINAL``.
        code: of the refusal; "" without one. The same for cause and fix.
        reasons: why it is not assessable.
    """

    case: str
    stage: str
    code: str = ""
    cause: str = ""
    fix: str = ""
    reasons: tuple[str, ...] = ()


def screen_upload(text: str) -> str:
    """Analyse an uploaded file; returns how its scans ended.

    Args:
        text: JSON with "file", a scan or an archive; and "out", the result folder of its session.

    Raises:
        ScanError: MS-691 it holds too many scans.
        MedsymError: as ``screen``.
    """
    from medsym.models.store import load_model
    from medsym.screening.batch import screen
    from medsym.screening.folder import remember_sources
    from medsym.screening.manifest import entries_of
    from medsym.screening.runner import ScreenOptions

    task = json.loads(text)
    file, out = Path(task["file"]), Path(task["out"])
    entries = entries_of([file])
    usable = [entry for entry in entries if entry.refusal is None]
    if len(usable) > MAX_SCANS:
        raise _too_many(file, [entry.name.case for entry in usable])
    if not usable:  # no model is needed to say so
        return json.dumps([_plain(e.name.case, "refused", e.refusal) for e in entries])
    ends: dict[str, Progress] = {}

    def listen(progress: "Progress") -> None:
        if progress.stage in FINAL:
            ends[progress.name] = progress
        tell({key: getattr(progress, key) for key in ("number", "total", "stage")})

    options = ScreenOptions(replace="outdated", max_gib=MAX_GIB)
    outcome = screen(entries, out, model=load_model(None), options=options, progress=listen)
    good = [entry.name.case for entry in entries if ends[entry.name.case].error is None]
    remember_sources(out, dict.fromkeys(good, str(file)))  # an archive too: its name is ours
    reasons = {record["case"]: record["reasons"] for record in outcome.records}
    found = ends.values()
    return json.dumps([_plain(e.name, e.stage, e.error, reasons.get(e.name, ())) for e in found])


def _plain(
    case: str, stage: str, error: MedsymError | None, reasons: Iterable[str] = ()
) -> dict[str, Any]:
    fix = "" if error is None else error.fix
    if error is not None and error.code == TOO_LARGE:
        fix = "screen it at a terminal, where the limit can be raised: medsym screen"
    return {
        "case": case,
        "stage": stage,
        "code": "" if error is None else error.code,
        "cause": "" if error is None else error.cause,
        "fix": fix,
        "reasons": list(reasons),
    }


def read_answer(text: str) -> tuple[UploadedScan, ...]:
    """What ``screen_upload`` returned."""
    return tuple(
        UploadedScan(**{**scan, "reasons": tuple(scan["reasons"])}) for scan in json.loads(text)
    )


def _too_many(file: Path, cases: list[str]) -> MedsymError:
    listed = ", ".join(cases[:20])
    return ScanError(
        code="MS-691",
        subject=file.name,
        cause=f"{len(cases)} scans are in it, at most {MAX_SCANS} are taken: {listed}",
        fix="pack only the series that should be analysed",
    )
