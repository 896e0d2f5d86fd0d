"""A score on disk: one JSON file with every parameter, read back to the last bit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.errors import ModelError, OutputError
from medsym.scores.features import Feature
from medsym.scores.fit import Fitted
from medsym.scores.linear import LinearScore
from medsym.scores.nuisance import NuisanceColumn
from medsym.scores.one_class import OneClass
from medsym.scores.score import SubjectScore, Target
from medsym.screening.records import SEAL, sealed
from medsym.screening.table import tsv
from medsym.strict_json import finite
from medsym.volumes.output_file import writable_folder
from medsym.volumes.writer import write_json, write_text

SCORE_FILE, UNSEEN_FILE = "score.json", "unseen.tsv"
FORMAT = 1
_UNSEEN_COLUMNS = ("case", "person", "answer", "probability", "logit")


def save_score(folder: Path, fitted: Fitted) -> Path:
    """Write score.json, and unseen.tsv if there was a question; returns the former.

    Raises:
        OutputError: MS-618 the folder holds something else; MS-141 it cannot be written.
    """
    path = folder / SCORE_FILE
    others = sorted(entry.name for entry in writable_folder(folder).iterdir())
    if others and SCORE_FILE not in others:
        raise OutputError(
            code="MS-618",
            subject=str(folder),
            cause=f"holds {others[0]}, which is no score",
            fix="give a new or empty folder with --out, or one with an earlier score",
        )
    if fitted.unseen:
        write_text(folder / UNSEEN_FILE, tsv(fitted.unseen, columns=_UNSEEN_COLUMNS))
    else:
        (folder / UNSEEN_FILE).unlink(missing_ok=True)
    write_json(path, sealed(as_dict(fitted.score)))
    return path


def as_dict(score: SubjectScore) -> dict[str, Any]:
    """Plain values of everything."""
    parts = {"linear": score.linear, "bilateral": score.bilateral, "laterality": score.laterality}
    plain: dict[str, Any] = finite(dict(score.numbers))
    return {
        "format": FORMAT,
        "medsym": __version__,
        "research_use_only": RESEARCH_USE_ONLY,
        "target": None if score.target is None else asdict(score.target),
        **{name: None if part is None else part.as_dict() for name, part in parts.items()},
        "absent": dict(score.absent),
        "features": [asdict(feature) for feature in score.features],
        "nuisance": [column.as_dict() for column in score.nuisance],
        "made_from": dict(score.made_from),
        "scans": sorted(score.scans),
        "numbers": plain,
    }


def load_score(folder: Path) -> SubjectScore:
    """Read a score; nothing in the file is run.

    Raises:
        ModelError: MS-619 missing or damaged; MS-620 of another format or medsym version.
    """
    path = folder / SCORE_FILE
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        intact = isinstance(plain, dict) and plain.get(SEAL) == sealed(plain)[SEAL]
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        intact = False
    if not intact:
        raise _damaged(path, "is not as it was written")
    if (plain.get("format"), plain.get("medsym")) != (FORMAT, __version__):
        raise ModelError(
            code="MS-620",
            subject=str(path),
            cause=f"was made by medsym {plain.get('medsym')}, this is {__version__}",
            fix="fit it again with this version",
        )
    try:
        return _from_dict(plain)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _damaged(path, "lacks a part") from None


def _damaged(path: Path, cause: str) -> ModelError:
    fix = "copy the folder again, or run 'medsym score fit' again"
    return ModelError(code="MS-619", subject=str(path), cause=cause, fix=fix)


def _from_dict(plain: dict[str, Any]) -> SubjectScore:
    linear, both, sides = (plain[name] for name in ("linear", "bilateral", "laterality"))
    return SubjectScore(
        target=None if plain["target"] is None else Target(**plain["target"]),
        linear=None if linear is None else LinearScore.from_dict(linear),
        bilateral=None if both is None else OneClass.from_dict(both),
        laterality=None if sides is None else OneClass.from_dict(sides),
        absent=dict(plain["absent"]),
        features=tuple(Feature(**feature) for feature in plain["features"]),
        nuisance=tuple(NuisanceColumn.from_dict(column) for column in plain["nuisance"]),
        made_from=dict(plain["made_from"]),
        scans=frozenset(plain["scans"]),
        numbers=dict(plain["numbers"]),
    )
