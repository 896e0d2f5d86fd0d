"""The server's settings are safe from any working directory, because they lie beside the entry."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from app import command_line
from medsym.commands.viewing import entry_file, server_command, server_environment
from medsym.errors import ConfigError

APP = Path(__file__).parents[2] / "app"
SAFE = {
    ("server", "address"): "127.0.0.1",
    ("server", "enableStaticServing"): False,
    ("server", "enableXsrfProtection"): True,
    ("server", "enableCORS"): True,
    ("browser", "gatherUsageStats"): False,
    ("client", "showErrorDetails"): "none",
    ("client", "showErrorLinks"): False,
    ("client", "toolbarMode"): "minimal",
}


def test_settings_beside_the_entry_are_safe() -> None:
    settings = tomllib.loads((APP / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    found = {(section, key): settings[section][key] for section, key in SAFE}
    assert found == SAFE


def test_settings_of_another_place_cannot_open_the_server() -> None:
    flags = [flag.split("=")[0] for flag in server_command(Path("results"), port=8501)]
    for name in (
        *("server.enableCORS", "server.enableXsrfProtection", "server.corsAllowedOrigins"),
        *("server.trustedUserHeaders", "server.enableStaticServing", "server.enableAgentApi"),
        *("server.address", "server.baseUrlPath", "server.maxUploadSize", "server.allowRunOnSave"),
        *("global.developmentMode", "browser.gatherUsageStats", "client.showErrorDetails"),
    ):
        assert f"--{name}" in flags


def test_modules_in_the_folder_where_view_is_started_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "streamlit.py").write_text("raise SystemExit(77)\n")
    command = server_command(None, port=8501, upload=True)
    command = [*command[: command.index("streamlit") + 1], "version"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0


def test_a_server_that_believes_callers_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server_environment().items():
        monkeypatch.setenv(name, value)
    command_line.check_environment()
    for value in ("*", "127.0.0.1", None):
        if value is None:
            monkeypatch.delenv("FORWARDED_ALLOW_IPS")
        else:
            monkeypatch.setenv("FORWARDED_ALLOW_IPS", value)
        with pytest.raises(ConfigError, match="MS-721"):
            command_line.check_environment()


def test_view_starts_this_entry_and_no_flag_contradicts_the_settings() -> None:
    assert entry_file() == APP / "asgi.py"
    flags = dict(
        part.removeprefix("--").split("=")
        for part in server_command(Path("results"), port=8501)
        if part.startswith("--") and "=" in part
    )
    for (section, key), value in SAFE.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert flags.get(f"{section}.{key}", text) == text
