"""Arguments of view: the folder, and who may reach the viewer."""

import argparse
from pathlib import Path

from medsym.commands.view_access import LOOPBACK, Access

MOST_PORTS = 65535  # 0 would be one that nobody knows


def add_port(parser: argparse.ArgumentParser, *, text: str) -> None:
    """Where the viewer listens.

    Args:
        parser: of the command.
        text: help of the option.
    """
    parser.add_argument("--port", type=port, default=8501, metavar="N", help=text)


def port(text: str) -> int:
    """A port that an address can name."""
    if not (text.isdecimal() and 1 <= int(text) <= MOST_PORTS):
        msg = f"{text!r} is not a port: give a whole number from 1 to {MOST_PORTS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def add_view(view: argparse.ArgumentParser) -> None:
    """Arguments of view."""
    view.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="result folder of 'medsym screen'"
    )
    add_port(view, text="port to listen on")
    view.add_argument("--upload", action="store_true", help="let readers upload and analyse scans")
    add_access(
        view.add_argument_group(
            "who may come in",
            "The default is this machine only, and a browser that opens the address as printed,"
            " with the key of this start: other accounts of the machine do not get to see it.",
        )
    )
    view.add_argument(
        "--address",
        default=LOOPBACK,
        metavar="IP",
        help="listen here; others than loopback need --login or --i-have-auth-proxy",
    )
    view.add_argument(
        "--base-path", default="", metavar="PATH", help="path of the viewer behind a reverse proxy"
    )


def add_access(group: argparse._ActionsContainer) -> None:
    """Arguments that the viewer's server itself knows, too."""
    group.add_argument(
        "--login",
        type=Path,
        metavar="FILE",
        help="TOML file with an OpenID Connect provider: nobody sees anything before the login",
    )
    group.add_argument(
        "--i-have-auth-proxy",
        action="store_true",
        help="a proxy of yours lets only known people in",
    )
    group.add_argument(
        "--user-header",
        metavar="NAME",
        help="header in which that proxy names the reader; it must remove what users send",
    )
    group.add_argument(
        "--proxy-from",
        nargs="+",
        default=[],
        metavar="IP",
        help="addresses or networks of that proxy; needed where it is on another machine",
    )
    group.add_argument(
        "--allowed-host",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names by which users call the viewer; that of --login is known",
    )


def access_of(arguments: argparse.Namespace, *, address: str, base_path: str) -> Access:
    """Access as the arguments say."""
    return Access(
        address=address,
        base_path=base_path.strip("/"),
        login=arguments.login.resolve() if arguments.login else None,
        behind_proxy=arguments.i_have_auth_proxy,
        user_header=arguments.user_header,
        proxy_from=tuple(arguments.proxy_from),
        allowed_hosts=tuple(arguments.allowed_host),
    )
