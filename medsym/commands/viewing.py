"""view: start the viewer's server, for this machine alone unless it is told who may come in."""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import medsym
from medsym.commands.console import EXIT_OK, EXIT_USAGE
from medsym.commands.view_access import LOOPBACK, Access, check_access, read_login
from medsym.commands.view_arguments import access_of
from medsym.commands.view_key import (
    KEY_VARIABLE,
    leading_page,
    needs_key,
    new_key,
    told,
    with_key,
)
from medsym.commands.view_ready import READY_VARIABLE, comes_up, sign_of_server
from medsym.errors import ConfigError, OutputError
from medsym.export.extras import require

USER_KEY = "reader"  # under which the server keeps what the proxy's header says
#: A browser has long read the page that leads it to the viewer.
KEEP_PAGE_SECONDS = 60.0
#: Largest uploaded file; Streamlit keeps it in memory until it is taken.
MAX_UPLOAD_MIB = 400
#: The server believes no header about who calls; it would take X-Forwarded-For from anybody here.
TRUST_NOBODY = {"FORWARDED_ALLOW_IPS": ""}
PARENT = "MEDSYM_VIEW_PROCESS"  # variable with the number of the process that starts the server
#: Given with every start, because a settings file of another place must not be able to change them.
SAFE_SETTINGS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": "false",
    "logger.hideWelcomeMessage": "true",  # it names an address without the key
    "server.enableAgentApi": "false",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.enableXsrfProtection": "true",
    "server.fileWatcherType": "none",
    "server.headless": "true",
    "server.allowRunOnSave": "false",
    "server.runOnSave": "false",
}


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


def server_command(
    folder: Path | None, *, port: int, upload: bool = False, access: Access | None = None
) -> list[str]:
    """Command that starts the viewer: a list, never a shell line.

    Args:
        folder: of results; without one, what readers upload is all there is.
        port: to listen on.
        upload: let readers upload scans.
        access: who may come in; without it, this machine.
    """
    access = access or Access()
    header = {access.user_header: USER_KEY} if access.user_header else {}
    settings = SAFE_SETTINGS | {
        "server.address": access.address,
        "server.port": str(port),
        "server.baseUrlPath": access.base_path,
        "server.corsAllowedOrigins": f"http://{LOOPBACK}:{port}",  # guards.py refuses all others
        "server.maxUploadSize": str(MAX_UPLOAD_MIB if upload else 1),
        "server.trustedUserHeaders": json.dumps(header),
    }
    if access.login is not None:
        settings["secrets.files"] = str(access.login)
    flags = [f"--{key}={value}" for key, value in settings.items()]
    # -P: modules that lie in the folder where this is started are not the server's
    start = [sys.executable, "-P", "-m", "streamlit", "run", str(entry_file()), *flags]
    own = [] if folder is None else [str(folder.resolve())]
    return [*start, "--", *own, *(["--upload"] if upload else []), *_access_flags(access)]


def server_environment(key: str | None = None) -> dict[str, str]:
    """Environment of that command: it trusts no header of a proxy, and knows whom it ends with.

    Args:
        key: that lets a browser in; None where a login or a proxy does, or the server makes one.
    """
    others = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    own = {} if key is None else {KEY_VARIABLE: key}
    return {**others, **TRUST_NOBODY, PARENT: str(os.getpid()), **own}


def _access_flags(access: Access) -> list[str]:
    """What the viewer's own code has to know of who may come in."""
    flags: list[str] = []
    if access.login is not None:
        flags += ["--login", str(access.login)]
    if access.behind_proxy:
        flags.append("--i-have-auth-proxy")
    if access.user_header:
        flags += ["--user-header", access.user_header]
    for name, values in (
        ("--proxy-from", access.proxy_from),
        ("--allowed-host", access.allowed_hosts),
    ):
        flags += [name, *values] if values else []
    return flags


def show(
    folder: Path | None, *, port: int, upload: bool = False, access: Access | None = None
) -> int:
    """Serve the viewer until it is stopped; returns the exit code.

    Raises:
        ConfigError: MS-696 there is nothing to show and nothing may be uploaded.
        OutputError: MS-154 if the folder holds no results, MS-155 without the viewer.
        ConfigError: MS-720 if a login is wanted and its library is missing, or what `check_access`
            raises.
    """
    if folder is None and not upload:
        raise ConfigError(
            code="MS-696",
            subject="view",
            cause="neither a result folder nor --upload was given",
            fix="name the folder of 'medsym screen', or let readers upload scans with --upload",
        )
    access = access or Access()
    if folder is not None and not (folder / "screening.tsv").is_file():
        raise OutputError(
            code="MS-154",
            subject=str(folder),
            cause="holds no screening results",
            fix="run 'medsym screen SCAN... --out DIR' first",
        )
    check_access(access)
    if access.login is not None:
        require("login")
    command = server_command(folder, port=port, upload=upload, access=access)
    key = new_key() if needs_key(access) else None
    url = viewer_url(access, port=port)
    opens = _has_screen() and access.is_loopback and not access.behind_proxy
    with sign_of_server() as sign, _server(command, key=key, sign=sign) as server:
        try:
            if comes_up(server, sign):  # else another account's server could get the key
                with told(url, key=key), _opening(url, key=key) if opens else nullcontext():
                    server.wait()
            code = server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return EXIT_OK
    return EXIT_OK if code in (0, -signal.SIGTERM) else EXIT_USAGE


@contextmanager
def _opening(url: str, *, key: str | None) -> Iterator[None]:
    """Open the browser; a page that led it goes after a while, at the latest with the block."""
    with ExitStack() as stack:
        shown = url
        if key is not None:  # the process list shows how a browser was called
            page = stack.enter_context(leading_page(with_key(url, key)))
            shown = page.as_uri()
            timer = threading.Timer(KEEP_PAGE_SECONDS, page.unlink, [True])
            timer.daemon = True
            timer.start()
            stack.callback(timer.cancel)
        # a browser may run as long as it likes
        threading.Thread(target=webbrowser.open, args=[shown], daemon=True).start()
        yield


def viewer_url(access: Access, *, port: int) -> str:
    """Where users see the viewer, as far as it is known here."""
    if access.login is not None:
        return "/".join(
            part for part in (read_login(access.login).origin, access.base_path) if part
        )
    host = f"[{access.address}]" if ":" in access.address else access.address
    return f"http://{host}:{port}/{access.base_path}".rstrip("/")


@contextmanager
def _server(
    command: list[str], *, key: str | None, sign: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """The running server; what ends this process (SIGTERM, a closed terminal) ends it in order."""
    here = entry_file().parent  # Streamlit reads settings of the folder in which it is started
    hangup: int | None = getattr(signal, "SIGHUP", None)
    environment = server_environment(key) | {READY_VARIABLE: str(sign)}
    before: dict[int, Any] = {}
    try:
        if hangup is not None:  # inherited: a closed terminal must not kill it before it tidied up
            before[hangup] = signal.signal(hangup, signal.SIG_IGN)
        with subprocess.Popen(command, cwd=here, env=environment) as server:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
            if hangup is not None and before[hangup] is not signal.SIG_IGN:  # not under nohup
                signal.signal(hangup, lambda *_: server.terminate())
            yield server
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_screen() -> bool:
    """True where opening a browser shows a window rather than taking over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(
        {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    )


def view(arguments: argparse.Namespace) -> int:
    """Open a result folder in the viewer, or a viewer for uploads."""
    access = access_of(arguments, address=arguments.address, base_path=arguments.base_path)
    return show(arguments.folder, port=arguments.port, upload=arguments.upload, access=access)
