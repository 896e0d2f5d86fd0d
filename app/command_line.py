"""The command line of the server: what stands after `--` of `streamlit run app/asgi.py -- ...`."""

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from app.viewer.guards import LOCAL_NAMES
from medsym.commands.view_access import LOOPBACK, Access, Login, read_login
from medsym.commands.view_arguments import access_of, add_access
from medsym.commands.view_key import needs_key, new_key, take_key, told
from medsym.commands.viewing import TRUST_NOBODY, viewer_url
from medsym.errors import ConfigError

EVERYWHERE = "0.0.0.0"  # where Streamlit listens if no address is set


def arguments() -> argparse.Namespace:
    """The arguments; Streamlit leaves them in argv."""
    parser = argparse.ArgumentParser(prog="viewer", add_help=False, exit_on_error=False)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--upload", action="store_true")
    add_access(parser)
    return parser.parse_known_args(sys.argv[1:])[0]


def access() -> Access:
    """How the viewer is reached, and who lets people in."""
    return access_of(
        arguments(),
        address=str(st.get_option("server.address") or EVERYWHERE),
        base_path=str(st.get_option("server.baseUrlPath") or ""),
    )


def own_names() -> set[str]:
    """Names by which this machine may call the viewer; its address too, where it is no other's."""
    here = access()
    return {*LOCAL_NAMES, *([here.address] if here.is_loopback else [])}


def login() -> Login | None:
    """What the login file says now, or None where the viewer has no login of its own.

    Raises:
        ConfigError: the file is missing or wrong; then nobody is let in.
    """
    path = access().login
    return read_login(path) if path is not None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrance:
    """How a browser comes in where neither a login nor a proxy says who it is.

    Args:
        key: that the address has to hold.
        is_told: whether whoever started the server has said it.
    """

    key: str
    is_told: bool

    def tell(self) -> AbstractContextManager[None]:
        """Say the address, if nobody has; call it once the server has its port."""
        if self.is_told:
            return nullcontext()
        here = access()
        if here.address == EVERYWHERE:  # other machines are refused all the same
            here = replace(here, address=LOOPBACK)
        url = viewer_url(here, port=int(st.get_option("server.port")))
        return told(url, key=self.key)


def entrance() -> Entrance | None:
    """How a browser comes in; None where a login or a proxy lets people in. Ask once.

    Raises:
        ConfigError: MS-765, see `take_key`.
    """
    given = take_key()
    if not needs_key(access()):
        return None
    return Entrance(key=given or new_key(), is_told=given is not None)


def check_environment() -> None:
    """Refuse to serve where the server would believe callers who say that they are others.

    Raises:
        ConfigError: MS-721 a variable of the environment is not as `medsym view` sets it.
    """
    for name, value in TRUST_NOBODY.items():
        if os.environ.get(name) != value:
            raise ConfigError(
                code="MS-721",
                subject=name,
                cause="callers could write into a header from where they come",
                fix=f"Start the viewer with medsym view, or set {name} to the empty text",
            )


def is_https() -> bool:
    """Whether users see the viewer over https, as far as the login file says."""
    found = login()
    return found is not None and found.origin.startswith("https:")
