"""The help lists exactly the keys that are bound: one table, held against the bindings."""

import ast
import re
from pathlib import Path

from app.keys import PLACES, key_rows, read_keys

APP = Path(__file__).parents[2] / "app"
WEB = APP / "viewer" / "web"
BOUND = re.compile(r'^ {4,6}(?:"([^"]+)"|(\w+)): \(', re.MULTILINE)


def listed(*places: str) -> list[str]:
    return [entry["key"] for entry in read_keys() if entry["where"] in places]


def bound_on_planes(module: str = "input.js") -> list[str]:
    """Keys of the table in a module: `name: () => ...` or `"name": () => ...`."""
    text = (WEB / module).read_text(encoding="utf-8")
    (table,) = re.findall(r"const keys = \{\n(.*?)\n {2,4}\};", text, re.DOTALL)
    found = [quoted or plain for quoted, plain in BOUND.findall(table)]
    assert len(found) == len(table.splitlines()), "one key a line"
    return found


def shortcuts_of_pages() -> list[str]:
    """Values of `shortcut=` in the Streamlit pages, constants of the module looked up."""
    found = []
    for path in (*APP.glob("app_pages/*.py"), APP / "main.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        scope: dict[str, object] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign):
                scope |= _values(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "shortcut":
                value = node.value
                found.append(scope[value.id] if isinstance(value, ast.Name) else value.value)
    return [str(key) for key in found]


def keys_of(path: Path) -> list[str]:
    """Keys that a listener on the whole page waits for."""
    return re.findall(r'event\.key !== "([^"]+)"', path.read_text(encoding="utf-8"))


def _values(node: ast.Assign) -> dict[str, object]:
    (target,) = node.targets
    try:
        value = ast.literal_eval(node.value)
    except ValueError:
        return {}
    if isinstance(target, ast.Name):
        return {target.id: value}
    names = [part.id for part in target.elts] if isinstance(target, ast.Tuple) else []
    return dict(zip(names, value, strict=True))


def test_every_key_bound_on_a_plane_is_listed_and_every_listed_one_is_bound() -> None:
    bound = bound_on_planes()
    assert sorted(bound) == sorted(listed("planes"))
    assert len(bound) > 10
    assert sorted(bound_on_planes("compare.js")) == sorted(listed("compare"))


def test_every_shortcut_of_a_page_is_listed_and_every_listed_one_is_bound() -> None:
    bound = [*shortcuts_of_pages(), *keys_of(WEB / "leaving.js")]
    assert sorted(bound) == sorted(listed("page", "list"))


def test_keys_are_bound_where_the_table_is_held_against_them() -> None:
    listening = [path.name for path in WEB.glob("*.js") if '"keydown"' in path.read_text()]
    assert sorted(listening) == ["input.js", "leaving.js", "why.js"]
    assert listed("everywhere") == keys_of(APP / "scripts.py")
    assert set(keys_of(WEB / "why.js")) == {"Escape", "w"} <= set(listed("planes"))


def test_a_key_means_one_thing() -> None:
    entries = read_keys()
    keys = [entry["key"] for entry in entries]
    assert len(keys) == len(set(keys))
    assert {entry["where"] for entry in entries} <= set(PLACES)
    assert all(set(entry) == {"key", "where", "what"} and all(entry.values()) for entry in entries)


def test_rows_of_the_help_hold_every_key_once() -> None:
    rows = [row for rows in key_rows(read_keys()).values() for row in rows]
    assert sum(len(keys) for keys, _ in rows) == len(read_keys())
    assert len({what for _, what in rows}) < len(read_keys()), "what does the same shares a row"
