"""Opens a case and a work list in a real browser and measures what a reader waits for."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from medsym.benchmarks.machine import machine
from medsym.benchmarks.viewer.browser import Start, driver, free_port, fresh_browser, server
from medsym.benchmarks.viewer.folder import first_record, made_cohort
from medsym.benchmarks.viewer.probes import FRAMES, SLIDES, WATCH_FIRST_PAINT
from medsym.benchmarks.viewer.tab import Rerun, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

Starter = Callable[[Path, int], Start]
READER = "benchmark"  # enters verdicts and saves none
SLICES, SLIDES_COUNT, RERUNS = 60, 40, 10
WHEEL_STEPS, WHEEL_PX = 30, 400.0
READY = '.medsym[data-status="ready"]'


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewerPlan:
    """What is measured.

    Attributes:
        folder: result folder whose case is opened.
        case: its name; None for the first assessable one.
        cases: of the made work list.
        repeat: how often the case and the list are opened, each time by a new browser.
    """

    folder: Path
    case: str | None = None
    cases: int = 1000
    repeat: int = 3


def run_viewer_benchmark(
    plan: ViewerPlan, *, start: Starter, report: Callable[[str], None]
) -> dict[str, Any]:
    """Measure; returns plain values, times in ms unless the key says s.

    Args:
        plan: what is measured.
        start: (result folder, port) -> how the viewer's server is started.
        report: receives a line per step.

    Raises:
        OutputError: MS-700..703, there is no browser, no server or no such case.
    """
    record, load = first_record(plan.folder, case=plan.case), os.getloadavg()[0]
    with driver() as playwright, tempfile.TemporaryDirectory(prefix="medsym-bench-") as scratch:
        report(f"opening {record['case']} {plan.repeat} times")
        review, version = _review(plan, str(record["case"]), playwright, start=start)
        report(f"opening a work list of {plan.cases} cases {plan.repeat} times")
        cohort = made_cohort(Path(scratch) / "cohort", like=plan.folder, cases=plan.cases)
        worklist = _worklist(plan, cohort, playwright, start=start)
    return {
        "case": record["case"],
        "shape": record["scan"]["shape"],
        "review": review,
        "worklist": worklist,
        "browser": version,
        "processors": os.cpu_count(),
        "load_before": load,
        "load_after": os.getloadavg()[0],
        "machine": machine(),
    }


def _review(
    plan: ViewerPlan, case: str, playwright: "Playwright", *, start: Starter
) -> tuple[dict[str, Any], str]:
    """The review page of one case, and the browser's version."""
    port, painted, complete, found, version = free_port(), [], [], {}, ""
    viewer = start(plan.folder, port)
    with server(viewer, port=port) as address:
        for turn in range(plan.repeat):
            with fresh_browser(playwright) as context:
                version = context.browser.version if context.browser else ""
                tab = Tab.open(context, address, entrance=viewer.entrance)
                tab.page.add_init_script(WATCH_FIRST_PAINT)
                tab.go(f"/review?case={case}")
                tab.page.locator(READY).wait_for()
                tab.rest()
                painted.append(tab.seconds("medsymPainted"))
                complete.append(tab.seconds("medsymComplete"))
                if turn == plan.repeat - 1:
                    found = _feel(tab)
    return {
        "first_paint_first_s": painted[0],
        "first_paint_again_s": painted[1:],
        "maps_first_s": complete[0],
        "maps_again_s": complete[1:],
        **found,
    }, version


def _feel(tab: Tab) -> dict[str, Any]:
    """Slices, threshold and reruns of the case that is open."""
    plane = tab.page.locator('canvas[data-plane="axial"]')
    keys = ["PageUp", "PageDown"]
    plane.evaluate(FRAMES, {"count": SLICES, "key": keys})  # code is compiled when it is used
    empty = plane.evaluate(FRAMES, {"count": SLICES, "key": None})
    slices = plane.evaluate(FRAMES, {"count": SLICES, "key": keys})
    slider = tab.page.locator('input[data-slider="threshold"]')
    slides = slider.evaluate(SLIDES, {"count": SLIDES_COUNT})
    name = tab.page.get_by_label("Reader", exact=True)
    name.fill(READER)
    name.press("Enter")
    choice = tab.page.get_by_role("radio", name="Accept").first
    choice.wait_for()
    tab.rest()
    return {
        "empty_frame_ms": _spread(empty["times"]),
        "slice_frame_ms": _spread(slices["times"]),
        "slice_script_ms": _spread(slices["drawing"]),
        "slices_drawn": slices["drawn"],
        "slices_asked": SLICES,
        "threshold_script_ms": _spread(slides["times"]),
        "threshold_drawn": slides["drawn"],
        "rerun": _reruns([tab.rerun(choice) for _ in range(RERUNS)]),
    }


def _worklist(
    plan: ViewerPlan, cohort: Path, playwright: "Playwright", *, start: Starter
) -> dict[str, Any]:
    """The list of many cases: opened, scrolled, searched, stepped through."""
    port, opened, found = free_port(), [], {}
    viewer = start(cohort, port)
    with server(viewer, port=port) as address:
        for turn in range(plan.repeat):
            with fresh_browser(playwright) as context:
                tab = Tab.open(context, address, entrance=viewer.entrance)
                tab.go("/")
                tab.page.locator('[data-testid="stDataFrame"] canvas').first.wait_for()
                tab.page.get_by_role("button", name="Open sub-").wait_for()
                opened.append(tab.now_ms() / 1000)
                tab.rest()
                if turn == plan.repeat - 1:
                    found = _walk(tab)
    return {"cases": plan.cases, "open_first_s": opened[0], "open_again_s": opened[1:], **found}


def _walk(tab: Tab) -> dict[str, Any]:
    """What a reader does with the list; bytes and pictures as it was opened come first."""
    opened = asdict(tab.traffic)
    box = tab.page.get_by_test_id("stDataFrame").bounding_box()
    assert box is not None  # it was waited for
    tab.page.mouse.move(box["x"] + 300, box["y"] + 300)

    def scroll() -> None:
        for _ in range(WHEEL_STEPS):
            tab.page.mouse.wheel(0, WHEEL_PX)

    frames = tab.frames(scroll)
    tab.rest()
    scrolled = tab.traffic.pictures
    filters = tab.page.get_by_role("button", name="With findings", exact=True)
    filtered = [tab.rerun(filters) for _ in range(4)]
    tab.page.get_by_role("button", name="Open sub-").click()
    tab.page.get_by_role("button", name="Next").wait_for()
    tab.rest()
    steps = [tab.rerun(tab.page.get_by_role("button", name="Next")) for _ in range(RERUNS)]
    return {
        "open_websocket": opened["websocket"],
        "open_pictures": opened["pictures"],
        "scroll_frame_ms": _spread(frames),
        "scroll_pictures": scrolled - opened["pictures"],
        "filter": _reruns(filtered),
        "next_case": _reruns(steps),
    }


def _spread(times: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    values = np.asarray(times, dtype=np.float64)
    return {"median": float(np.median(values)), "p95": float(np.percentile(values, 95))}


def _reruns(runs: Sequence[Rerun]) -> dict[str, Any]:
    return {
        "ms": _spread([run.ms for run in runs]),
        "websocket": median(run.websocket for run in runs),
        "websocket_largest": max(run.websocket for run in runs),
    }
