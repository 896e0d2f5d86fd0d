"""What a reader entered and has not saved: kept for the session, case by case, never written.

A draft is a `Verdict` that `add_verdict` has not been given yet, with the result folder it is
about. It stays until it is saved or taken back, whatever page, case or folder is shown meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.results import is_of_present
from medsym.screening.reviews import NONE, Verdict, add_verdict

Subject = tuple[Path, str, str, str, int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What was entered, and where it belongs.

    Attributes:
        root: result folder of the case; the draft is saved there and nowhere else.
        entered: what stands in the form.
    """

    root: Path
    entered: Verdict

    @property
    def subject(self) -> Subject:
        """Whose word about what, on which results of which folder."""
        said = self.entered
        return self.root, said.reader, said.case, said.record_sha256, said.finding

    @property
    def is_stale(self) -> bool:
        """Whether the record that was read is not the one of the folder any more."""
        return not is_of_present(self.root, self.entered)


def said(verdict: Verdict | None) -> tuple[str, str]:
    """What was said, as far as a reader decides it; nothing where there is no verdict."""
    return (NONE, "") if verdict is None else (verdict.verdict, verdict.comment)


class Drafts:
    """The drafts of one session, in the order in which they were begun."""

    def __init__(self) -> None:
        self._drafts: dict[Subject, Draft] = {}
        self._errors: dict[Subject, str] = {}

    def __len__(self) -> int:
        return len(self._drafts)

    def __iter__(self) -> Iterator[Draft]:
        return iter(tuple(self._drafts.values()))

    def note(self, draft: Draft, *, kept: Verdict | None) -> None:
        """Remember what was entered; what says the same as the kept word is no draft.

        Args:
            draft: what stands in the form.
            kept: the reader's last saved word about it; None if there is none.
        """
        self._errors.pop(draft.subject, None)
        if said(draft.entered) == said(kept):
            self._drafts.pop(draft.subject, None)
        else:
            self._drafts[draft.subject] = draft

    def find(self, blank: Draft) -> Verdict | None:
        """What was entered about the same subject, if anything."""
        found = self._drafts.get(blank.subject)
        return None if found is None else found.entered

    def of(self, root: Path, *, case: str, reader: str) -> list[Draft]:
        """Drafts of one reader about one case, stale ones too, in the order of the form."""
        about = (root, case, reader)
        found = [one for one in self if (one.root, one.entered.case, one.entered.reader) == about]
        return sorted(found, key=lambda draft: draft.entered.finding or 0)

    def cases(self, root: Path) -> list[str]:
        """Cases of a result folder with a draft, each once."""
        return list(dict.fromkeys(one.entered.case for one in self if one.root == root))

    def save(self, draft: Draft) -> bool:
        """Append a draft to its reader's file; it is a draft until it is on the disk.

        Args:
            draft: one of these drafts.

        Returns:
            Whether it was saved; a stale draft is not, since nobody read what is there now.

        Raises:
            OutputError: MS-650..652, it could not be kept.
        """
        if draft.is_stale:
            return False
        add_verdict(draft.root, draft.entered)
        self.drop(draft)
        return True

    def drop(self, draft: Draft) -> None:
        """Forget a draft."""
        self._drafts.pop(draft.subject, None)
        self._errors.pop(draft.subject, None)

    def refuse(self, draft: Draft, error: str) -> None:
        """Remember why a draft could not be saved, until it changes."""
        self._errors[draft.subject] = error

    def error(self, draft: Draft) -> str:
        """Why a draft could not be saved; "" if nothing is known against it."""
        return self._errors.get(draft.subject, "")
