"""The server ends with the command that started it, even with one that was killed."""

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


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
