"""A Chromium and a viewer's server, for measurements and tests; nothing else needs playwright."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.errors import OutputError

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Playwright

#: Draw in software, ask no other machine, keep out of the way.
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
INSTALL = "python -m pip install 'medsym[browser]' && python -m playwright install chromium"


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """How a viewer's server is started, and how a browser is let in.

    Args:
        command: that starts it.
        environment: of that command.
        entrance: path and query that let a browser in.
    """

    command: list[str]
    environment: Mapping[str, str]
    entrance: str


def find_chromium() -> str | None:
    """Path of a Chromium that is installed on this machine; None without one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def driver() -> Iterator["Playwright"]:
    """Playwright, for as long as it is needed.

    Raises:
        OutputError: MS-700, it is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise OutputError(
            code="MS-700",
            subject="playwright",
            cause="it drives the browser and is not installed",
            fix=INSTALL,
        ) from error
    with sync_playwright() as started:
        yield started


@contextmanager
def fresh_browser(
    playwright: "Playwright", *, width: int = 1280, height: int = 800
) -> Iterator["BrowserContext"]:
    """A browser with an empty profile, so that nothing is in its cache.

    Raises:
        OutputError: MS-701, no Chromium could be started.
    """
    from playwright.sync_api import Error

    with tempfile.TemporaryDirectory(prefix="medsym-browser-", ignore_cleanup_errors=True) as name:
        options: dict[str, Any] = {"viewport": {"width": width, "height": height}}
        try:
            context = playwright.chromium.launch_persistent_context(
                name, executable_path=find_chromium(), args=[*FLAGS], **options
            )
        except Error as error:
            raise OutputError(
                code="MS-701",
                subject="Chromium",
                cause=f"it could not be started: {str(error).strip().splitlines()[0]}",
                fix=f"install it: {INSTALL}, or the package chromium of your system",
            ) from error
        try:
            yield context
        finally:
            context.close()


@contextmanager
def server(start: Start, *, port: int) -> Iterator[str]:
    """A viewer's server; gives its address.

    Raises:
        OutputError: MS-702, it did not answer in time.
    """
    with tempfile.TemporaryDirectory(prefix="medsym-server-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                start.command, stdout=stream, stderr=stream, env=start.environment
            )
        try:
            _wait_for(process, port=port, log=log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", *, port: int, log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise OutputError(
        code="MS-702",
        subject="viewer",
        cause=f"its server did not answer in {START_SECONDS:.0f} s ({' '.join(last)})",
        fix="run 'medsym view' on the same folder and see what it says",
    )
