"""What readers said about screened cases: one append-only file of JSON lines per reader.

Nothing is ever changed or removed: a reader who thinks again adds a line, and the last line about a
record, or one of its findings, counts. Readers have files of their own: none overwrites another's.
"""

import json
import math
import os
import stat
import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.screening.naming import clean_label

SCHEMA = 1
REVIEWS = "reviews"
#: A reader's file; the prefix keeps names such as "con" harmless on every system.
_FILE = "reader-{label}.jsonl"
NONE = "none"
#: Said of a case, or of one finding; "none" takes an earlier word back, or is a comment alone.
VERDICTS = ("accept", "reject", "unsure", NONE)
MAX_READER = 80  # characters
MAX_COMMENT = 4000  # characters
#: No more is read of one file: ten thousand verdicts with the longest comments in plain letters.
MAX_FILE_BYTES = 64 * 1024**2
_NO_VERDICT = (
    *(OutputError, OSError, ValueError, TypeError, KeyError, AttributeError),
    *(RecursionError, OverflowError),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One line: what a reader said, about what, and when.

    Attributes:
        reader: name, as `reader_name` returns it.
        case: case name.
        finding: rank of the finding in the case's record; None for the case as a whole.
        verdict: one of `VERDICTS`.
        comment: free text.
        record_sha256: seal of the record that was read; a case that was screened again with another
            result has another one.
        side: the patient's side of the finding; "" for a case.
        structure: of the finding; "" for a case.
        peak_mm: of the finding, world coordinates; () for a case.
        time: UTC, ISO 8601; set when the line is kept.
    """

    reader: str
    case: str
    finding: int | None
    verdict: str
    comment: str = ""
    record_sha256: str = ""
    side: str = ""
    structure: str = ""
    peak_mm: tuple[float, ...] = ()
    time: str = ""

    @property
    def subject(self) -> tuple[str, str, str, int | None]:
        """Whose word about what: a later line with the same subject replaces an earlier one.

        A word about an earlier record of a case, however late it is saved, replaces none about
        the present record.
        """
        return self.reader, self.case, self.record_sha256, self.finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviews:
    """What counts of all files.

    Attributes:
        verdicts: the last word of every reader about every record that was read, and about each of
            its findings, in order of time.
        unreadable: lines that could not be read, such as one that a crash cut short.
    """

    verdicts: tuple[Verdict, ...]
    unreadable: int


def reader_name(text: str) -> str:
    """A reader's name with single spaces, in one Unicode form.

    Raises:
        OutputError: MS-650 it is empty, too long or holds characters that cannot be printed.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > MAX_READER or not name.isprintable():
        raise OutputError(
            code="MS-650",
            subject=name[:MAX_READER] or "reader",
            cause="this is no name of a reader",
            fix=f"Give 1 to {MAX_READER} printable characters",
        )
    return name


def reader_file(root: Path, reader: str) -> Path:
    """The file of a reader; nothing in a name can lead out of the folder."""
    return root / REVIEWS / _FILE.format(label=clean_label(reader_name(reader)))


def add_verdict(root: Path, verdict: Verdict) -> Verdict:
    """Append one line to the reader's file, in one write, flushed to disk.

    Args:
        root: result folder.
        verdict: what is said; its time is set here.

    Returns:
        The verdict as it was kept.

    Raises:
        OutputError: MS-650 the reader has no name, MS-651 the folder cannot be written, MS-652 the
            verdict is none of the known ones or the comment is too long.
    """
    path = reader_file(root, verdict.reader)
    if verdict.verdict not in VERDICTS or not _is_text(verdict.comment, longest=MAX_COMMENT):
        raise OutputError(
            code="MS-652",
            subject=verdict.case,
            cause="this verdict cannot be kept",
            fix=f"Say one of {', '.join(VERDICTS)}, with at most {MAX_COMMENT} characters",
        )
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    kept = {"schema": SCHEMA, **asdict(verdict), "reader": reader_name(verdict.reader), "time": now}
    line = json.dumps(kept, allow_nan=False).encode("ascii") + b"\n"
    try:
        path.parent.mkdir(exist_ok=True)
        _append(path, line)
    except OSError as error:
        raise OutputError(
            code="MS-651",
            subject=str(path.parent),
            cause=f"the verdict was not kept: the folder cannot be written ({error.strerror})",
            fix="Ask for write access to the result folder, or view a copy of it that is yours",
        ) from error
    return _verdict(kept)


def can_be_kept(root: Path) -> bool:
    """Whether verdicts can be written beside these results, as far as one can know before."""
    folder = root / REVIEWS
    return os.access(folder if folder.exists() else root, os.W_OK | os.X_OK)


def _append(path: Path, line: bytes) -> None:
    """One write at the end; after a line that a crash cut short, on a line of its own."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)
    try:
        if os.lseek(descriptor, 0, os.SEEK_END):
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":
                line = b"\n" + line
        if os.write(descriptor, line) != len(line):
            raise OSError(0, "the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_reviews(root: Path) -> Reviews:
    """Everything that counts, of all readers; empty where nobody has read yet.

    A link is no file of a reader. A file that cannot be opened, or is endless, counts as an
    unreadable line, and so does what a file says in the name of somebody whose file it is not.
    """
    latest: dict[tuple[str, str, str, int | None], Verdict] = {}
    unreadable = 0
    for path in sorted((root / REVIEWS).glob(_FILE.format(label="*"))):
        try:
            stamp = path.stat(follow_symlinks=False)
            if not stat.S_ISREG(stamp.st_mode):
                continue
            if stamp.st_size > MAX_FILE_BYTES:
                unreadable += 1
                continue
            verdicts, bad = _read_file(path, stamp.st_size, stamp.st_mtime_ns)
        except OSError:  # not for this user, or gone
            unreadable += 1
            continue
        latest |= {verdict.subject: verdict for verdict in verdicts}
        unreadable += bad
    ordered = sorted(latest.values(), key=lambda verdict: verdict.time)
    return Reviews(verdicts=tuple(ordered), unreadable=unreadable)


@lru_cache(maxsize=64)
def _read_file(path: Path, size: int, mtime_ns: int) -> tuple[tuple[Verdict, ...], int]:  # noqa: ARG001
    """Lines of one file, oldest first, and how many could not be read; kept until it changes."""
    verdicts, own, unreadable = [], set(), 0
    for line in path.read_bytes().split(b"\n"):
        if not line.strip():
            continue
        try:
            verdict = _verdict(json.loads(line))
            if verdict.reader not in own:
                own.add(_owner(path, verdict.reader))
            verdicts.append(verdict)
        except _NO_VERDICT:
            unreadable += 1
    return tuple(verdicts), unreadable


def _owner(path: Path, reader: str) -> str:
    """The reader, if this is the file of this name, also where "anna" and "Anna" are one file."""
    if not reader_file(path.parents[1], reader).samefile(path):
        raise ValueError("another reader's file")
    return reader


def _is_text(text: str, *, longest: int) -> bool:
    """Short enough, and without the halves of characters that no file can hold."""
    return len(text) <= longest and text.encode("utf-8", "ignore").decode("utf-8") == text


def _verdict(kept: dict[str, Any]) -> Verdict:
    finding = kept["finding"]
    words = {
        key: str(kept.get(key, ""))
        for key in ("comment", "record_sha256", "side", "structure", "time")
    }
    peak = tuple(float(value) for value in kept.get("peak_mm", ()))
    texts = (*words.values(), str(kept["case"]))
    if kept["verdict"] not in VERDICTS or not all(map(math.isfinite, peak)):
        raise ValueError("unknown verdict")
    if not all(_is_text(text, longest=MAX_COMMENT) for text in texts):
        raise ValueError("endless or broken text")
    return Verdict(
        **words,
        reader=reader_name(str(kept["reader"])),
        case=str(kept["case"]),
        finding=None if finding is None else int(finding),
        verdict=kept["verdict"],
        peak_mm=peak,
    )
