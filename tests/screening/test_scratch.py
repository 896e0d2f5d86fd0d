"""Folders for passing files: whatever lies in one or beside it, the next run begins."""

import os
import subprocess
from pathlib import Path

import pytest

from medsym.screening.loop import reports
from medsym.screening.scratch import PREFIX, remove_left_behind, scratch_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where these folders are made in these tests."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left(place: Path) -> Path:
    """What a killed process left."""
    folder = place / f"{PREFIX}left"
    folder.mkdir()
    (folder / "held").touch()
    (folder / "scan.nii").write_bytes(b"patient")
    return folder


def test_folders_too_deep_to_be_removed_keep_their_lock_and_stop_nobody(place: Path) -> None:
    folder = left(place)
    below = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=below)
        deeper = os.open("d", os.O_RDONLY, dir_fd=below)
        os.close(below)
        below = deeper
    os.close(below)
    with scratch_folder() as mine:
        assert mine.is_dir()
    assert sorted(path.name for path in folder.iterdir()) == ["d", "held"], "the scan is gone"
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # Python cannot


def test_what_could_not_be_removed_is_tried_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left(place)
    with monkeypatch.context() as blocked:
        blocked.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError))
        remove_left_behind()
    assert (folder / "held").exists()
    remove_left_behind()
    assert not folder.exists()


def test_a_pipe_or_a_link_in_place_of_a_lock_or_a_folder_is_left_alone(place: Path) -> None:
    folder = left(place)
    (folder / "held").unlink()
    os.mkfifo(folder / "held")
    other = place / "other"
    other.mkdir()
    (other / "held").touch()
    (other / "mine.nii").write_bytes(b"x")
    (place / f"{PREFIX}link").symlink_to(other)
    linked = place / f"{PREFIX}linked"
    linked.mkdir()
    (linked / "held").symlink_to(other / "held")
    remove_left_behind()
    assert (folder / "scan.nii").exists()
    assert (other / "mine.nii").exists()
    assert linked.exists()


def test_folders_of_other_users_are_not_looked_into(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left(place)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    remove_left_behind()
    assert (folder / "scan.nii").exists()


def test_every_run_begins_by_removing_what_a_killed_one_left(place: Path) -> None:
    folder = left(place)
    with scratch_folder() as live:
        (live / "scan.nii").write_bytes(b"patient")
        folder.mkdir(exist_ok=True)
        (folder / "held").touch()
        assert list(reports([], run=None, fleet=None)) == []  # type: ignore[arg-type]
        assert not folder.exists(), "although nothing is unpacked"
        assert (live / "scan.nii").exists(), "of a process that runs"
