"""The viewer's numbers as a table for people, beside what was wanted."""

from typing import Any

from medsym.text_table import aligned

#: Wanted on 2 processor cores, of a scan of 256 x 256 x 256 voxels.
FIRST_PAINT_S, SLICE_MS, THRESHOLD_MS, RERUN_MS, RERUN_BYTES = 4.0, 60.0, 5.0, 300.0, 10_000

#: A machine with a higher load average did something else, too.
IDLE_LOAD = 0.5


def format_viewer(numbers: dict[str, Any]) -> str:
    """Every measurement in a row, and what it was measured on."""
    review, worklist = numbers["review"], numbers["worklist"]
    rows = [["", "median", "95 %", "wanted"], *_review_rows(review), *_worklist_rows(worklist)]
    shape = " x ".join(str(size) for size in numbers["shape"])
    machine, before = numbers["machine"]["processor"], numbers["load_before"]
    return "\n".join(
        [
            *aligned(rows),
            "",
            f"{numbers['case']}, {shape} voxels; {worklist['cases']} made cases in the work list",
            f"slices drawn {review['slices_drawn']} of {review['slices_asked']} asked for",
            f"{machine}, {numbers['processors']} processors",
            f"Chromium {numbers['browser']}, drawing in software",
            f"load {before:.1f} before and {numbers['load_after']:.1f} after"
            + ("" if before < IDLE_LOAD else ": the machine was not idle"),
        ]
    )


def _review_rows(review: dict[str, Any]) -> list[list[str]]:
    rerun = review["rerun"]
    return [
        _once(
            "first paint, server has not read the case, s",
            [review["first_paint_first_s"]],
            FIRST_PAINT_S,
        ),
        _once("with its maps, s", [review["maps_first_s"]], FIRST_PAINT_S),
        _once(
            "first paint, again by a new browser, s", review["first_paint_again_s"], FIRST_PAINT_S
        ),
        _once("with its maps, s", review["maps_again_s"], FIRST_PAINT_S),
        _row("frame with nothing to do, ms", review["empty_frame_ms"]),
        _row("slice, frame to frame, ms", review["slice_frame_ms"], SLICE_MS),
        _row("slice, JavaScript, ms", review["slice_script_ms"]),
        _row("threshold, JavaScript, ms", review["threshold_script_ms"], THRESHOLD_MS),
        _row("rerun after a click, ms", rerun["ms"], RERUN_MS),
        _bytes("rerun, websocket bytes", rerun, RERUN_BYTES),
    ]


def _worklist_rows(worklist: dict[str, Any]) -> list[list[str]]:
    return [
        _once("work list, first opened, s", [worklist["open_first_s"]]),
        _once("work list, again by a new browser, s", worklist["open_again_s"]),
        ["work list, websocket bytes", f"{worklist['open_websocket']}", "", ""],
        ["pictures fetched at opening", f"{worklist['open_pictures']}", "", ""],
        _row("scrolling, frame to frame, ms", worklist["scroll_frame_ms"]),
        ["pictures fetched while scrolling", f"{worklist['scroll_pictures']}", "", ""],
        _row("filter, ms", worklist["filter"]["ms"]),
        _bytes("filter, websocket bytes", worklist["filter"]),
        _row("next case (without volumes), ms", worklist["next_case"]["ms"]),
        _bytes("next case, websocket bytes", worklist["next_case"]),
    ]


def _row(name: str, spread: dict[str, float], wanted: float | None = None) -> list[str]:
    limit = "" if wanted is None else f"{wanted:g}"
    return [name, f"{spread['median']:.1f}", f"{spread['p95']:.1f}", limit]


def _once(name: str, seconds: list[float], wanted: float | None = None) -> list[str]:
    limit = "" if wanted is None else f"{wanted:g}"
    middle = f"{sorted(seconds)[len(seconds) // 2]:.2f}" if seconds else "-"
    return [name, middle, f"{max(seconds):.2f}" if seconds else "-", limit]


def _bytes(name: str, reruns: dict[str, Any], wanted: float | None = None) -> list[str]:
    limit = "" if wanted is None else f"{wanted:g}"
    return [name, f"{reruns['websocket']:.0f}", f"{reruns['websocket_largest']}", limit]
