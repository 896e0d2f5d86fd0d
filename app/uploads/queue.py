"""Uploads wait here and are analysed one after another, each in a process of its own."""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from app.uploads.work import UploadedScan, read_answer, screen_upload
from medsym.errors import MedsymError, OutputError
from medsym.screening.workers.pool import WorkerDiedError, WorkerPool

#: Uploads that wait or are analysed, of all sessions; each takes about half a minute.
MAX_WAITING = 8
#: Of these, uploads of one session: nobody fills all places.
MAX_OF_SESSION = 2
#: An analysis that takes longer is ended, so that others get their turn.
MAX_SECONDS = 3600.0
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
_ACTIVE = (WAITING, RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStatus:
    """Where an upload is.

    Attributes:
        number: of the upload, counted by this server.
        name: of the file, as it may be shown.
        state: "waiting", "running", "done", "failed" or "cancelled".
        before: uploads that come before it.
        scan: 1-based number of the scan that is analysed, of ``scans``; 0 before the first.
        stage: what is done with it.
        seconds: since the analysis began.
        ended: how its scans ended.
        error: why none was analysed.
    """

    number: int
    name: str
    state: str
    before: int
    scan: int
    scans: int
    stage: str
    seconds: float
    ended: tuple[UploadedScan, ...]
    error: MedsymError | None


@dataclass(kw_only=True, slots=True)
class _Job:
    number: int
    session: str
    name: str
    text: str
    passing: Path
    state: str = WAITING
    news: dict[str, Any] = field(default_factory=dict)
    begun: float = 0.0
    seconds: float = 0.0
    ended: tuple[UploadedScan, ...] = ()
    error: MedsymError | None = None
    pool: WorkerPool | None = None


class UploadQueue:
    """Analyses uploads in their order, those of several sessions turn about.

    Args:
        work: what is done with one, see ``screen_upload``.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        work: Callable[[str], str] = screen_upload,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._clock = work, clock
        self._jobs: list[_Job] = []
        self._count = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, *, session: str, name: str, file: Path, out: Path, passing: Path) -> int:
        """Queue a file of a session; returns the number of the upload.

        Args:
            session: whose it is.
            name: as it may be shown.
            file: scan or archive.
            out: result folder of the session.
            passing: folder for what is unpacked and converted; removed with the analysis.

        Raises:
            OutputError: MS-692 too many wait already, MS-722 too many of this session.
        """
        with self._changed:
            self._refuse_too_many(session, name)
            self._count += 1
            text = json.dumps({"file": str(file), "out": str(out)})
            job = _Job(number=self._count, session=session, name=name, text=text, passing=passing)
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="uploads", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return self._count

    def _refuse_too_many(self, session: str, name: str) -> None:
        waiting = [job for job in self._jobs if job.state in _ACTIVE]
        if len(waiting) >= MAX_WAITING or self._is_closed:
            raise OutputError(
                code="MS-692",
                subject=name,
                cause=f"{len(waiting)} other uploads are waiting",
                fix="try again in some minutes",
            )
        if sum(job.session == session for job in waiting) >= MAX_OF_SESSION:
            raise OutputError(
                code="MS-722",
                subject=name,
                cause=f"{MAX_OF_SESSION} uploads of yours are waiting already",
                fix="try again when one of them is done, or cancel one",
            )

    def of(self, session: str) -> list[JobStatus]:
        """Uploads of a session, the newest first."""
        with self._changed:
            return [self._status(job) for job in reversed(self._jobs) if job.session == session]

    def cancel(self, session: str, number: int | None = None) -> None:
        """End an upload of a session, or all; returns once nothing writes for it any more."""
        with self._changed:
            mine = [job for job in self._jobs if job.session == session]
            chosen = [job for job in mine if number in (None, job.number)]
            for job in chosen:
                self._end(job)
        for job in chosen:
            if job.pool is not None:
                job.pool.shutdown(cancel_futures=True)
            shutil.rmtree(job.passing, ignore_errors=True)

    def forget(self, session: str) -> None:
        """End the uploads of a session and know nothing of them any more."""
        self.cancel(session)
        with self._changed:
            self._jobs = [job for job in self._jobs if job.session != session]

    def close(self) -> None:
        """End all uploads; none can be added after this."""
        with self._changed:
            self._is_closed = True
            sessions = {job.session for job in self._jobs}
            self._changed.notify_all()
        for session in sessions:
            self.cancel(session)

    def _end(self, job: _Job) -> None:
        if job.state in _ACTIVE:
            job.state = CANCELLED

    def _status(self, job: _Job) -> JobStatus:
        order = self._order()
        running = job.state == RUNNING
        return JobStatus(
            number=job.number,
            name=job.name,
            state=job.state,
            before=order.index(job) if job in order else 0,
            scan=int(job.news.get("number", 0)),
            scans=int(job.news.get("total", 0)),
            stage=str(job.news.get("stage", "")),
            seconds=self._clock() - job.begun if running else job.seconds,
            ended=job.ended,
            error=job.error,
        )

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._next() is not None)
                job = self._next()
                if self._is_closed or job is None:
                    return
                job.state, job.begun = RUNNING, self._clock()
                place = {"TMPDIR": str(job.passing)}
                job.pool = WorkerPool(1, listener=partial(self._hear, job), variables=place)
            self._run(job, job.pool)

    def _next(self) -> _Job | None:
        return next((job for job in self._order() if job.state == WAITING), None)

    def _order(self) -> list[_Job]:
        """Active uploads as they are analysed: turn about, who had no turn for longest first."""
        active = [job for job in self._jobs if job.state in _ACTIVE]
        turns = {job.session: 0.0 for job in active}
        turns |= {s: max(job.begun for job in self._jobs if job.session == s) for s in turns}
        place = Counter[str]()
        keys: dict[int, tuple[bool, int, float, int]] = {}
        for job in active:
            turn = turns[job.session]
            keys[job.number] = (job.state == WAITING, place[job.session], turn, job.number)
            place[job.session] += 1
        return sorted(active, key=lambda job: keys[job.number])

    def _hear(self, job: _Job, news: dict[str, Any]) -> None:
        job.news = news

    def _run(self, job: _Job, pool: WorkerPool) -> None:
        error: MedsymError | None = None
        ended: tuple[UploadedScan, ...] = ()
        try:
            answer = pool.submit(self._work, job.text)
            if wait([answer], timeout=MAX_SECONDS).done:
                ended = read_answer(answer.result())
            else:
                error = _unexpected(job.name, f"it took over {MAX_SECONDS / 60:.0f} minutes")
        except MedsymError as refusal:
            error = refusal
        except WorkerDiedError as death:
            error = _unexpected(job.name, str(death))
        except Exception as unforeseen:  # a cancelled future among them
            error = _unexpected(job.name, f"unexpected {type(unforeseen).__name__}")
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(job.passing, ignore_errors=True)
        with self._changed:
            job.seconds = self._clock() - job.begun
            if job.state == RUNNING:
                job.state = FAILED if error else DONE
                job.error, job.ended = error, ended


def _unexpected(name: str, cause: str) -> OutputError:
    return OutputError(
        code="MS-693",
        subject=name,
        cause=f"the analysis stopped: {cause}",
        fix="try once more; if it stops again, screen the scan at a terminal: medsym screen",
    )
