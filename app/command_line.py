"""The command line of the server: what stands after `--` of `streamlit run app/asgi.py -- ...`."""

import argparse
import os
import sys
from pathlib import Path

import streamlit as st

from medsym.commands.view_access import Access, Login, read_login
from medsym.commands.view_arguments import access_of, add_access
from medsym.commands.viewing import TRUST_NOBODY
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


def login() -> Login | None:
    """What the login file says now, or None where the viewer has no login of its own.

    Raises:
        ConfigError: the file is missing or wrong; then nobody is let in.
    """
    path = access().login
    return read_login(path) if path is not None else None


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
