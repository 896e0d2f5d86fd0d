"""A file has one subject and fits on a few screens; its name says the subject."""

import ast
import re

from tests.architecture.source_files import ROOT, label, nodes_of, python_files, tree_of

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "core", "manager", "handler"}
TOP_LEVEL = {
    *("medsym", "app", "configs", "tests", "data_samples", "README.md", "LICENSE", "CHANGELOG.md"),
    *("pyproject.toml", "requirements.txt", "requirements-dev.txt", "CITATION.cff"),
    *("CONTRIBUTING.md", "NOTICE"),
}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    last = function.end_lineno or function.lineno
    return last - body[0].lineno + 1 if body else 0


def test_no_file_is_longer_than_250_lines() -> None:
    lengths = {
        label(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("medsym", "app", "tests")
    }
    assert {name: n for name, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    long = {
        f"{label(path)}:{node.lineno} {node.name}": code_lines(node)
        for path in python_files("medsym", "app")
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_every_module_says_its_subject_in_a_docstring() -> None:
    silent = [
        label(path)
        for path in python_files("medsym", "app", "tests")
        if tree_of(path).body and not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


def test_no_module_has_a_vague_name() -> None:
    assert [label(p) for p in python_files("medsym", "app") if p.stem in VAGUE] == []


def test_code_and_documents_are_ascii() -> None:
    texts = [p for name in ("medsym", "app") for p in (ROOT / name).rglob("*.md")]
    documents = [*ROOT.glob("*.md"), *ROOT.glob("configs/*"), *texts]
    files = [*python_files("medsym", "app", "tests"), *(p for p in documents if p.is_file())]
    offenders = [
        f"{label(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if not line.isascii()
    ]
    assert offenders == []


def test_no_unfinished_marks_are_left() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{label(path)}:{number}"
        for path in python_files("medsym", "app")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if marks.search(line)
    ]
    assert found == []


def test_visible_top_level_is_fixed() -> None:
    ignored = {"build", "dist", "venv", "out", "runs", "medsym-demo", "htmlcov"}
    visible = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
    assert visible - TOP_LEVEL - ignored == set()
