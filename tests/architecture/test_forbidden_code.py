"""Code that could run somebody else's code, leak, or blur the layers is refused by name."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import source_files
from tests.architecture.source_files import (
    imported_modules,
    imported_packages,
    label,
    nodes_of,
    python_files,
)

SOURCES = python_files("medsym", "app")
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "shelve", "marshal", "logging.config"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {"ConfigParser", "unsafe_load", "full_load", "UnsafeLoader"}
# What the mathematics may use.
PURE = {
    *("torch", "medsym", "collections", "dataclasses", "math", "typing", "itertools"),
    *("functools", "contextlib", "enum", "numpy", "jaxtyping", "types", "warnings"),
}
# Where a package may be imported; every other file must not.
HOMES = {
    "nibabel": ("medsym/volumes/",),
    "escnn": ("medsym/nn/representations.py",),
    "highdicom": ("medsym/export/dicom_",),  # optional: `medsym dicom` says so if it is missing
    "joblib": ("medsym/nn/representations.py",),
    # pictures for people, each drawn where its numbers are made
    "matplotlib": ("medsym/audit/figure.py", "medsym/training/plots.py", "medsym/science/drawing/"),
    "onnx": ("medsym/export/onnx_file.py", "medsym/export/compression/"),  # optional packages
    "onnxruntime": ("medsym/export/onnx_file.py", "medsym/export/compression/"),
    "optuna": ("medsym/benchmarks/search.py", "medsym/benchmarks/search_space.py"),
    # scores of a method, of a subject, and how healthy people vary
    "sklearn": (
        *("medsym/training/", "medsym/evaluation/", "medsym/scores/"),
        *("medsym/calibration/adjustment.py", "medsym/calibration/shift.py"),
    ),
    "dcm2niix": ("medsym/screening/dicom/",),
    "pydicom": (
        *("medsym/export/dicom_", "medsym/export/findings_dicom.py"),
        "medsym/screening/dicom/",
    ),
    "nilearn": ("medsym/synthesis/template.py",),
    "streamlit": ("app/",),
}


Check = Callable[[Path], list[str]]


def calls(path: Path) -> list[ast.Call]:
    return [node for node in nodes_of(path) if isinstance(node, ast.Call)]


def called_names(path: Path) -> set[str]:
    """Functions that are called by a bare name, such as ``eval``."""
    return {call.func.id for call in calls(path) if isinstance(call.func, ast.Name)}


def dotted_name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def offenders(check: Check, paths: tuple[Path, ...] = SOURCES) -> list[str]:
    """What a check finds in each file, with the file's name before it."""
    return [f"{label(path)}: {found}" for path in paths for found in check(path)]


def code_run_from_data(path: Path) -> list[str]:
    nodes = nodes_of(path)
    words = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    words |= {n.id for n in nodes if isinstance(n, ast.Name)}
    dotted = {dotted_name(c) for c in calls(path)}
    return sorted(
        (imported_modules(path) & FORBIDDEN_IMPORTS)
        | (called_names(path) & FORBIDDEN_CALLS)
        | (words & FORBIDDEN_NAMES)
        | (dotted & {"joblib.load", "os.system", "os.popen"})
    )


def dangerous_keywords(path: Path) -> list[str]:
    return [ast.unparse(call) for call in calls(path) if is_dangerous(call)]


def is_dangerous(call: ast.Call) -> bool:
    values = {k.arg: ast.unparse(k.value) for k in call.keywords}
    name = dotted_name(call)
    return (
        values.get("shell", "False") != "False"
        or values.get("allow_pickle", "False") != "False"
        or (name == "torch.load" and values.get("weights_only") != "True")
        or name in ("yaml.load", "yaml.load_all")  # yaml.safe_load is the one to use
    )


def writing_to_the_terminal(path: Path) -> list[str]:
    found = called_names(path) & {"print"}
    if not label(path).startswith("medsym/commands/"):
        written = {dotted_name(c) for c in calls(path)}
        found |= written & {"sys.stdout.write", "sys.stderr.write"}
    return sorted(found)


def imports_away_from_home(path: Path) -> list[str]:
    return [
        package
        for package in sorted(imported_packages(path) & set(HOMES))
        if not any(label(path).startswith(home) for home in HOMES[package])
    ]


def unclear_imports(path: Path) -> list[str]:
    """Relative imports, star imports and imports from the future."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom)
        and (node.level or node.module == "__future__" or node.names[0].name == "*")
    ]


def impure_imports(path: Path) -> list[str]:
    return sorted(imported_packages(path) - PURE)


def test_no_file_runs_code_from_data() -> None:
    assert offenders(code_run_from_data) == []


def test_dangerous_keywords_have_the_safe_value() -> None:
    assert offenders(dangerous_keywords) == []


def test_only_the_commands_write_to_the_terminal() -> None:
    assert offenders(writing_to_the_terminal) == []


def test_package_is_imported_only_at_its_home() -> None:
    assert offenders(imports_away_from_home) == []


def test_imports_are_absolute_and_named() -> None:
    assert offenders(unclear_imports) == []


def test_symmetry_is_pure_torch() -> None:
    assert offenders(impure_imports, python_files("medsym/symmetry")) == []


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (code_run_from_data, "import pickle"),
        (code_run_from_data, "x = eval('1')"),
        (code_run_from_data, "x = yaml.unsafe_load(text)"),
        (code_run_from_data, "os.system('ls')"),
        (dangerous_keywords, "subprocess.run('ls', shell=True)"),
        (dangerous_keywords, "np.load(path, allow_pickle=True)"),
        (dangerous_keywords, "torch.load(path)"),
        (dangerous_keywords, "yaml.load(text)"),
        (writing_to_the_terminal, "print('text')"),
        (writing_to_the_terminal, "sys.stdout.write('text')"),
        (imports_away_from_home, "import nibabel"),
        (impure_imports, "import scipy"),
        (unclear_imports, "from . import volumes"),
        (unclear_imports, "from torch import *"),
        (unclear_imports, "from __future__ import annotations"),
    ],
)
def test_the_checks_would_notice(
    check: Check, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_files, "ROOT", tmp_path)
    bad = tmp_path / "bad.py"
    bad.write_text(f"{line}\n", encoding="utf-8")
    assert len(offenders(check, (bad,))) == 1
