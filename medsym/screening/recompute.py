"""Recompute finished cases once: a run that is cut off leaves a mark of when it began.

The next run of the same kind, with the same software, model and options, goes on there: cases with
a result that is newer than the mark are done. A run of another kind (whole, or a shard), or with
something else, removes the mark, so that no later one believes it. Times are those of the folder's
own files.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsym.screening.records import software
from medsym.screening.runner import ScreenOptions
from medsym.screening.shards import Shard
from medsym.volumes.output_file import write_atomically

_MARK = "recomputing"


@contextmanager
def recomputing(
    out: Path,
    options: ScreenOptions,
    *,
    model: Mapping[str, str],
    shard: Shard | None,
    is_part: bool,
) -> Iterator[ScreenOptions]:
    """Options that know since when cases are recomputed.

    Args:
        out: output folder, held by this run.
        options: what the user chose.
        model: identity of the model.
        shard: which part of the scans; every one has a mark of its own.
        is_part: runs that nobody counts share the folder: each recomputes all of its cases.
    """
    mark = out / "logs" / (_MARK if shard is None else f"{_MARK}-{shard.label}")
    stated = {"software": software(), "model": dict(model), "options": options.fingerprint()}
    content = json.dumps(stated, sort_keys=True).encode("ascii")
    for other in mark.parent.glob(f"{_MARK}*"):
        is_kin = shard is not None and other.name.endswith(f"-of-{shard.count}")
        if is_part or _read(other) != content or not (is_kin or other == mark):
            other.unlink(missing_ok=True)
    if is_part:
        yield options
        return
    if options.replace == "all":
        if not mark.is_file():
            write_atomically(mark, content)
        options = replace(options, recomputing_since=mark.stat().st_mtime_ns)
    yield options
    mark.unlink(missing_ok=True)  # not reached by a run that is cut off


def _read(path: Path) -> Any:
    with suppress(OSError):
        return path.read_bytes()
    return None
