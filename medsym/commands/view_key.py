"""The key of a viewer without a login: who has it is let in, and no other account gets to see it.

A process list shows every account of a machine how a program was called, so the key travels in the
environment of the server, and a browser is not called with it: it is shown a page, readable by this
user alone, that leads on.
"""

import os
import platform
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from medsym.commands.console import say
from medsym.commands.view_access import Access
from medsym.errors import ConfigError

KEY_BYTES = 32  # 256 bits
MIN_KEY = 32  # characters of a key that somebody else has made
KEY_PARAMETER = "key"  # of the address
KEY_VARIABLE = "MEDSYM_VIEW_KEY"  # of the server's environment

_PREFIX = "medsym-view-"
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>medsym</title>
<p><a href="{address}">{address}</a></p>
</html>
"""


def needs_key(access: Access) -> bool:
    """Whether neither a login nor a proxy says who may come in."""
    return access.login is None and not access.behind_proxy


def new_key() -> str:
    """A key that nobody can guess; only letters that an address may hold."""
    return secrets.token_urlsafe(KEY_BYTES)


def take_key() -> str | None:
    """The key that whoever starts the server hands over; what the server starts does not get it.

    Raises:
        ConfigError: MS-765 it is so short that it could be guessed. It is no part of the message.
    """
    key = os.environ.pop(KEY_VARIABLE, None)
    if key is not None and len(key) < MIN_KEY:
        raise ConfigError(
            code="MS-765",
            subject=KEY_VARIABLE,
            cause=f"the key has fewer than {MIN_KEY} characters and could be guessed",
            fix="Leave the variable out: the viewer then makes a key and says it",
        )
    return key


def with_key(address: str, key: str) -> str:
    """The address that lets a browser in."""
    return f"{address.rstrip('/')}/?{KEY_PARAMETER}={quote(key, safe='')}"


@contextmanager
def leading_page(address: str) -> Iterator[Path]:
    """A page that leads to an address, readable by this user alone, for as long as this is open.

    It lies in the home folder, where also browsers may read that are kept away from the rest of
    the disk (snap); without one, below the system's folder for temporary files. Pages of viewers
    that were killed go first.
    """
    place = _home() or Path(tempfile.gettempdir())
    host = "".join(filter(str.isalnum, platform.node()))  # a home may be that of several machines
    _drop_pages_of_ended(place, host=host)
    number, name = tempfile.mkstemp(  # mode 0600
        prefix=f"{_PREFIX}{host}-{os.getpid()}-", suffix=".html", dir=place
    )
    page = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(_PAGE.format(address=escape(address)))
        yield page
    finally:
        page.unlink(missing_ok=True)


def _home() -> Path | None:
    """The home folder, where there is one that can be written."""
    try:
        home = Path.home()
    except RuntimeError:  # an account that the system does not know
        return None
    return home if home.is_dir() and os.access(home, os.W_OK) else None


def _drop_pages_of_ended(place: Path, *, host: str) -> None:
    """Remove this machine's pages whose process is gone; whose key counts no more."""
    if os.name != "posix":  # elsewhere, asking for a process can end it
        return
    for page in place.glob(f"{_PREFIX}{host}-*-*.html"):
        process = page.name.removeprefix(f"{_PREFIX}{host}-").partition("-")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            with suppress(OSError):
                page.unlink()
        except (OSError, ValueError, OverflowError):  # it lives, or it is no page of ours
            continue


@contextmanager
def told(url: str, *, key: str | None) -> Iterator[None]:
    """Say where the viewer is; its key only where no other account reads, else in a page.

    Args:
        url: where users see the viewer.
        key: that lets a browser in; None where a login or a proxy does.
    """
    if key is None or only_this_user_reads(sys.stdout):
        say(f"viewer: {url if key is None else with_key(url, key)}  (stop with Ctrl+C)")
        yield
        return
    with leading_page(with_key(url, key)) as page:
        say(f"viewer: {url}  (open {page}: it holds the key, and only you can read it)")
        yield


def only_this_user_reads(stream: TextIO | None) -> bool:
    """Whether what is written goes to a terminal, or to a file that is closed to other accounts."""
    if stream is None or stream.closed:
        return False
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # it is none of the system's
        return False
    return stream.isatty() or (stat.S_ISREG(mode) and not mode & _OTHERS_READ)
