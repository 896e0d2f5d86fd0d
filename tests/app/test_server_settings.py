"""The server's settings are safe from any working directory, because they lie beside the entry."""

import tomllib
from pathlib import Path

from medsym.commands.viewing import entry_file, server_command

APP = Path(__file__).parents[2] / "app"
SAFE = {
    ("server", "address"): "127.0.0.1",
    ("server", "enableStaticServing"): False,
    ("server", "enableXsrfProtection"): True,
    ("browser", "gatherUsageStats"): False,
    ("client", "showErrorDetails"): "none",
    ("client", "toolbarMode"): "minimal",
}


def test_settings_beside_the_entry_are_safe() -> None:
    settings = tomllib.loads((APP / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    found = {(section, key): settings[section][key] for section, key in SAFE}
    assert found == SAFE


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
