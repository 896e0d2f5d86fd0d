"""Keys and mouse actions of the viewer: one table, shown by the help page and beside the planes.

What `viewer/web/input.js` and the pages really bind is tested against it.
"""

import json
from pathlib import Path

TABLE = Path(__file__).parent / "viewer" / "web" / "keys.json"
PLACES = {
    "mouse": "Mouse, on a plane",
    "touch": "Touch, on a plane",
    "planes": "Keys, while a plane has the focus (click it, or reach it with Tab)",
    "compare": "Keys of the page Compare, while a plane has the focus",
    "page": "Keys, anywhere on the review page (next and previous case on Compare, too)",
    "list": "Keys, on the work list",
    "everywhere": "Keys, on every page",
}
PLAIN = {
    "ArrowLeft": "\N{LEFTWARDS ARROW}",
    "ArrowRight": "\N{RIGHTWARDS ARROW}",
    "ArrowUp": "\N{UPWARDS ARROW}",
    "ArrowDown": "\N{DOWNWARDS ARROW}",
    "PageUp": "Page Up",
    "PageDown": "Page Down",
}


def read_keys(path: Path = TABLE) -> list[dict[str, str]]:
    """Entries of the table: key (as the browser names it, or words), where, what."""
    entries: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return entries


def key_rows(entries: list[dict[str, str]]) -> dict[str, list[tuple[list[str], str]]]:
    """Rows (keys, what they do) under the words for where they act.

    Keys of one place that do the same stand in one row, in the order of the table.
    """
    grouped: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        rows = grouped.setdefault(entry["where"], {})
        rows.setdefault(entry["what"], []).append(PLAIN.get(entry["key"], entry["key"]))
    return {
        words: [(keys, what) for what, keys in grouped[place].items()]
        for place, words in PLACES.items()
        if place in grouped
    }
