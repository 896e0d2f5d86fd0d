"""One tab of the browser on the viewer, with what travels over its websocket and by HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medsym.benchmarks.viewer.probes import COLLECT, COUNT_RUNS, NOW, RECORD, RERUN

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

WAIT_MS = 120_000
SETTLE_MS = 400  # for what the page does after it was drawn, such as counting millilitres


@dataclass(kw_only=True, slots=True)
class Traffic:
    """What has arrived so far: payloads, before the websocket's or HTTP's own packing."""

    websocket: int = 0
    pictures: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """A run of the page's Python that a click asked for: milliseconds, bytes that arrived."""

    ms: float
    websocket: int


@dataclass(kw_only=True, slots=True)
class Tab:
    """A page of the viewer."""

    page: "Page"
    address: str
    traffic: Traffic = field(default_factory=Traffic)

    @classmethod
    def open(cls, context: "BrowserContext", address: str, *, entrance: str) -> "Tab":
        """An empty tab, let in, that counts what arrives."""
        context.request.get(f"{address}{entrance}")
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(COUNT_RUNS)
        tab = cls(page=page, address=address)

        def arrived(payload: Any) -> None:
            tab.traffic.websocket += len(payload)

        def answered(response: Any) -> None:
            tab.traffic.pictures += "/medsym/pictures/" in response.url and response.ok

        page.on("websocket", lambda connection: connection.on("framereceived", arrived))
        page.on("response", answered)
        return tab

    def go(self, path: str) -> None:
        """Ask for a page of the viewer."""
        self.page.goto(f"{self.address}{path}")

    def rest(self) -> None:
        """Wait until Python has run and the page has settled."""
        self.page.locator('[data-test-script-state="notRunning"]').wait_for()
        self.page.wait_for_timeout(SETTLE_MS)

    def now_ms(self) -> float:
        """Milliseconds since the page was asked for, two frames from now."""
        return float(self.page.evaluate(NOW))

    def seconds(self, mark: str) -> float:
        """When something was on the screen, since the page was asked for; waited for."""
        return float(self.page.wait_for_function(f"window.{mark}").json_value()) / 1000

    def rerun(self, element: "Locator") -> Rerun:
        """Click, and wait for the end of the run that the click asked for."""
        before = self.traffic.websocket
        took = float(element.evaluate(RERUN))
        self.rest()
        return Rerun(ms=took, websocket=self.traffic.websocket - before)

    def frames(self, act: Callable[[], None]) -> list[float]:
        """Milliseconds from frame to frame while something is done."""
        self.page.evaluate(RECORD)
        act()
        return [float(value) for value in self.page.evaluate(COLLECT)]
