"""Code that could run somebody else's code, leak, or blur the layers is refused by name."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source_files import (
    ROOT,
    imported_modules,
    imported_packages,
    label,
    python_files,
    tree_of,
)

SOURCES = python_files("medsym", "app")
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "shelve", "marshal", "logging.config"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {"ConfigParser", "unsafe_load", "full_load", "UnsafeLoader"}
# Where a package may be imported; every other file must not.
HOMES = {
    "nibabel": ("medsym/volumes/",),
    "escnn": ("medsym/nn/representations.py", "medsym/nn/escnn_reference.py"),
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


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]


def called_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def dotted_name(call: ast.Call) -> str:
    return ast.unparse(call.func)


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_file_runs_no_code_from_data(path: Path) -> None:
    assert not imported_modules(path) & FORBIDDEN_IMPORTS
    builtin_calls = {c.func.id for c in calls(path) if isinstance(c.func, ast.Name)}
    assert not builtin_calls & FORBIDDEN_CALLS
    words = {n.attr for n in ast.walk(tree_of(path)) if isinstance(n, ast.Attribute)}
    words |= {n.id for n in ast.walk(tree_of(path)) if isinstance(n, ast.Name)}
    assert not words & FORBIDDEN_NAMES
    assert not {dotted_name(c) for c in calls(path)} & {"joblib.load", "os.system", "os.popen"}


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_dangerous_keywords_have_the_safe_value(path: Path) -> None:
    for call in calls(path):
        values = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert values.get("shell", "False") == "False", ast.unparse(call)
        assert values.get("allow_pickle", "False") == "False", ast.unparse(call)
        if dotted_name(call) == "torch.load":
            assert values.get("weights_only") == "True", ast.unparse(call)
        if dotted_name(call) in ("yaml.load", "yaml.load_all"):
            raise AssertionError(f"use yaml.safe_load: {ast.unparse(call)}")


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_only_the_commands_write_to_the_terminal(path: Path) -> None:
    assert "print" not in {called_name(c) for c in calls(path) if isinstance(c.func, ast.Name)}
    if not label(path).startswith("medsym/commands/"):
        written = {dotted_name(c) for c in calls(path)}
        assert not written & {"sys.stdout.write", "sys.stderr.write"}


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_package_is_imported_only_at_its_home(path: Path) -> None:
    strangers = [
        package
        for package in imported_packages(path) & set(HOMES)
        if not any(label(path).startswith(home) for home in HOMES[package])
    ]
    assert strangers == []


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_imports_are_absolute_and_named(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert [a.name for a in node.names] != ["*"], f"line {node.lineno}: star import"
            assert node.module != "__future__", f"line {node.lineno}: future import"


@pytest.mark.parametrize("path", python_files("medsym/symmetry"), ids=label)
def test_symmetry_is_pure_torch(path: Path) -> None:
    allowed = {"torch", "medsym", "collections", "dataclasses", "math", "typing", "itertools"}
    allowed |= {"functools", "contextlib", "enum", "numpy", "jaxtyping", "types", "warnings"}
    assert imported_packages(path) <= allowed


def test_the_checks_would_notice(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import pickle\nx = eval('1')\nsubprocess.run('ls', shell=True)\n")
    with pytest.raises(AssertionError):
        test_file_runs_no_code_from_data(bad)
    with pytest.raises(AssertionError):
        test_dangerous_keywords_have_the_safe_value(bad)


def test_repository_root_is_the_one_with_pyproject() -> None:
    assert (ROOT / "pyproject.toml").is_file()
