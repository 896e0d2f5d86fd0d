"""Who may reach the viewer, and how it knows them: checked before a server is started."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medsym.errors import ConfigError

#: Only this machine may connect, unless somebody vouches for who the others are.
LOOPBACK = "127.0.0.1"
CALLBACK = "/oauth2callback"  # where Streamlit receives the answer of the identity provider
PROVIDER_FIELDS = ("client_id", "client_secret", "server_metadata_url")
MIN_SECRET = 32  # characters of the key that signs the session cookie
EVERYBODY = "*"

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}")
_BASE_PATH = re.compile(r"[A-Za-z0-9_~-]+(/[A-Za-z0-9_~-]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """What the viewer needs to know of a login file.

    Args:
        origin: scheme, host and port at which users see the viewer.
        path: base path of the viewer, without slashes at its ends.
        readers: patterns of the names that may come in, such as "*@hospital.example".
        claim: what the identity provider says that is the reader's name.
    """

    origin: str
    path: str
    readers: tuple[str, ...]
    claim: str = "email"

    @property
    def host(self) -> str:
        """Host name at which users see the viewer."""
        return urlsplit(self.origin).hostname or ""

    def admits(self, name: str) -> bool:
        """Whether a name is on the list; the case of ASCII letters does not matter."""
        return any(fnmatchcase(lower_ascii(name), lower_ascii(one)) for one in self.readers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How the viewer is reached.

    Args:
        address: IP address to listen on.
        base_path: path in front of all addresses of the viewer.
        login: TOML file with the identity provider; None without a login of its own.
        behind_proxy: the operator says that a proxy lets only known people in.
        user_header: header in which the proxy names the reader.
        proxy_from: IP addresses or networks that the proxy connects from.
        allowed_hosts: names by which users call the viewer.
    """

    address: str = LOOPBACK
    base_path: str = ""
    login: Path | None = None
    behind_proxy: bool = False
    user_header: str | None = None
    proxy_from: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.address).is_loopback


