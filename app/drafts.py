"""What a reader entered and has not saved: kept for the session, case by case, never written.

A draft is a `Verdict` that `add_verdict` has not been given yet. It stays until it is saved or
taken back, whatever page or case is shown meanwhile.
"""

from collections.abc import Iterator
from pathlib import Path

from medsym.screening.reviews import NONE, Verdict, add_verdict

Subject = tuple[str, str, str, int | None]


def subject_of(verdict: Verdict) -> Subject:
    """Whose word about what, on which results."""
    return verdict.reader, verdict.case, verdict.record_sha256, verdict.finding


def said(verdict: Verdict | None) -> tuple[str, str]:
    """What was said, as far as a reader decides it; nothing where there is no verdict."""
    return (NONE, "") if verdict is None else (verdict.verdict, verdict.comment)


class Drafts:
    """The drafts of one session, in the order in which they were begun."""

    def __init__(self) -> None:
        self._drafts: dict[Subject, Verdict] = {}

    def __len__(self) -> int:
        return len(self._drafts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(tuple(self._drafts.values()))

    def note(self, entered: Verdict, *, kept: Verdict | None) -> None:
        """Remember what was entered; what says the same as the kept word is no draft.

        Args:
            entered: what stands in the form.
            kept: the reader's last saved word about it; None if there is none.
        """
        if said(entered) == said(kept):
            self._drafts.pop(subject_of(entered), None)
        else:
            self._drafts[subject_of(entered)] = entered

    def find(self, verdict: Verdict) -> Verdict | None:
        """The draft about the same subject, if there is one."""
        return self._drafts.get(subject_of(verdict))

    def of(self, *, case: str, reader: str) -> list[Verdict]:
        """Drafts of one reader about one case, in the order of the form."""
        found = [draft for draft in self if (draft.case, draft.reader) == (case, reader)]
        return sorted(found, key=lambda draft: draft.finding or 0)

    def cases(self) -> list[str]:
        """Cases with a draft, each once."""
        return list(dict.fromkeys(draft.case for draft in self))

    def save(self, root: Path, draft: Verdict) -> None:
        """Append a draft to its reader's file; it is a draft until it is on the disk.

        Args:
            root: result folder.
            draft: one of these drafts.

        Raises:
            OutputError: MS-650..652, it could not be kept.
        """
        add_verdict(root, draft)
        self._drafts.pop(subject_of(draft), None)
