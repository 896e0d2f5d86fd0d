"""Which scans were refused before anything was read, by where they were named.

A row of a table, a wrong file name or a folder that cannot be opened gets a case name that vanishes
once the mistake is corrected. A later run that sees the same table or folder knows what is left of
its refusals, so those that are gone leave failures.tsv. Places are kept as hashes: they may name
patients.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from medsym.screening.description import read_object
from medsym.screening.entry import ScanEntry
from medsym.volumes.writer import write_json

#: Place -> cases that it names and that were refused unread.
Refusals = Mapping[str, Sequence[str]]
_FILE = Path("logs", "refusals.json")


def refusals_of(entries: Sequence[ScanEntry]) -> dict[str, list[str]]:
    """Every place of a run with its refused cases, in order; none is an answer, too."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.origin is not None:
            place = str(entry.origin.absolute()).encode("utf-8", "surrogateescape")
            cases = found[hashlib.sha256(place).hexdigest()[:16]]
            cases += [entry.name.case] if entry.refusal else []
    return {place: sorted(cases) for place, cases in found.items()}


def gone(before: Refusals, now: Refusals) -> set[str]:
    """Cases that a place named before and names no more."""
    return {case for place in now for case in before.get(place, ()) if case not in now[place]}


def gone_from(out: Path, now: Refusals) -> set[str]:
    """Cases that places named in earlier runs into a folder and name no more."""
    return gone(read_object(out / _FILE), now)


def keep_refusals(out: Path, now: Refusals) -> None:
    """Remember what places say now, once the tables are written."""
    before = read_object(out / _FILE)
    kept = {place: cases for place, cases in {**before, **now}.items() if cases}
    if kept != before:
        write_json(out / _FILE, kept)
