"""The numbers of a run as a file: one JSON object per line, written as they come.

Lines of kind "progress" come every few seconds, lines of kind "checkpoint" with every checkpoint. A
run that is resumed drops what its predecessor wrote after the checkpoint that it goes on from.
"""

import json
from pathlib import Path
from typing import Any

from medsym.strict_json import finite
from medsym.volumes.output_file import write_atomically

FILE_NAME = "history.jsonl"
Row = dict[str, Any]


def read_history(path: Path) -> list[Row]:
    """Rows of a history file; a line that was cut off by the end of a process is passed over."""
    rows: list[Row] = []
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


class History:
    """The rows of a run, in memory and on disk.

    Args:
        folder: Of the run.
        done: Steps that the run goes on from; rows after them are dropped, all of them at 0.
    """

    def __init__(self, folder: Path, *, done: int) -> None:
        self.path = folder / FILE_NAME
        self.rows = [row for row in read_history(self.path) if row["step"] <= done] if done else []
        write_atomically(self.path, "".join(map(_line, self.rows)).encode())

    def add(self, kind: str, step: int, numbers: Row) -> None:
        """Append one row; numbers that JSON does not know become null."""
        row = finite({"kind": kind, "step": step, **numbers})
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(row))

    def of_kind(self, kind: str) -> list[Row]:
        """Rows of one kind, in the order of their steps."""
        return [row for row in self.rows if row["kind"] == kind]


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True, allow_nan=False) + "\n"