def lower_ascii(text: str) -> str:
    """ASCII letters alone: in full Unicode, names and hosts of others would become equal."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def check_access(access: Access) -> None:
    """Refuse what would show scans to strangers.

    Raises:
        ConfigError: MS-710 the address is none, MS-711 a public address without login or proxy,
            MS-712 both of them, MS-713 options of a proxy without one, MS-714 a proxy without host
            name, MS-715 a proxy on another machine without its address, MS-716 a value is wrong, or
            what `read_login` raises.
    """
    _check_values(access)
    if not access.is_loopback and access.login is None and not access.behind_proxy:
        raise _refusal(
            "MS-711",
            f"--address {access.address}",
            "other machines could connect, and nobody would ask who they are",
            "Add --login FILE, or --i-have-auth-proxy if a proxy lets only known people in, or"
            " leave the address out and use an SSH tunnel",
        )
    if access.login is not None and access.behind_proxy:
        raise _refusal(
            "MS-712",
            "--login and --i-have-auth-proxy",
            "two would say who the reader is",
            "Choose one; a proxy that only encrypts needs no option beside --login",
        )
    if access.behind_proxy:
        _check_proxy(access)
    elif idle := _idle_option(access):
        raise _refusal(
            "MS-713",
            idle,
            "means something behind an authenticating proxy only",
            "Add --i-have-auth-proxy, or leave it out",
        )
    if access.login is not None:
        _check_login(read_login(access.login), access)


def _idle_option(access: Access) -> str:
    """One that does nothing without a proxy, or ""; with a login, other names are taken, too."""
    if access.allowed_hosts and access.login is None:
        return "--allowed-host"
    return "--user-header" if access.user_header else "--proxy-from" if access.proxy_from else ""


def _check_proxy(access: Access) -> None:
    if not access.allowed_hosts:
        raise _refusal(
            "MS-714",
            "--i-have-auth-proxy",
            "the name is missing by which users call the viewer",
            "Add --allowed-host NAME; other names are refused",
        )
    if not access.is_loopback and not access.proxy_from:
        raise _refusal(
            "MS-715",
            f"--address {access.address}",
            "everybody in the network could go past the proxy",
            "Add --proxy-from with the proxy's IP address or network; others are refused",
        )


def _check_values(access: Access) -> None:
    try:
        ipaddress.ip_address(access.address)
    except ValueError:
        raise _refusal(
            "MS-710",
            f"--address {access.address}",
            "this is no IP address",
            f"Give an address of this machine, such as {LOOPBACK} or 0.0.0.0 for all of them",
        ) from None
    wrong = [f"--allowed-host {name}" for name in access.allowed_hosts if not _HOST.fullmatch(name)]
    wrong += [f"--proxy-from {text}" for text in access.proxy_from if not _is_network(text)]
    if access.base_path and not _BASE_PATH.fullmatch(access.base_path):
        wrong.append(f"--base-path {access.base_path}")
    if access.user_header and not _HEADER.fullmatch(access.user_header):
        wrong.append(f"--user-header {access.user_header}")
    if wrong:
        raise _refusal(
            "MS-716",
            wrong[0],
            "this is no such value, or it means everybody",
            "Give a host name without port, the proxy's IP address or network, a path of plain"
            " words, or the name of a header",
        )


def _is_network(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _check_login(login: Login, access: Access) -> None:
    """The identity provider sends people back to where the viewer is."""
    if login.path != access.base_path:
        raise _refusal(
            "MS-717",
            f"redirect_uri {login.origin}/{login.path}",
            f"the viewer's base path is '{access.base_path}'",
            f"Let redirect_uri end with the base path and {CALLBACK}",
        )


def read_login(path: Path) -> Login:
    """Read a login file: Streamlit's `[auth]`, and `[medsym]` with who may come in.

    Raises:
        ConfigError: MS-718 the file cannot be read or is no TOML, MS-719 something is missing or
            wrong in it. Its values are secret and are never part of the message.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refusal(
            "MS-718",
            str(path),
            f"cannot be read as TOML ({type(error).__name__})",
            "Give a file as in app/README.md, readable by this user",
        ) from None
    auth, own = _table(content, "auth"), _table(content, "medsym")
    wrong = _first_wrong(auth, own)
    if wrong:
        raise _refusal("MS-719", str(path), wrong, "Correct the file; app/README.md has an example")
    target = urlsplit(str(auth["redirect_uri"]))
    return Login(
        origin=f"{target.scheme}://{target.netloc}",
        path=target.path.removesuffix(CALLBACK).strip("/"),
        readers=tuple(own["readers"]),
        claim=str(own.get("claim", "email")),
    )


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _first_wrong(auth: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """What is wrong in a login file, in words without its values; "" if nothing is."""
    wanted = ("redirect_uri", "cookie_secret", *PROVIDER_FIELDS)
    missing = [key for key in wanted if not auth.get(key)]
    if missing:
        return f"[auth] has no {missing[0]}"
    target, readers = urlsplit(str(auth["redirect_uri"])), own.get("readers")
    is_local = target.hostname in {"localhost", LOOPBACK}
    if not target.path.endswith(CALLBACK):
        return f"redirect_uri in [auth] does not end with {CALLBACK}"
    if target.scheme != "https" and not (target.scheme == "http" and is_local):
        return "redirect_uri in [auth] is not https; who listens could come in as somebody else"
    if len(str(auth["cookie_secret"])) < MIN_SECRET:
        return f"cookie_secret in [auth] has fewer than {MIN_SECRET} characters"
    is_list = isinstance(readers, list) and all(isinstance(one, str) for one in readers)
    if is_list and readers:
        return ""
    return (
        "[medsym] has no list of readers; everybody with an account at the provider would come"
        f' in (readers = ["{EVERYBODY}"] says so)'
    )


def _refusal(code: str, subject: str, cause: str, fix: str) -> ConfigError:
    return ConfigError(code=code, subject=subject, cause=cause, fix=fix)
