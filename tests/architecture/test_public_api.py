"""The names that users rely on: listed, sorted, resolvable, documented."""

import inspect
import tomllib

import pytest

import medsym
from tests.architecture.source_files import ROOT


def test_all_is_sorted_and_without_repeats() -> None:
    names = sorted(set(medsym.__all__), key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert list(medsym.__all__) == names


@pytest.mark.parametrize("name", medsym.__all__)
def test_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(medsym, name)
    if callable(value):
        assert inspect.getdoc(value), f"{name} has no docstring"
        assert value.__module__.startswith("medsym.")


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'screeen'"):
        medsym.screeen  # noqa: B018


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert medsym.__version__ == project["version"]
    assert f"version: {medsym.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {medsym.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_research_notice_says_what_it_must() -> None:
    assert "Research use only" in medsym.RESEARCH_USE_ONLY
    assert "Not a medical device" in medsym.RESEARCH_USE_ONLY
