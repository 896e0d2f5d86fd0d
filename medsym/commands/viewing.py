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
from medsym.errors import ConfigError, OutputError

#: Only this machine may connect: scans are patient data and the viewer has no login.
ADDRESS = "127.0.0.1"
#: The server needs about this long before it answers.
OPEN_AFTER_SECONDS = 3.0
#: Largest uploaded file; Streamlit keeps it in memory until it is taken.
MAX_UPLOAD_MIB = 400


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


def server_command(folder: Path | None, *, port: int, upload: bool = False) -> list[str]:
    """Command that starts the viewer: a list, never a shell line.

    Args:
        folder: of results; without one, what readers upload is all there is.
        port: to listen on.
        upload: let readers upload scans.
    """
    settings = {
        "server.address": ADDRESS,
        "server.port": str(port),
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "server.fileWatcherType": "none",
    }
    if upload:
        settings["server.maxUploadSize"] = str(MAX_UPLOAD_MIB)
    flags = [f"--{key}={value}" for key, value in settings.items()]
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(entry_file()),
        *flags,
        "--",
        *([] if folder is None else [str(folder.resolve())]),
        *(["--upload"] if upload else []),
    ]


def show(folder: Path | None, *, port: int, upload: bool = False) -> int:
    """Serve the viewer until it is stopped; returns the exit code.

    Raises:
        ConfigError: MS-696 there is nothing to show and nothing may be uploaded.
        OutputError: MS-154 if the folder holds no results, MS-155 without the viewer.
    """
    if folder is None and not upload:
        raise ConfigError(
            code="MS-696",
            subject="view",
            cause="neither a result folder nor --upload was given",
            fix="name the folder of 'medsym screen', or let readers upload scans with --upload",
        )
    if folder is not None and not (folder / "screening.tsv").is_file():
        raise OutputError(
            code="MS-154",
            subject=str(folder),
            cause="holds no screening results",
            fix="run 'medsym screen SCAN... --out DIR' first",
        )
    command = server_command(folder, port=port, upload=upload)
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
    """Open a result folder in the viewer, or a viewer for uploads."""
    return show(arguments.folder, port=arguments.port, upload=arguments.upload)
