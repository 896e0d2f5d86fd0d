"""A calibration on disk: ``calibration.json`` beside ``calibration.safetensors``.

The manifest holds the hash of the tensors, the model they belong to, the table of thresholds and
the SHA-256 of every scan, so that a scan is never judged by itself, and of every person's label
with a salt: who knows a label can ask whether it is in there. Names, ages and the like of people
are not stored, nor their maps. Nothing is unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.calibration.adjustment import as_json, from_json
from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.calibration.calibration import Calibration
from medsym.calibration.groups import GroupColumn
from medsym.errors import ConfigError, OutputError
from medsym.strict_json import to_json
from medsym.volumes.output_file import TEMPORARY, writable_folder, write_atomically

MANIFEST, TENSORS = "calibration.json", "calibration.safetensors"
#: Folder in a calibration's folder for what was measured, until the calibration is written.
PASSING = ".medsym-measured"
_LOCKS = ".medsym*.lock*"  # of the run that is at it, or was
FORMAT = 3


def save_calibration(folder: Path, calibration: Calibration) -> Calibration:
    """Write a calibration into a new or empty folder; returns it with its hash.

    Raises:
        OutputError: MS-506 the folder holds something, MS-141 it cannot be written.
    """
    from safetensors.numpy import save

    check_free(folder)
    tensors: dict[str, NDArray[Any]] = {
        "spread": calibration.spread,
        "mean": calibration.mean,
        "scores": calibration.scores,
        "largest": calibration.largest,
        "features": calibration.features,
        "owners": calibration.owners,
    }
    payload = save({key: np.ascontiguousarray(value) for key, value in tensors.items()})
    sha256 = write_atomically(folder / TENSORS, payload)
    stated = {**_manifest(calibration), "tensors_sha256": sha256}
    text = to_json({**stated, "stated_sha256": _sha256_of(stated)})
    return replace(calibration, sha256=write_atomically(folder / MANIFEST, text.encode("ascii")))


def is_unfinished(folder: Path) -> bool:
    """Whether a run that was cut off left its measurements there: the same command goes on."""
    return (folder / PASSING).is_dir() and not is_whole(folder)


def is_whole(folder: Path) -> bool:
    """Whether a calibration, of whatever version, lies there as it was written.

    Measurements beside it are left over from a run that was cut off while it removed them.
    """
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        sha256 = hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
        stated = {key: value for key, value in content.items() if key != "stated_sha256"}
        expected = (content["stated_sha256"], content["tensors_sha256"])
        return expected == (_sha256_of(stated), sha256)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def check_free(folder: Path) -> None:
    """Make a folder for a calibration; refuse one that holds something or takes no files.

    Raises:
        OutputError: MS-506, MS-140.
    """
    ours = {PASSING, MANIFEST, TENSORS, "logs"} if is_unfinished(folder) else set()
    if folder.exists() and (
        not folder.is_dir()
        or any(p.name not in ours and not _is_passing(p) for p in folder.iterdir())
    ):
        what = "holds a finished calibration" if is_whole(folder) else "is not an empty folder"
        raise OutputError(
            code="MS-506",
            subject=str(folder),
            cause=what,
            fix="name a new folder for the calibration",
        )
    writable_folder(folder)


def _is_passing(path: Path) -> bool:
    return path.match(TEMPORARY) or path.match(_LOCKS)


def _sha256_of(stated: Mapping[str, Any]) -> str:
    as_read = json.loads(to_json(stated))  # keys that are numbers become texts
    return hashlib.sha256(to_json(as_read).encode("ascii")).hexdigest()


def _manifest(calibration: Calibration) -> dict[str, Any]:
    c = calibration
    return {
        "format": FORMAT,
        "kind": "medsym calibration",
        "name": c.name,
        "model": dict(c.model),
        "software": {"medsym": __version__, "numpy": np.__version__},
        "options": dict(c.options),
        "counts": dict(c.counts),
        "num_spread": c.num_spread,
        "minus_mean": c.minus_mean,
        "mean_p_value": c.mean_p_value,
        "group_by": [{"column": g.column, "edges": list(g.edges)} for g in c.group_by],
        "groups": list(c.groups),
        "adjustment": as_json(c.adjustment) if c.adjustment else None,
        "feature_names": list(c.feature_names),
        "feature_groups": list(c.feature_groups),
        "scan_sha256": list(c.scan_hashes),
        "salt": c.salt,
        "person_sha256": list(c.person_hashes),
        "thresholds": c.thresholds(),
        "cross_validation": c.cross_validation,
        "statistic": "largest deviation anywhere, SD; one per person and group",
        "research_use_only": RESEARCH_USE_ONLY,
    }


def load_calibration(folder: Path) -> Calibration:
    """Read a calibration and check it; ``Calibration.check_model`` says whose it is.

    Raises:
        ConfigError: MS-507 it is missing, damaged or of another format, MS-517 another version of
            this software made it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        text = (folder / MANIFEST).read_bytes()
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _of_other_format(folder, content)
        version = str(content["software"]["medsym"])
        if version != __version__:
            raise ConfigError(
                code="MS-517",
                subject=str(folder),
                cause=f"was made by medsym {version}, this is {__version__}: numbers may differ",
                fix="run 'medsym calibrate' with this version",
            )
        stated = {key: value for key, value in content.items() if key != "stated_sha256"}
        if content["stated_sha256"] != _sha256_of(stated):
            raise _unusable(folder, "does not state what it stated when it was written")
        payload = (folder / TENSORS).read_bytes()
        if hashlib.sha256(payload).hexdigest() != content["tensors_sha256"]:
            raise _unusable(folder, "does not have the hash that its manifest states")
        found = _calibration(content, load(payload), sha256=hashlib.sha256(text).hexdigest())
    except OSError as error:
        cause = f"holds no calibration that can be read ({error.strerror})"
        raise _unusable(folder, cause) from None
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise _unusable(folder, "holds a damaged calibration") from None
    if not _sound(found):
        raise _unusable(folder, "holds maps or scores that no calibration has")
    return replace(found, folder=folder.absolute())


