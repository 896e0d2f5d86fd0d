"""The project's own source files, parsed once; what the tests in this folder look at."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """All Python files under the named folders, sorted, never an empty selection."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    if not found:
        raise AssertionError(f"no Python file under {folders}")
    return tuple(found)


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of one file's syntax tree."""
    return tuple(ast.walk(tree_of(path)))


def label(path: Path) -> str:
    """Path from the repository root, for messages."""
    return path.relative_to(ROOT).as_posix()


def imported_modules(path: Path) -> set[str]:
    """Dotted names of every module that the file imports, anywhere in it."""
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_packages(path: Path) -> set[str]:
    """Top-level names of every module that the file imports."""
    return {name.split(".")[0] for name in imported_modules(path)}
