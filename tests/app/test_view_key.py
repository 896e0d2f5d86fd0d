"""The key of a viewer stays with who started it: no process list and no open file shows it."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import command_line
from medsym.commands import view_key, viewing
from medsym.commands.view_key import (
    KEY_VARIABLE,
    leading_page,
    new_key,
    only_this_user_reads,
    take_key,
    told,
    with_key,
)
from medsym.errors import ConfigError

ADDRESS = "http://127.0.0.1:8501/?key=k"


def test_every_start_has_a_key_of_256_bits() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert min(map(len, keys)) >= 43
    assert with_key("http://127.0.0.1:1", "a&b") == "http://127.0.0.1:1/?key=a%26b"
    assert with_key("http://127.0.0.1:1/clinic", "k") == "http://127.0.0.1:1/clinic/?key=k"


@pytest.mark.parametrize("stdout", ["terminal", "open file"])
def test_no_command_line_holds_the_key(
    stdout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "screening.tsv").write_text("case\n")
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path)
    monkeypatch.setattr(view_key, "only_this_user_reads", lambda _stream: stdout == "terminal")
    monkeypatch.setattr(viewing, "_has_screen", lambda: True)
    shown: list[str] = []
    monkeypatch.setattr(viewing.webbrowser, "open", shown.append)
    monkeypatch.setattr(viewing, "new_key", lambda: "the-key-of-this-start" * 2)
    look = (
        "import os, time; assert os.environ['MEDSYM_VIEW_KEY'];"
        " open(os.environ['MEDSYM_VIEW_READY'], 'w').close(); time.sleep(0.5)"
    )
    started = subprocess.Popen
    commands: list[list[str]] = []

    def start(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        commands.append(command)
        return started([sys.executable, "-c", look], stdout=-1, env=options["env"])

    monkeypatch.setattr(viewing.subprocess, "Popen", start)
    said: list[str] = []
    monkeypatch.setattr(view_key, "say", said.append)
    assert viewing.show(tmp_path, port=8601) == 0
    (command,), (page,), (line,) = commands, shown, said
    assert "the-key" not in " ".join(command)
    assert page.startswith("file://")
    assert "the-key" not in page
    assert ("the-key" in line) is (stdout == "terminal")
    assert not list(tmp_path.glob("*.html")), "pages go with the viewer"


@pytest.mark.parametrize("ends", [True, False])
def test_a_key_is_told_to_nobody_before_the_server_has_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    (tmp_path / "screening.tsv").write_text("case\n")
    happened: list[str] = []
    code = "import os, time; time.sleep(0.5);"
    code += "raise SystemExit(1)" if ends else "open(os.environ['MEDSYM_VIEW_READY'], 'w').close()"
    monkeypatch.setattr(viewing, "server_command", lambda *_a, **_k: [sys.executable, "-c", code])
    monkeypatch.setattr(viewing, "_has_screen", lambda: True)
    monkeypatch.setattr(viewing.webbrowser, "open", lambda _page: happened.append("opened"))
    monkeypatch.setattr(view_key, "say", lambda _line: happened.append("said"))
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path)
    look = viewing.comes_up

    def comes_up(server: Any, sign: Path) -> bool:
        assert sign.parent.stat().st_mode & 0o077 == 0, "no other account gives the sign"
        came = look(server, sign)
        assert not happened
        assert not list(tmp_path.glob("*.html")), "nor lies the key in a page"
        return came

    monkeypatch.setattr(viewing, "comes_up", comes_up)
    assert (viewing.show(tmp_path, port=8601) == 0) is not ends
    assert set(happened) == (set() if ends else {"said", "opened"})


def test_pages_of_viewers_that_were_killed_go_and_those_of_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    with leading_page(ADDRESS) as mine:
        others = [tmp_path / "medsym-view-notes.html"]
        others.append(tmp_path / mine.name.replace("medsym-view-", "medsym-view-elsewhere"))
        left = tmp_path / mine.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
        for page in (*others, left):
            page.touch()
        with leading_page(ADDRESS) as another:
            assert not left.exists()
            assert all(page.exists() for page in (mine, another, *others))


def test_the_address_that_is_printed_is_one_that_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.setattr(
        command_line.st, "get_option", lambda name: "127.0.0.2" if "address" in name else ""
    )
    assert command_line.own_names() == {"localhost", "127.0.0.1", "127.0.0.2", "::1"}
    monkeypatch.setattr(command_line.st, "get_option", lambda _name: None)
    assert "0.0.0.0" not in command_line.own_names(), "pages elsewhere can name it"


def test_an_account_without_a_home_can_start_the_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(view_key.Path, "home", unknown)
    with leading_page(ADDRESS) as page:
        assert page.stat().st_mode & 0o077 == 0


def test_the_page_that_leads_on_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path)
    with leading_page(ADDRESS) as page:
        assert page.parent == tmp_path
        assert page.stat().st_mode & 0o077 == 0
        assert f"url={ADDRESS}" in page.read_text()
    assert not page.exists()
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path / "none")
    with leading_page(ADDRESS) as page:
        assert page.exists(), "who has no home gets it elsewhere"


def test_a_log_that_others_may_read_does_not_get_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "view.log"
    for mode, private in ((0o600, True), (0o640, False), (0o604, False)):
        log.touch()
        log.chmod(mode)
        with log.open("w") as stream:
            assert only_this_user_reads(stream) is private
    assert not only_this_user_reads(None)
    assert not only_this_user_reads(io.StringIO())
    monkeypatch.setattr(view_key.Path, "home", lambda: tmp_path)
    with told("http://127.0.0.1:8501", key="secret"):
        words = capsys.readouterr().out
        assert "secret" not in words
        assert str(next(tmp_path.glob("*.html"))) in words
    with told("https://scans.example", key=None):
        assert "https://scans.example" in capsys.readouterr().out


def test_the_server_takes_the_key_and_its_children_do_not_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = new_key()
    monkeypatch.setenv(KEY_VARIABLE, key)
    assert take_key() == key
    assert KEY_VARIABLE not in os.environ
    assert take_key() is None
    monkeypatch.setenv(KEY_VARIABLE, "guess-me")
    with pytest.raises(ConfigError, match="MS-765") as refused:
        take_key()
    assert "guess-me" not in str(refused.value)


def test_a_server_that_was_given_no_key_makes_one_and_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(view_key, "say", said.append)
    monkeypatch.setattr(view_key, "only_this_user_reads", lambda _stream: True)
    monkeypatch.setattr(sys, "argv", ["main.py", str(tmp_path)])
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    entrance = command_line.entrance()
    assert entrance is not None
    with entrance.tell():
        assert said[0].startswith("viewer: http://127.0.0.1:")
        assert f"?key={entrance.key}" in said[0]
    monkeypatch.setenv(KEY_VARIABLE, entrance.key)
    given = command_line.entrance()
    assert given is not None
    assert given.key == entrance.key
    with given.tell():
        assert len(said) == 1, "whoever gave it knows it"
    words = ["main.py", "--i-have-auth-proxy", "--allowed-host", "a.example"]
    monkeypatch.setattr(sys, "argv", words)
    assert command_line.entrance() is None, "the proxy lets people in"
