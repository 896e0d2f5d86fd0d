"""Finished subjects, one JSON line each, so that an evaluation that was killed goes on."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError, OutputError
from medsym.strict_json import finite
from medsym.volumes.output_file import writable_folder, write_atomically

Row = dict[str, Any]
_ROWS, _STATED = "subjects.jsonl", "evaluation.json"


class Journal:
    """Rows by (group, index); kept in a folder if one is given.

    Args:
        folder: created if missing; None keeps the rows in memory alone.
        stated: everything that the rows depend on. A folder of another evaluation is refused.

    Raises:
        ConfigError: MS-381 the folder holds another evaluation.
        OutputError: MS-140 the folder cannot be written, MS-382 or its file.
    """

    def __init__(self, folder: Path | None, *, stated: Row) -> None:
        self._rows: dict[tuple[str, int], Row] = {}
        self._path = None if folder is None else folder / _ROWS
        if folder is None or self._path is None:
            return
        writable_folder(folder)
        try:
            self._check(folder / _STATED, json.loads(json.dumps(finite(stated))))
            self._read(self._path)
        except OSError as error:
            raise _unwritable(folder, error) from None

    def row(self, group: str, index: int, *, make: Callable[[], Row]) -> Row:
        """The row of a subject: the one that is there, else a new one, kept at once."""
        key = (group, index)
        if key not in self._rows:
            # Through JSON, so that a row does not depend on whether it was read back.
            line = json.dumps(finite(make()), allow_nan=False)
            self._rows[key] = json.loads(line)
            if self._path is not None:
                text = json.dumps({"group": group, "index": index, "row": self._rows[key]})
                self._append(self._path, text + "\n")
        return self._rows[key]

    def __len__(self) -> int:
        """Number of finished rows."""
        return len(self._rows)

    def __contains__(self, key: tuple[str, int]) -> bool:
        """True if the row of (group, index) is finished."""
        return key in self._rows

    @staticmethod
    def _check(path: Path, stated: Row) -> None:
        if not path.exists():
            write_atomically(path, (json.dumps(stated, indent=1, sort_keys=True) + "\n").encode())
            return
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        changed = sorted(k for k in {*before, *stated} if before.get(k) != stated.get(k))
        if changed:
            raise ConfigError(
                code="MS-381",
                subject=str(path.parent),
                cause=f"holds an evaluation that differs in {', '.join(changed)}",
                fix="give an empty folder, or the models and the configuration of that evaluation",
            )

    def _read(self, path: Path) -> None:
        """Read whole lines; a line that was cut by a kill is taken off the file."""
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.truncate(path, whole)
        for line in content[:whole].splitlines():
            entry = json.loads(line)
            self._rows[(entry["group"], entry["index"])] = entry["row"]

    @staticmethod
    def _append(path: Path, text: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        code="MS-382",
        subject=str(path),
        cause=f"cannot be written ({error.strerror})",
        fix="free space on the disk, or give another folder",
    )
