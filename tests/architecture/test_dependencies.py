"""Declared, pinned and imported packages are the same set."""

import re
import sys
import tomllib
from collections.abc import Iterable
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.source_files import ROOT, imported_packages, python_files

IMPORT_NAMES = {
    "pillow": "PIL",
    "pytorch-ignite": "ignite",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
FLOORS = {"torch": "2.10", "monai": "1.6.1", "streamlit": "1.57"}  # known advisories below


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def named(lines: Iterable[str]) -> dict[str, Requirement]:
    return {r.name.lower(): r for r in map(Requirement, lines)}


def declared() -> dict[str, Requirement]:
    return named(project()["dependencies"])


def optional() -> dict[str, Requirement]:
    """What the extras add: imported only by the command that needs it, if at all."""
    return named(line for extra in project()["optional-dependencies"].values() for line in extra)


def pins(file_name: str) -> dict[str, str]:
    """Exact pins of a requirements file, name -> version."""
    text = (ROOT / file_name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, flags=re.MULTILINE))


def test_imported_packages_are_the_declared_ones() -> None:
    used = set().union(*(imported_packages(p) for p in python_files("medsym", "app")))
    used_modules = set(sys.stdlib_module_names) | {"medsym", "app"}
    third_party = used - used_modules
    names = {IMPORT_NAMES.get(name, name) for name in declared()}
    assert third_party - names - set(optional()) == set(), "imported but not declared"
    assert names - third_party == set(), "declared but not imported"


def test_every_dependency_is_pinned_inside_its_range() -> None:
    pinned = pins("requirements.txt")
    for name, requirement in declared().items():
        assert requirement.specifier.contains(pinned[name]), name


def test_extras_are_no_dependencies_and_are_pinned_for_tests_inside_their_range() -> None:
    assert not set(optional()) & set(declared())
    pinned = pins("requirements-dev.txt")
    for name, requirement in optional().items():
        assert requirement.specifier.contains(pinned[name]), name


def test_requirement_lines_are_exact_pins_local_paths_or_this_project() -> None:
    for file_name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file_name).read_text(encoding="utf-8").splitlines():
            text = line.split("#")[0].strip()
            allowed = not text or text in ("-e .", "-r requirements.txt")
            allowed = allowed or re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", text) is not None
            assert allowed or (text.startswith("./") and (ROOT / text / "pyproject.toml").is_file())


def test_ranges_exclude_releases_with_known_advisories() -> None:
    for name, floor in FLOORS.items():
        lower = [s.version for s in declared()[name].specifier if s.operator == ">="]
        assert Version(lower[0]) >= Version(floor), name