def _calibration(
    content: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], *, sha256: str
) -> Calibration:
    adjustment, mean_p = content["adjustment"], content["mean_p_value"]
    return Calibration(
        name=str(content["name"]),
        model={str(key): str(value) for key, value in content["model"].items()},
        spread=tensors["spread"].astype(np.float32),
        mean=tensors["mean"].astype(np.float32),
        minus_mean=bool(content["minus_mean"]),
        mean_p_value=None if mean_p is None else float(mean_p),
        num_spread=int(content["num_spread"]),
        scores=tensors["scores"].astype(np.float32),
        largest=tensors["largest"].astype(np.float32),
        groups=tuple(str(group) for group in content["groups"]),
        group_by=tuple(
            GroupColumn(
                column=str(row["column"]), edges=tuple(float(edge) for edge in row["edges"])
            )
            for row in content["group_by"]
        ),
        adjustment=None if adjustment is None else from_json(adjustment),
        features=tensors["features"].astype(np.float64),
        feature_names=tuple(str(name) for name in content["feature_names"]),
        owners=tensors["owners"].astype(np.int64),
        feature_groups=tuple(str(group) for group in content["feature_groups"]),
        scan_hashes=tuple(str(value) for value in content["scan_sha256"]),
        salt=str(content["salt"]),
        person_hashes=tuple(str(value) for value in content["person_sha256"]),
        counts={str(key): int(value) for key, value in content["counts"].items()},
        options=dict(content["options"]),
        cross_validation=content.get("cross_validation"),
        sha256=sha256,
    )


def _sound(c: Calibration) -> bool:
    """True if the maps obey the mirror and every array has its length."""
    if c.spread.shape != REFERENCE_SHAPE or c.mean.shape != REFERENCE_SHAPE:
        return False
    numbers = (c.spread, c.mean, c.scores, c.largest, c.features)
    rows = len(c.feature_groups)
    return (
        all(bool(np.isfinite(values).all()) for values in numbers)
        and float(c.spread.min()) > 0.0
        and np.array_equal(c.spread, c.spread[::-1])
        and np.array_equal(c.mean, -c.mean[::-1])
        and c.scores.shape == (len(c.groups),)
        and float(c.scores.min(initial=0.0)) >= 0.0
        and c.largest.ndim == 1
        and float(c.largest.min(initial=0.0)) >= 0.0
        and c.features.shape == (rows, len(c.feature_names))
        and c.owners.shape == (rows,)
    )


def _of_other_format(folder: Path, content: Any) -> ConfigError:
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, int) or found > FORMAT:
        return _unusable(folder, f"is not a calibration of format {FORMAT}")
    return ConfigError(
        code="MS-507",
        subject=str(folder),
        cause=f"was made by an older medsym (format {found}, this one reads {FORMAT})",
        fix="run 'medsym calibrate' on the healthy scans again",
    )


def _unusable(folder: Path, cause: str) -> ConfigError:
    fix = "name a folder that 'medsym calibrate' wrote, whole and unchanged"
    return ConfigError(code="MS-507", subject=str(folder), cause=cause, fix=fix)
