"""The documents say what is true: commands, code and links in them work."""

import re
import shlex
from pathlib import Path

import pytest

from medsym.cli import build_parser
from medsym.config import read_config
from medsym.training.settings import TrainSettings
from tests.architecture.source_files import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "medsym").rglob("README.md"),
    *(ROOT / "app").rglob("*.md"),
    *(ROOT / "data_samples").glob("README.md"),
]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
SNIPPETS = [text for language, text in BLOCKS if language == "python"]


def readme_commands() -> list[str]:
    """Each `medsym ...` command line in a code block of the README."""
    lines = [line for language, text in BLOCKS if not language for line in text.splitlines()]
    return [part.strip() for line in lines for part in line.split("&&") if "medsym " in part + " "]


def test_readme_has_exactly_one_install_and_one_test_command() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python -m pip install")]
    assert lines == [
        "python -m pip install -r requirements.txt && medsym demo",
        "python -m pip install -r requirements-dev.txt && python -m pytest",
    ]


def test_files_that_the_readme_installs_from_exist() -> None:
    for name in re.findall(r"-r (\S+\.txt)", README):
        assert (ROOT / name).is_file(), name


def test_configurations_in_the_readmes_commands_need_no_file_that_a_clone_lacks() -> None:
    named = [w for line in readme_commands() for w in line.split() if w.endswith(".yaml")]
    assert named
    for name in named:
        config = read_config(ROOT / name, TrainSettings)
        source = config.synthesis.source
        places = [*source.lesion_folders, *filter(None, [source.label_maps])]
        assert all((ROOT / place).exists() for place in places), f"{name} needs {places}"
        assert not any(place.is_absolute() or ".." in place.parts for place in places), name


@pytest.mark.parametrize("command", readme_commands())
def test_command_in_readme_parses(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "medsym"
    build_parser().parse_args(arguments)


def test_readme_shows_demo_screen_view_and_verify() -> None:
    text = README.replace("\n", " ")
    for name in ("demo", "screen", "view", "verify"):
        assert f"medsym {name}" in text


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_python_in_readme_runs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code = compile(SNIPPETS[number], f"README.md snippet {number + 1}", "exec")
    exec(code, {"__name__": "readme"})


def test_readme_has_python_and_commands_to_run() -> None:
    assert len(SNIPPETS) >= 3
    assert len(readme_commands()) >= 10


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert missing == []


def test_map_names_only_files_that_exist() -> None:
    text = (ROOT / "medsym" / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"`([a-z_]+/[a-z_*]*(?:\.py)?|[a-z_]+\.py)`", text)
    assert len(names) > 8
    for name in names:
        inside = list((ROOT / "medsym").glob(name)) or list(ROOT.glob(name))
        assert inside, name


def test_readme_says_what_it_must_not_be_used_for() -> None:
    assert "Not a medical device" in README
    for blind_spot in ("equal on both sides", "midline", "synthetic"):
        assert blind_spot in README
