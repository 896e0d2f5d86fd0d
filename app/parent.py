"""The server ends with the command that started it, even with one that was killed.

One that breaks off leaves nothing of its memory on the disk.
"""

import importlib.util
import os
import signal
import threading
import time

from medsym.commands.viewing import PARENT

LOOK_EVERY_S = 2.0


def end_with_parent() -> None:
    """Ask this process to end (SIGTERM: uploads are removed) once its parent is gone.

    Where `medsym view` did not start it, nothing happens.
    """
    parent = os.environ.get(PARENT, "")
    if parent.isdigit() and os.name == "posix":
        threading.Thread(target=_watch, args=(int(parent),), name="parent", daemon=True).start()


def leave_no_core() -> None:
    """Write no memory to the disk when this process or a child breaks off: it holds heads, keys."""
    if importlib.util.find_spec("resource") is not None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
