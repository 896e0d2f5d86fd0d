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
    monkeypatch.setattr(viewing, "OPEN_AFTER_SECONDS", 0.0)
    shown: list[str] = []
    monkeypatch.setattr(viewing.webbrowser, "open", shown.append)
    monkeypatch.setattr(viewing, "new_key", lambda: "the-key-of-this-start" * 2)
    look = (
        "import os; print(os.environ['MEDSYM_VIEW_KEY'], flush=True); import time; time.sleep(0.3)"
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
