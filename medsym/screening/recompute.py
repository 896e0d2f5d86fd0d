"""Recompute finished cases once: a run that is cut off leaves a mark of when it began.

The next run that is asked to recompute goes on there: cases with a result that is newer than the
mark are done. Whatever run ends whole removes it. Times are those of the folder's own files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from medsym.screening.runner import ScreenOptions
from medsym.screening.shards import Shard
from medsym.volumes.output_file import write_atomically


@contextmanager
def recomputing(
    out: Path, options: ScreenOptions, *, shard: Shard | None, is_part: bool
) -> Iterator[ScreenOptions]:
    """Options that know since when cases are recomputed.

    Args:
        out: output folder, held by this run.
        options: what the user chose.
        shard: which part of the scans; every one has a mark of its own.
        is_part: runs that nobody counts share the folder: each recomputes all of its cases.
    """
    if is_part:
        yield options
        return
    mark = out / "logs" / f"recomputing{'' if shard is None else f'-{shard.label}'}"
    if options.replace == "all":
        if not mark.is_file():
            write_atomically(mark, b"")
        options = replace(options, recomputing_since=mark.stat().st_mtime_ns)
    yield options
    mark.unlink(missing_ok=True)  # not reached by a run that is cut off
