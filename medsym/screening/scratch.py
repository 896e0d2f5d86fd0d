"""Folders for patients' images on their way, which no process leaves behind for long.

Each belongs to one user (mode 0700), is locked while its process lives and removed at its end. What
a killed process left is removed by the next one that needs such a folder.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX, _HELD = "medsym-scratch-", "held"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, apart from its lock; removed at the end, or later if this is killed."""
    import fcntl

    remove_left_behind()
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name,
        Path(name, "new").open("wb") as stream,
    ):
        fcntl.flock(stream, fcntl.LOCK_EX)
        Path(name, "new").rename(Path(name, _HELD))
        yield Path(name)


def remove_left_behind() -> None:
    """Remove the folders of processes that were killed."""
    import fcntl

    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (folder / _HELD).open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # of a live process, or of another user
