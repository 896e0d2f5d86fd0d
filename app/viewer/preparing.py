"""Volumes of cases are made on threads of their own, from the moment a case is asked for.

A preparation belongs to no session: it holds what is in the files. Who may fetch it is decided by
the tokens of `store.py`. A case ends when nobody looks at it while it is made. What readers look at
stays in memory, one case each, and at most KEPT with what was read before or comes next; at most
WORKERS are made at a time.
"""

import functools
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from app.results import Case
from app.viewer.case_volumes import MAX_GIB, CaseFiles, case_files, map_volumes, scan_volume
from app.viewer.encoding import EncodedVolume
from app.viewer.looking import Looking
from app.viewer.preparation import NotWantedError, Preparation
from medsym.errors import MedsymError, ScanError
from medsym.volumes.nifti import USUAL_GIB

KEPT = 5  # the case that is read, its neighbours, and what was read before
WORKERS = 2  # cases at a time; each map at hand takes memory: 70 MB of a scan of 256^3 voxels
NICE = 5  # how far cases that nobody asked for yet stand back behind the browser

Find = Callable[[], Case]
Made = TypeVar("Made")


class Preparations:
    """Cases that were asked for lately, made or in the making.

    Attributes:
        looking: who looks at which.
    """

    def __init__(self) -> None:
        self.looking = Looking()
        self._known: OrderedDict[str, Preparation] = OrderedDict()
        self._lock = threading.Lock()
        self._scans = ThreadPoolExecutor(WORKERS, "scan")
        self._maps = ThreadPoolExecutor(WORKERS, "maps")
        self._behind = ThreadPoolExecutor(1, "ahead", initializer=_stand_back)
        self._links = ThreadPoolExecutor(1, "link")
        self._link: Future[None] | None = None
        self._wanted: tuple[str, ...] = ()  # ahead of time; by another tuple those end

    def ask(self, files: CaseFiles, *, reader: str | None) -> Preparation:
        """The volumes of a case, from memory or in the making; what is made ahead of time ends.

        Args:
            files: of the case.
            reader: the session that looks at this case from now on, and at no other; None for those
                who wait by `looking.wait`.
        """
        with self._lock:
            if reader is not None:
                self.looking.look(reader, files.name)
            found = self._find(files.name)
            if found is not None and not found.has_failed():
                return found
            self._wanted = ()
            made = self._keep(files)
        _hand_over(self._scans, self._make, made, fills=(made.scan, made.maps))
        return made

    def volumes(self, files: CaseFiles) -> dict[str, EncodedVolume]:
        """Scan, maps and anatomy of a case, waited for.

        Raises:
            MedsymError: as `scan_volume` and `map_volumes`.
        """
        with self.looking.wait(files.name):
            made = self.ask(files, reader=None)
            return {"scan": made.scan.result(), **made.maps.result()}

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

    def forget(self, reader: str) -> None:
        """Drop what a reader looks at, and cases whose files are gone; the others' stays."""
        self.looking.leave(reader)
        with self._lock:
            known = list(self._known.items())
        gone = [(name, made) for name, made in known if made.is_gone()]
        with self._lock:
            for name, made in gone:
                self._drop(name, made)

    def _follow(self, find: Find) -> None:
        with suppress(MedsymError, OSError):
            files = case_files(find())
            if files is not None:
                self.volumes(files)

    def _make(self, made: Preparation) -> None:
        def go_on() -> None:
            self._end_unwanted(made, lambda: False)

        def scan() -> EncodedVolume:
            go_on()
            return scan_volume(made.files)

        _fill(made.scan, scan)
        maps = functools.partial(_maps, made, go_on=go_on, max_gib=MAX_GIB)
        _hand_over(self._maps, _fill, made.maps, maps, fills=(made.maps,))

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
            made = self._keep(files)

        def go_on() -> None:
            self._end_unwanted(made, lambda: self._wanted is wanted)

        def within(make: Callable[[float], Made]) -> Made:
            """Nobody asked for what is larger than usual; whoever does so meanwhile gets it."""
            try:
                return make(USUAL_GIB)
            except ScanError:
                self._end_unwanted(made, lambda: False)
                return make(MAX_GIB)

        _fill(made.scan, lambda: within(lambda gib: scan_volume(files, max_gib=gib)))
        _fill(made.maps, lambda: within(lambda gib: _maps(made, go_on=go_on, max_gib=gib)))
        return True

    def _end_unwanted(self, made: Preparation, is_next: Callable[[], bool]) -> None:
        """End what nobody looks at, unless it comes next; whoever asks for it then begins anew."""
        name = made.files.name
        with self._lock:
            is_known = self._known.get(name) is made
            if is_known and (is_next() or name in self.looking.names()):
                return
            self._drop(name, made)
        raise NotWantedError(made.files.scan.name)

    def _find(self, name: str) -> Preparation | None:
        found = self._known.get(name)
        if found is not None:
            self._known.move_to_end(name)
        return found

    def _keep(self, files: CaseFiles) -> Preparation:
        """Begin with a case; of those that nobody looks at, the oldest go."""
        self._known.pop(files.name, None)
        made = self._known[files.name] = Preparation(files)
        looked_at = self.looking.names()
        others = [name for name in self._known if name not in looked_at]
        for name in others[: max(0, len(others) - KEPT + 1)]:
            del self._known[name]
        return made

    def _drop(self, name: str, made: Preparation) -> None:
        if self._known.get(name) is made:
            del self._known[name]


def _fill(future: "Future[Made]", make: Callable[[], Made]) -> None:
    """Keep what is made, or the error, for those who wait."""
    try:
        future.set_result(make())
    except Exception as error:
        future.set_exception(error)


def _hand_over(
    pool: ThreadPoolExecutor,
    run: Callable[..., None],
    *arguments: object,
    fills: "tuple[Future[Any], ...]",
) -> None:
    """Leave work to a pool; one that takes none, as the process ends, fills with that error."""
    try:
        pool.submit(run, *arguments)
    except RuntimeError as error:
        for future in fills:
            future.set_exception(error)


def _maps(
    made: Preparation, *, go_on: Callable[[], None], max_gib: float
) -> dict[str, EncodedVolume]:
    go_on()
    grid = made.scan.result().grid  # the scan goes first
    return map_volumes(made.files, scan_grid=grid, go_on=go_on, max_gib=max_gib)


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
    return {} if files is None else PREPARED.volumes(files)
