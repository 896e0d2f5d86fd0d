"""Several runs that share one output folder, each with its part of the scans.

A scan belongs to a shard by a hash of its case name, so the parts are disjoint, whoever computes
them and whatever else is in the list. Each shard leaves a note when it is done; the one that finds
the notes of all others writes the tables. Nobody counts the runs that a BIDS data set is cut into
by --participant-label: they leave notes, too, and the next run over the whole folder takes them up.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medsym.errors import ConfigError, OutputError
from medsym.screening.lock import LOCK_FILE, hold, locked_error, output_lock
from medsym.screening.refusals import Refusals, gone
from medsym.volumes.writer import write_json

_TEXT = re.compile(r"(\d{1,6})/(\d{1,6})")
_LOCKS = ".medsym-shard-*.lock"
_PART_LOCKS = ".medsym-part-*.lock"
#: Runs take turns at the folder for a moment; writing the tables of a large cohort takes minutes.
_WAIT_S = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """Part ``index`` (1 to ``count``) of ``count`` parts."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def label(self) -> str:
        """For file names."""
        return f"{self.index}-of-{self.count}"

    def has(self, case: str) -> bool:
        """Whether a case is in this part."""
        number = int.from_bytes(hashlib.sha256(case.casefold().encode()).digest()[:8], "big")
        return number % self.count == self.index - 1


def shard_of(text: str) -> Shard:
    """Shard from "2/8".

    Raises:
        ConfigError: MS-562 if the text is no such thing.
    """
    match = _TEXT.fullmatch(text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return Shard(index=int(match[1]), count=int(match[2]))
    raise ConfigError(
        code="MS-562",
        subject="--shard",
        cause=f"'{text}' is not a part of a whole",
        fix="give for example 1/4, 2/4, 3/4 and 4/4 to four runs",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What is known of finished scans besides their records.

    Attributes:
        good: cases with a result.
        places: case -> scan file, of those whose place is remembered.
        failures: rows of failures.tsv, of scans that were refused.
        refusals: of the whole run, see ``refusals_of``.
    """

    good: Sequence[str] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    failures: Sequence[dict[str, str]] = ()
    refusals: Refusals = field(default_factory=dict)

    @property
    def cases(self) -> set[str]:
        """Cases of these scans."""
        return {*self.good, *(row["case"] for row in self.failures)}


def merged(tallies: Sequence[Tally]) -> Tally:
    """What is known after several runs, oldest first: of each case, what the last one says."""
    good: set[str] = set()
    places: dict[str, str] = {}
    failures: list[dict[str, str]] = []
    refusals: dict[str, Sequence[str]] = {}
    for tally in tallies:
        over = tally.cases | gone(refusals, tally.refusals)
        failures = [row for row in failures if row["case"] not in over]
        failures += tally.failures
        good.update(tally.good)
        places.update(tally.places)
        refusals.update(tally.refusals)
    return Tally(good=sorted(good), places=places, failures=failures, refusals=refusals)


@contextmanager
def turn(out: Path) -> Iterator[None]:
    """Hold a folder for a moment among runs that share it; waits for theirs.

    Raises:
        OutputError: MS-151 if the folder is not free after half an hour.
    """
    with hold(out / LOCK_FILE, error=locked_error(out), wait_s=_WAIT_S):
        yield


@contextmanager
def part_lock(out: Path) -> Iterator[None]:
    """Work in an output folder beside any number of other parts; only cases are held.

    Raises:
        OutputError: MS-151 another run has the whole folder for half an hour.
    """
    with ExitStack() as stack:
        with turn(out):
            own = out / _PART_LOCKS.replace("*", secrets.token_hex(8))
            stack.enter_context(hold(own, error=locked_error(out)))
        yield


@contextmanager
def shard_lock(out: Path, shard: Shard) -> Iterator[None]:
    """Hold one shard of an output folder, beside other shards of the same number.

    Raises:
        OutputError: MS-151 another run has this shard or the whole folder; MS-563 shards of another
            number are at work.
    """
    with ExitStack() as stack:
        with turn(out):
            own = out / _LOCKS.replace("*", shard.label)
            stack.enter_context(hold(own, error=locked_error(out)))
            for other in _live(out, _LOCKS, but=own):
                if not other.name.endswith(f"-of-{shard.count}.lock"):
                    raise _mixed(out, shard, other)
            for note in _notes(out):
                if not note.name.endswith(f"-of-{shard.count}.json"):
                    note.unlink(missing_ok=True)
            _note(out, shard).unlink(missing_ok=True)
        yield


@contextmanager
def whole_lock(out: Path) -> Iterator[None]:
    """Hold a whole output folder, no shard and no part being at work.

    Raises:
        OutputError: MS-151 another run, a shard or a part is writing into the folder.
    """
    with output_lock(out):
        if _live(out, _LOCKS) or _live(out, _PART_LOCKS):
            raise locked_error(out)
        yield


def _live(out: Path, locks: str, *, but: Path | None = None) -> list[Path]:
    """Locks of shards or parts at work; those of dead ones are removed."""
    live = []
    for path in out.glob(locks):
        if path != but:
            try:
                with hold(path, error=locked_error(out)):
                    pass
            except OutputError:
                live.append(path)
    return live


def _mixed(out: Path, shard: Shard, other: Path) -> OutputError:
    return OutputError(
        code="MS-563",
        subject=str(out),
        cause=f"a run of another split ({other.name}) is writing into this folder",
        fix=f"wait for it, or give all runs the same number of parts, not {shard.count}",
    )


def _note(out: Path, shard: Shard) -> Path:
    return out / "logs" / "shards" / f"{shard.label}.json"


def _notes(out: Path) -> list[Path]:
    return sorted((out / "logs" / "shards").glob("*-of-*.json"))


def remove_notes(out: Path) -> None:
    """Forget the shards of earlier runs: a run over the whole folder has replaced them."""
    for note in _notes(out):
        note.unlink(missing_ok=True)


def leave_note(out: Path, shard: Shard, tally: Tally) -> None:
    """Say that a shard is done."""
    path = _note(out, shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(tally))


def leave_part(out: Path, tally: Tally) -> None:
    """Say how a part went, for the next run over the whole folder; notes keep their order."""
    path = out / "logs" / "parts" / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(tally))


@contextmanager
def parts_taken(out: Path, tally: Tally) -> Iterator[Tally]:
    """What parts and then this run know; the parts' notes go when the block has ended well."""
    notes = sorted((out / "logs" / "parts").glob("*.json"))
    yield merged([*(part for note in notes if (part := _read(note))), tally])
    for note in notes:
        note.unlink(missing_ok=True)


@contextmanager
def last_of_all(out: Path, shard: Shard) -> Iterator[tuple[Tally, tuple[int, ...]]]:
    """While open, no other shard writes tables.

    Yields:
        What all shards know, and the shards that are not done.

    Raises:
        OutputError: MS-151 if the folder is not free after half an hour.
    """
    with turn(out):
        shards = [Shard(index=index, count=shard.count) for index in range(1, shard.count + 1)]
        tallies = {part.index: _read(_note(out, part)) for part in shards}
        missing = tuple(index for index, tally in tallies.items() if tally is None)
        yield merged([tally for tally in tallies.values() if tally]), missing


def _read(path: Path) -> Tally | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Tally(**{key: value[key] for key in ("good", "places", "failures", "refusals")})
    except (OSError, ValueError, KeyError, TypeError):
        return None
