"""Uploads: one after another, each session its own, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.uploads import service
from app.uploads.queue import CANCELLED, DONE, FAILED, RUNNING, WAITING, UploadQueue
from app.uploads.room import UploadRoom
from app.uploads.service import Uploads
from medsym.errors import MedsymError
from tests.app.upload_stubs import stub

ALIVE: set[str] = set()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders for passing files are made in these tests."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(scratch: Path, clock: Clock) -> Iterator[Uploads]:
    ALIVE.update({"a", "b"})
    room = UploadRoom(is_active=ALIVE.__contains__, clock=clock, grace_s=10.0)
    made = Uploads(is_active=ALIVE.__contains__, room=room, queue=UploadQueue(work=stub))
    yield made
    made.close()
    assert not list(scratch.iterdir()), "the end of the server removes everything"


def wait_for(found: Callable[[], object]) -> None:
    for _ in range(2000):
        if found():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to that")


def states(uploads: Uploads, session: str) -> list[str]:
    return [job.state for job in uploads.of(session)]


def start_slow(uploads: Uploads, session: str, scratch: Path) -> Path:
    """An upload that is analysed until told otherwise; returns the file with its process number."""
    uploads.add(session, "scan.nii", b"x")
    wait_for(lambda: list(scratch.glob("*/*/results/busy")))
    return next(scratch.glob("*/*/results/busy"))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "stored_name", lambda _: "slow")


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


@pytest.mark.parametrize("name", ["a.exe", "a.dcm", "a.html", "nii", "", "a.nii.zip.sh", "a.gz"])
def test_other_kinds_of_files_are_refused(uploads: Uploads, name: str) -> None:
    with pytest.raises(MedsymError, match="MS-690"):
        uploads.add("a", name, b"x")


def test_sessions_see_their_own_uploads_only(uploads: Uploads, scratch: Path) -> None:
    uploads.add("a", "<b>scan</b>.nii", b"voxels")
    wait_for(lambda: states(uploads, "a") == [DONE])
    (job,) = uploads.of("a")
    assert (job.name, job.ended[0].case) == ("b>.nii", "sub-1"), "a name is its last part"
    assert (job.scan, job.scans, job.stage) == (1, 2, "anatomy")
    results = uploads.results("a")
    assert results is not None
    assert uploads.of("b") == []
    assert uploads.results("b") is None
    uploads.cancel("b", job.number)
    uploads.discard("b")
    assert results.is_dir()
    for folder in (results.parent, results.parents[1]):
        assert folder.stat().st_mode & 0o777 == 0o700
    uploads.discard("a")
    assert uploads.results("a") is None
    assert uploads.of("a") == []
    assert [path.name for path in scratch.glob("*/*")] == ["held"]


@pytest.mark.usefixtures("slow")
def test_uploads_are_analysed_in_their_order_and_know_their_place(
    uploads: Uploads, scratch: Path
) -> None:
    busy = start_slow(uploads, "a", scratch)
    uploads.add("b", "scan.nii", b"x")
    uploads.add("b", "scan.nii", b"x")
    assert states(uploads, "a") == [RUNNING]
    assert states(uploads, "b") == [WAITING, WAITING]
    assert [job.before for job in uploads.of("b")] == [2, 1]
    busy.with_name("go").touch()
    wait_for(lambda: states(uploads, "b") == [WAITING, RUNNING])
    assert states(uploads, "a") == [DONE]


@pytest.mark.usefixtures("slow")
def test_cancelling_ends_the_process_and_lets_the_next_begin(
    uploads: Uploads, scratch: Path
) -> None:
    busy = start_slow(uploads, "a", scratch)
    process, program = int(busy.read_text()), int(busy.with_name("program").read_text())
    assert len(list(scratch.rglob("PATIENT.dcm"))) == 1
    (running,) = uploads.of("a")
    uploads.cancel("b", running.number)
    assert states(uploads, "a") == [RUNNING], "nobody cancels another session's upload"
    uploads.cancel("a", running.number)
    assert not is_running(process)
    wait_for(lambda: not is_running(program))
    assert not list(scratch.rglob("PATIENT.dcm")), "what it had unpacked is gone"
    assert states(uploads, "a") == [CANCELLED]
    uploads.add("b", "scan.nii", b"x")
    wait_for(lambda: states(uploads, "b") == [RUNNING])


def test_a_refusal_and_a_dead_process_are_said_and_others_go_on(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("refused", "dies", "good"):
        monkeypatch.setattr(service, "stored_name", lambda _, kind=kind: kind)
        uploads.add("a", f"{kind}.nii", b"x")
        wait_for(lambda: states(uploads, "a")[0] in {DONE, FAILED})
    wait_for(lambda: states(uploads, "a") == [DONE, FAILED, FAILED])
    _, dead, refused = uploads.of("a")
    assert dead.error is not None
    assert refused.error is not None
    assert (refused.error.code, refused.error.cause) == ("MS-101", "is cut off")
    assert (dead.error.code, "SIGKILL" in dead.error.cause) == ("MS-693", True)


@pytest.mark.usefixtures("slow")
def test_a_session_that_has_ended_leaves_nothing_and_one_that_comes_back_loses_nothing(
    uploads: Uploads, scratch: Path, clock: Clock
) -> None:
    process = int(start_slow(uploads, "a", scratch).read_text())
    ALIVE.remove("a")
    uploads.sweep()
    clock.now = 9.0
    uploads.sweep()
    ALIVE.add("a")
    uploads.sweep()
    ALIVE.remove("a")
    clock.now = 18.0
    uploads.sweep()
    assert states(uploads, "a") == [RUNNING], "away since a moment only"
    clock.now = 28.5
    uploads.sweep()
    assert uploads.of("a") == []
    assert not is_running(process)
    assert [path.name for path in scratch.glob("*/*")] == ["held"]


def test_what_a_killed_server_left_is_removed_when_the_next_one_starts(scratch: Path) -> None:
    serve = (
        "import time; from app.uploads.service import Uploads\n"
        "from app.uploads.queue import UploadQueue; from tests.app.upload_stubs import stub\n"
        "uploads = Uploads(is_active=lambda _: True, queue=UploadQueue(work=stub))\n"
        "uploads.start(); uploads.add('a', 'scan.nii', b'secret')\n"
        "while not uploads.results('a'): time.sleep(0.01)\n"
        "print(flush=True); time.sleep(60)"
    )
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.PIPE, env=env) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.send_signal(signal.SIGKILL)
    assert [path.read_bytes() for path in scratch.rglob("scan.nii")] == [b"secret"]
    following = Uploads(is_active=lambda _: True)
    following.start()
    following.close()
    assert not list(scratch.iterdir())
