"""What is being made of one case, for all who wait for it."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from app.viewer.case_volumes import CaseFiles
from app.viewer.encoding import EncodedVolume
from medsym.errors import OutputError

Made = TypeVar("Made")


class NotWantedError(OutputError):
    """MS-810: nobody looks at the case any more, or its files were removed."""

    def __init__(self, scan: str) -> None:
        super().__init__(
            code="MS-810",
            subject=scan,
            cause="its pictures were not made, because nobody looked at it any more",
            fix="Open the case again",
        )


def _begun() -> "Future[Made]":
    """A future that whoever waits for it cannot cancel: others wait, too."""
    future: Future[Made] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """What is being made of a case.

    Attributes:
        files: what it is made of.
        scan: the scan, which comes first.
        maps: maps and anatomy by kind; empty where there is nothing to show.
    """

    files: CaseFiles
    scan: "Future[EncodedVolume]" = field(default_factory=_begun)
    maps: "Future[dict[str, EncodedVolume]]" = field(default_factory=_begun)

    def has_failed(self) -> bool:
        """Whether there is nothing but an error to show, which the next who asks need not get."""
        return any(one.done() and one.exception() is not None for one in (self.scan, self.maps))

    def is_gone(self) -> bool:
        """Whether a file that it was made of is not there any more."""
        paths = (self.files.scan, *(path for _, path, _ in self.files.maps))
        return not all(path.exists() for path in paths)
