"""The server's sign that it holds its port: before it, another account could be listening there.

The sign is a file in a folder that is closed to other accounts; its name travels in the environment
of the server. Streamlit listens before the life of the app begins, which is when the sign is given.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_VARIABLE = "MEDSYM_VIEW_READY"  # of the server's environment
LOOK_EVERY_S = 0.05


@contextmanager
def sign_of_server() -> Iterator[Path]:
    """Where a server that is started meanwhile gives its sign."""
    with tempfile.TemporaryDirectory(prefix="medsym-ready-") as folder:  # mode 0700
        yield Path(folder) / "ready"


def comes_up(server: "subprocess.Popen[bytes]", sign: Path) -> bool:
    """Wait until the server listens; False if it ends before."""
    while not sign.exists():
        if server.poll() is not None:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def give_sign() -> None:
    """Say that this server listens, if whoever started it waits for that."""
    sign = os.environ.pop(READY_VARIABLE, None)
    if sign is not None:
        Path(sign).touch()
