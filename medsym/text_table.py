"""Rows as tables: plain text for the terminal, Markdown for files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a plain table: first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """A Markdown table: a title and the text of a cell per column."""
    lines = [
        "| " + " | ".join(title for title, _ in columns) + " |",
        "|---" * len(columns) + "|",
    ]
    lines += ["| " + " | ".join(cell(row) for _, cell in columns) + " |" for row in rows]
    return "\n".join(lines)


def with_interval(name: str) -> Callable[[Row], str]:
    """Cells of a number and of its interval, the entry ``name_interval`` of a row."""

    def cell(row: Row) -> str:
        low, high = row[f"{name}_interval"]
        return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"

    return cell
