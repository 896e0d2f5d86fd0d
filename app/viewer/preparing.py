"""Volumes of cases are made on threads of their own, from the moment a case is asked for.

A preparation belongs to no session: it holds what is in the files. Who may fetch it is decided by
the tokens of `store.py`. At most KEPT cases stay in memory, at most WORKERS are made at a time.
"""

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from app.results import Case
from app.viewer.case_volumes import CaseFiles, case_files, map_volumes, scan_volume
from app.viewer.encoding import EncodedVolume
from medsym.errors import MedsymError

KEPT = 5  # the case that is read, its neighbours, and what was read before
WORKERS = 2  # cases at a time; each map at hand takes memory: 70 MB of a scan of 256^3 voxels
NICE = 5  # how far cases that nobody asked for yet stand back behind the browser

Find = Callable[[], Case]
Made = TypeVar("Made")


class NotWantedError(Exception):
    """A preparation ahead of time ended, because another case was asked for."""


def _begun() -> "Future[Made]":
    """A future that whoever waits for it cannot cancel: others wait, too."""
    future: Future[Made] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """What is being made of a case.

    Attributes:
        scan: the scan, which comes first.
        maps: maps and anatomy by kind; empty where there is nothing to show.
        asked: somebody waits for it; set by `Preparations` alone.
    """

    scan: "Future[EncodedVolume]" = field(default_factory=_begun)
    maps: "Future[dict[str, EncodedVolume]]" = field(default_factory=_begun)
    asked: threading.Event = field(default_factory=threading.Event)


class Preparations:
    """Cases that were asked for lately, made or in the making."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Preparation] = OrderedDict()
        self._lock = threading.Lock()
        self._scans = ThreadPoolExecutor(WORKERS, "scan")
        self._maps = ThreadPoolExecutor(WORKERS, "maps")
        self._behind = ThreadPoolExecutor(1, "ahead", initializer=_stand_back)
        self._links = ThreadPoolExecutor(1, "link")
        self._link: Future[None] | None = None
        self._wanted: tuple[str, ...] = ()  # ahead of time; by another tuple those end

    def ask(self, files: CaseFiles) -> Preparation:
        """The volumes of a case, from memory or in the making; what is made ahead of time ends."""
        with self._lock:
            found = self._find(files.name)
            if found is not None:
                found.asked.set()
                return found
            self._wanted = ()
            made = self._keep(files.name)
            made.asked.set()
        self._scans.submit(self._fill, files, made, made.scan, lambda: scan_volume(files))
        self._maps.submit(self._fill, files, made, made.maps, lambda: _maps(files, made))
        return made

    def find(self, name: str) -> Preparation | None:
        """A preparation by the name of its files, if it is still kept."""
        with self._lock:
            return self._find(name)

    def follow_link(self, find: Find) -> None:
        """Begin with the case of a link, before its page runs; one link at a time.

        Args:
            find: reads the case; what fails here fails again, and is said, when the page runs.
        """
        with self._lock:
            if self._link is None or self._link.done():
                self._link = self._links.submit(self._follow, find)

    def ahead(self, cases: Mapping[str, Find], *, after: Preparation) -> None:
        """Prepare cases that may be asked for next, one by one, once the shown one is there.

        Args:
            cases: name -> reads the case; the same names again change nothing.
            after: the case that is shown.
        """
        wanted = tuple(cases)
        with self._lock:
            if wanted != self._wanted:
                self._wanted = wanted
                self._behind.submit(self._make_ahead, list(cases.values()), wanted, after)

    def forget(self) -> None:
        """Drop what is in memory; cases whose files are gone must not stay there."""
        with self._lock:
            self._known.clear()
            self._wanted = ()

    def _follow(self, find: Find) -> None:
        with suppress(MedsymError, OSError):
            files = case_files(find())
            if files is not None:
                self.ask(files).maps.exception()

    def _make_ahead(self, cases: list[Find], wanted: tuple[str, ...], after: Preparation) -> None:
        after.maps.exception()
        for find in cases:
            with suppress(MedsymError, OSError):
                files = case_files(find())
                if files is not None and not self._make_one_ahead(files, wanted):
                    return

    def _make_one_ahead(self, files: CaseFiles, wanted: tuple[str, ...]) -> bool:
        """Make a case that nobody asked for; False when these are not wanted any more."""
        with self._lock:
            if self._wanted is not wanted:
                return False
            if files.name in self._known:
                return True
            made = self._keep(files.name)
        self._fill(files, made, made.scan, lambda: scan_volume(files))
        self._fill(files, made, made.maps, lambda: self._maps_ahead(files, made, wanted))
        return True

    def _maps_ahead(
        self, files: CaseFiles, made: Preparation, wanted: tuple[str, ...]
    ) -> dict[str, EncodedVolume]:
        def go_on() -> None:
            with self._lock:
                if self._wanted is not wanted and not made.asked.is_set():
                    self._known.pop(files.name, None)  # whoever asks now begins anew
                    raise NotWantedError

        return _maps(files, made, go_on=go_on)

    def _find(self, name: str) -> Preparation | None:
        found = self._known.get(name)
        if found is not None:
            self._known.move_to_end(name)
        return found

    def _keep(self, name: str) -> Preparation:
        made = self._known[name] = Preparation()
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return made

    def _fill(
        self, files: CaseFiles, made: Preparation, future: "Future[Made]", make: Callable[[], Made]
    ) -> None:
        """Keep what is made, or the error, for those who wait; an error is not remembered."""
        try:
            future.set_result(make())
        except Exception as error:
            with self._lock:
                if self._known.get(files.name) is made:
                    del self._known[files.name]
            future.set_exception(error)


def _maps(
    files: CaseFiles, made: Preparation, *, go_on: Callable[[], None] = lambda: None
) -> dict[str, EncodedVolume]:
    return map_volumes(files, scan_grid=made.scan.result().grid, go_on=go_on)  # the scan goes first


def _stand_back() -> None:
    """Let the browser and the page go first, where threads have priorities of their own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


PREPARED = Preparations()


def case_volumes(case: Case) -> Mapping[str, EncodedVolume]:
    """Scan, maps and anatomy of a case, waited for; empty where its scan is not here any more.

    Raises:
        OutputError: a map is missing or is not the one that was written, or the scan has changed.
        ScanError: the scan or a map cannot be read.
    """
    files = case_files(case)
    if files is None:
        return {}
    made = PREPARED.ask(files)
    return {"scan": made.scan.result(), **made.maps.result()}
