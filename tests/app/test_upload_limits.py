"""Uploads: nobody takes all places, all memory or all time, and a refusal is no end."""

import os
from pathlib import Path

import pytest

from app.uploads import queue as queues
from app.uploads import service
from app.uploads.queue import DONE, FAILED, RUNNING, WAITING
from app.uploads.room import size_of
from app.uploads.service import Uploads
from medsym.errors import MedsymError
from tests.app.test_uploads import clock, scratch, slow, start_slow, states, uploads, wait_for

__all__ = ["clock", "scratch", "slow", "uploads"]  # fixtures


@pytest.mark.usefixtures("slow")
def test_too_much_is_refused(
    uploads: Uploads, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MAX_WAITING", 2)
    monkeypatch.setattr(service, "MAX_UPLOAD_MIB", 1)
    with pytest.raises(MedsymError, match="MS-694"):
        uploads.add("a", "scan.nii", b"x" * (1024**2 + 1))
    with pytest.raises(MedsymError, match="empty"):
        uploads.add("a", "scan.nii", b"")
    start_slow(uploads, "a", scratch)
    uploads.add("b", "scan.nii", b"x" * 1024**2)
    with pytest.raises(MedsymError, match="MS-692"):
        uploads.add("b", "scan.nii", b"x")
    assert len(list(scratch.rglob("slow"))) == 2, "what was refused is not kept"
    for name, code in (("MAX_SESSION_MIB", "MS-694"), ("MAX_ALL_MIB", "MS-723")):
        with monkeypatch.context() as changed:
            changed.setattr(service, name, 1)
            with pytest.raises(MedsymError, match=code):
                uploads.add("b", "scan.nii", b"x")


@pytest.mark.usefixtures("slow")
def test_a_full_queue_ends_uploading_for_nobody(
    uploads: Uploads, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MAX_WAITING", 1)
    start_slow(uploads, "a", scratch)
    with pytest.raises(MedsymError, match="MS-692"):
        uploads.add("b", "scan.nii", b"x")
    uploads.discard("a")
    uploads.add("b", "scan.nii", b"x")
    wait_for(lambda: states(uploads, "b") == [RUNNING])


@pytest.mark.usefixtures("slow")
def test_sessions_take_turns_and_none_takes_all_places(uploads: Uploads, scratch: Path) -> None:
    busy = start_slow(uploads, "a", scratch)
    uploads.add("a", "scan.nii", b"x")
    with pytest.raises(MedsymError, match="MS-722"):
        uploads.add("a", "scan.nii", b"x")
    uploads.add("b", "scan.nii", b"x")
    assert [job.before for job in (*uploads.of("a"), *uploads.of("b"))] == [2, 0, 1]
    busy.with_name("go").touch()
    wait_for(lambda: states(uploads, "b") == [RUNNING])
    assert states(uploads, "a") == [WAITING, DONE]


@pytest.mark.usefixtures("slow")
def test_an_analysis_that_never_ends_is_ended(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MAX_SECONDS", 0.2)
    uploads.add("a", "scan.nii", b"x")
    wait_for(lambda: states(uploads, "a") == [FAILED])
    (job,) = uploads.of("a")
    assert job.error is not None
    assert "minutes" in job.error.cause


def test_what_is_removed_while_sizes_are_summed_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "scan.nii").write_bytes(b"x" * 7)
    (tmp_path / "scan.nii").write_bytes(b"x" * 5)
    assert size_of(tmp_path) == 12
    list_folder = os.scandir

    def list_or_lose(place: str) -> object:
        if Path(place).name == "gone":
            raise FileNotFoundError(place)
        return list_folder(place)

    monkeypatch.setattr(os, "scandir", list_or_lose)
    assert size_of(tmp_path) == 5
