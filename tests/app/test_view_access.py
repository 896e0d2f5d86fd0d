"""A viewer that strangers could reach is never started."""

from pathlib import Path

import pytest

from medsym.cli import build_parser
from medsym.commands import viewing
from medsym.commands.view_access import Access, check_access, read_login
from medsym.commands.view_arguments import access_of
from medsym.commands.viewing import server_command, show
from medsym.errors import ConfigError

LOGIN = """[auth]
redirect_uri = "https://scans.example/clinic/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "viewer"
client_secret = "s3cret-of-nobody"
server_metadata_url = "https://id.example/.well-known/openid-configuration"
[medsym]
readers = ["*@hospital.example", "Guest@clinic.example"]
"""


@pytest.fixture
def login_file(tmp_path: Path) -> Path:
    path = tmp_path / "login.toml"
    path.write_text(LOGIN)
    return path


def access(folder: Path, *words: str) -> Access:
    """What `medsym view FOLDER ...` asks for."""
    arguments = build_parser().parse_args(["view", str(folder), *words])
    return access_of(arguments, address=arguments.address, base_path=arguments.base_path)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--address", "0.0.0.0"), "MS-711"),
        (("--address", "::"), "MS-711"),
        (("--address", "192.168.1.4"), "MS-711"),
        (("--address", "scans.example"), "MS-710"),
        (("--address", "localhost"), "MS-710"),
        (("--i-have-auth-proxy", "--login", "x.toml"), "MS-712"),
        (("--user-header", "X-User"), "MS-713"),
        (("--proxy-from", "10.0.0.1"), "MS-713"),
        (("--allowed-host", "a.example"), "MS-713"),
        (("--i-have-auth-proxy",), "MS-714"),
        (("--i-have-auth-proxy", "--allowed-host", "a.example", "--address", "0.0.0.0"), "MS-715"),
        (("--i-have-auth-proxy", "--allowed-host", "https://a.example"), "MS-716"),
        (("--i-have-auth-proxy", "--allowed-host", "a", "--user-header", "X User"), "MS-716"),
        (("--i-have-auth-proxy", "--allowed-host", "a", "--proxy-from", "10.0.0.1/8"), "MS-716"),
        (("--i-have-auth-proxy", "--allowed-host", "a", "--proxy-from", "0.0.0.0/0"), "MS-716"),
        (("--i-have-auth-proxy", "--allowed-host", "a", "--proxy-from", "::/0"), "MS-716"),
        (("--base-path", "../up"), "MS-716"),
    ],
)
def test_what_would_show_scans_to_strangers_is_refused(
    tmp_path: Path, words: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing.subprocess, "Popen", None)  # no server must start
    (tmp_path / "screening.tsv").write_text("case\n")
    with pytest.raises(ConfigError) as refused:
        show(tmp_path, port=1, access=access(tmp_path, *words))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--address", "::1"),
        ("--address", "0.0.0.0", "--base-path", "/clinic/", "--login", "{login}"),
        ("--i-have-auth-proxy", "--allowed-host", "a.example", "--user-header", "X-Forwarded-User"),
        (
            *("--address", "10.0.0.5", "--i-have-auth-proxy", "--allowed-host", "a.example"),
            *("--proxy-from", "10.0.0.1", "fd00::/8"),
        ),
    ],
)
def test_what_says_who_may_come_in_is_allowed(
    tmp_path: Path, login_file: Path, words: tuple[str, ...]
) -> None:
    check_access(access(tmp_path, *(word.format(login=login_file) for word in words)))


def test_the_login_file_says_where_the_viewer_is_and_who_may_read(login_file: Path) -> None:
    login = read_login(login_file)
    assert (login.origin, login.host, login.path) == (
        "https://scans.example",
        "scans.example",
        "clinic",
    )
    assert login.admits("ANNA@hospital.example")
    assert login.admits("guest@clinic.example")
    for stranger in (
        "anna@hospital.example.evil.example",
        "eve@clinic.example",
        "hospital.example",
        "guest@cli\N{LATIN SMALL LETTER DOTLESS I}nic.example",
        "anna@ho\N{LATIN SMALL LETTER LONG S}pital.example",  # casefold() makes an s of it
        "",
    ):
        assert not login.admits(stranger)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('client_secret = "s3cret-of-nobody"\n', "", "client_secret"),
        ("https://scans", "http://scans", "https"),
        ("/oauth2callback", "/callback", "oauth2callback"),
        ("0123456789abcdef0", "0", "cookie_secret"),
        ('readers = ["*@hospital.example", "Guest@clinic.example"]', "", "readers"),
        ('["*@hospital.example", "Guest@clinic.example"]', "[]", "readers"),
        ('["*@hospital.example", "Guest@clinic.example"]', '"*"', "readers"),
    ],
)
def test_an_unsafe_login_file_is_refused_without_its_secrets(
    login_file: Path, old: str, new: str, word: str
) -> None:
    assert old in LOGIN
    login_file.write_text(LOGIN.replace(old, new))
    with pytest.raises(ConfigError, match=word) as refused:
        read_login(login_file)
    assert refused.value.code == "MS-719"
    assert "s3cret" not in str(refused.value)
    assert "0123456" not in str(refused.value)


def test_a_login_file_that_is_none_is_refused_without_its_text(login_file: Path) -> None:
    login_file.write_text('cookie_secret "0123456789"')
    for path in (login_file, login_file.with_name("missing.toml")):
        with pytest.raises(ConfigError) as refused:
            read_login(path)
        assert refused.value.code == "MS-718"
        assert "0123456" not in str(refused.value)


def test_a_login_for_another_path_is_refused(tmp_path: Path, login_file: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        check_access(access(tmp_path, "--login", str(login_file), "--base-path", "ward"))
    assert refused.value.code == "MS-717"


def test_the_server_is_told_what_was_checked(tmp_path: Path, login_file: Path) -> None:
    words = ("--login", str(login_file), "--address", "0.0.0.0", "--base-path", "clinic")
    command = server_command(tmp_path, port=8501, access=access(tmp_path, *words))
    for flag in (f"--secrets.files={login_file}", "--server.baseUrlPath=clinic"):
        assert flag in command[: command.index("--")]
    assert command[command.index("--") + 1 :] == [str(tmp_path), "--login", str(login_file)]
    assert "s3cret-of-nobody" not in " ".join(command)
    proxy = ("--i-have-auth-proxy", "--allowed-host", "a.example", "--user-header", "X-User")
    command = server_command(tmp_path, port=8501, access=access(tmp_path, *proxy))
    assert '--server.trustedUserHeaders={"X-User": "reader"}' in command
