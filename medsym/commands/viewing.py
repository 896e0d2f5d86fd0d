"""view: start the viewer's server on this machine."""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import medsym
from medsym.commands.console import EXIT_OK, EXIT_USAGE, say
from medsym.errors import OutputError

#: Only this machine may connect: scans are patient data and the viewer has no login.
ADDRESS = "127.0.0.1"
#: The server needs about this long before it answers.
OPEN_AFTER_SECONDS = 3.0


def entry_file() -> Path:
    """The viewer's entry, beside the package in a checkout and in an installed wheel.

    Raises:
        OutputError: MS-155 if the viewer is not installed.
    """
    beside = Path(medsym.__file__).resolve().parents[1] / "app" / "asgi.py"
    if beside.is_file() and importlib.util.find_spec("streamlit") is not None:
        return beside
    raise OutputError(
        code="MS-155",
        subject="viewer",
        cause="the viewer or Streamlit is not installed",
        fix="install medsym with pip from its repository",
    )


def server_command(folder: Path, *, port: int) -> list[str]:
    """Command that starts the viewer on a folder: a list, never a shell line."""
    settings = {
        "server.address": ADDRESS,
        "server.port": str(port),
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "server.fileWatcherType": "none",
    }
    flags = [f"--{key}={value}" for key, value in settings.items()]
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(entry_file()),
        *flags,
        "--",
        str(folder.resolve()),
    ]


def show(folder: Path, *, port: int) -> int:
    """Serve the viewer until it is stopped; returns the exit code.

    Raises:
        OutputError: MS-154 if the folder holds no results, MS-155 without the viewer.
    """
    if not (folder / "screening.tsv").is_file():
        raise OutputError(
            code="MS-154",
            subject=str(folder),
            cause="holds no screening results",
            fix="run 'medsym screen SCAN... --out DIR' first",
        )
    command = server_command(folder, port=port)
    url = f"http://{ADDRESS}:{port}"
    say(f"viewer: {url}  (stop with Ctrl+C)")
    with subprocess.Popen(command) as server, _stopping(server):
        opener = threading.Timer(OPEN_AFTER_SECONDS, webbrowser.open, [url])
        if _has_screen():
            opener.start()
        try:
            code = server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return EXIT_OK
        finally:
            opener.cancel()
    return EXIT_OK if code in (0, -signal.SIGTERM) else EXIT_USAGE


@contextmanager
def _stopping(server: "subprocess.Popen[bytes]") -> Iterator[None]:
    """While open, a request to end this process (SIGTERM) ends the server, not only us."""
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _has_screen() -> bool:
    """True where opening a browser shows a window rather than taking over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(
        {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    )


def view(arguments: argparse.Namespace) -> int:
    """Open a result folder in the viewer."""
    return show(arguments.folder, port=arguments.port)
