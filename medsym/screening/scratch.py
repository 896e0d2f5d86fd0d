"""Folders for patients' images on their way, which no process leaves behind for long.

Each belongs to one user (mode 0700), is locked while its process lives and removed at its end. What
a killed process left is removed by the next run, or the next one that needs such a folder.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, _HELD = "medsym-scratch-", "held"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, apart from its lock; removed at the end, or later if this is killed."""
    import fcntl

    remove_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / "new").open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _HELD)
            yield folder
    finally:
        with suppress(OSError):
            _remove(folder)


def remove_left_behind() -> None:
    """Remove the folders of this user's processes that were killed; others' are not looked into."""
    import fcntl

    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # of a live process, or gone
            if not _is_mine(folder.lstat(), stat.S_ISDIR):
                continue
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            held = os.open(folder / _HELD, flags)
            try:
                if _is_mine(os.fstat(held), stat.S_ISREG):
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(folder)
            finally:
                os.close(held)


def _is_mine(found: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    return is_kind(found.st_mode) and found.st_uid == os.geteuid()


def _remove(folder: Path) -> None:
    """The lock goes last: what is cut short, or meets what cannot be removed, is done again."""
    for path in [path for path in folder.iterdir() if path.name != _HELD]:
        with suppress(OSError, RecursionError):  # nested deeper than Python can remove
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    if all(path.name == _HELD for path in folder.iterdir()):
        (folder / _HELD).unlink(missing_ok=True)
        folder.rmdir()
