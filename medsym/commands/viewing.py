"""view: start the viewer's server on this machine."""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

import medsym
from medsym.commands.console import EXIT_OK, EXIT_USAGE, say
from medsym.errors import OutputError

#: Only this machine may connect: scans are patient data and the viewer has no login.
ADDRESS = "127.0.0.1"


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
    say(f"viewer: http://{ADDRESS}:{port}  (stop with Ctrl+C)")
    try:
        finished = subprocess.run(command, check=False)
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK if finished.returncode == 0 else EXIT_USAGE


def view(arguments: argparse.Namespace) -> int:
    """Open a result folder in the viewer."""
    return show(arguments.folder, port=arguments.port)
