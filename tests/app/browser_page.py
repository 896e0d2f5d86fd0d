"""A real viewer in a real browser: server, page, and pixels read back from its canvases."""

import base64
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from medsym.benchmarks.viewer.browser import FLAGS, find_chromium, free_port
from medsym.commands.view_key import KEY_VARIABLE, new_key, with_key
from medsym.commands.viewing import TRUST_NOBODY
from tests.app.outside import Outside

__all__ = ["FLAGS", "ViewerPage", "enter", "find_chromium", "free_port", "start_server"]

ROOT = Path(__file__).parents[2]
#: For a page or a case on a machine that does much else: a browser that starts cold took longer
#: than the 30 s that Playwright waits by itself. What is wrong still fails, later.
PATIENCE_MS = 120_000
KEY = new_key()  # of the viewers that are started here
MARGIN = 50  # canvas pixels at the edges that hold letters and words


def start_server(
    *arguments: Path | str,
    log: Path,
    temporary: Path | None = None,
    outside: Outside | None = None,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the viewer as `medsym view` does, from another folder; returns process and address."""
    port = free_port()
    env = os.environ | ({"TMPDIR": str(temporary)} if temporary else {})
    env |= TRUST_NOBODY | {KEY_VARIABLE: KEY} | (outside.environment() if outside else {})
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / "app" / "asgi.py")]
    command += ["--server.port", str(port), "--", *map(str, arguments)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=log.parent, stdout=stream, stderr=stream, env=env)
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        time.sleep(0.25)
    process.kill()
    msg = f"the server did not start: {log.read_text()}"
    raise RuntimeError(msg)


def enter(context: Any, address: str) -> None:
    """Let a browser in, as the address that `medsym view` says does."""
    assert context.request.get(with_key(address, KEY)).ok


class ViewerPage:
    """The review page of one case in a browser tab."""

    def __init__(
        self, tab: Any, address: str, *, folder: Path, outside: Outside | None = None
    ) -> None:
        self.requests: list[str] = []  # addresses that the browser asked for
        self.outside = outside  # hears what browser and server ask of other machines
        self.tab = tab
        self.address = address
        self.folder = folder  # of the results
        self.frames: list[Any] = []
        tab.set_default_timeout(PATIENCE_MS)
        tab.on("websocket", self._watch)

    def _watch(self, connection: Any) -> None:
        def remember(frame: Any) -> None:
            self.frames.append(frame)

        connection.on("framesent", remember)

    def open(self, case: str, **query: object) -> "ViewerPage":
        """Open a case and wait until its planes are drawn."""
        words = "".join(f"&{key}={value}" for key, value in query.items())
        self.tab.goto(f"{self.address}/review?case={case}{words}")
        self.tab.locator('.medsym[data-status="ready"]').wait_for()
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until what was asked for is drawn and counted: frames and the counting pause."""
        frame = (
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        self.tab.evaluate(frame)
        self.tab.wait_for_timeout(120)
        self.tab.evaluate(frame)

    def press(self, button: str) -> None:
        """Press a button by its name."""
        self.tab.get_by_role("button", name=button, exact=True).click()
        self.settle()

    def tick(self, label: str) -> None:
        """Change a check box by its label."""
        self.tab.get_by_role("checkbox", name=label).click()
        self.settle()

    def key(self, plane: str, key: str) -> None:
        """Press a key while a plane has the focus."""
        self.canvas(plane).focus()
        self.tab.keyboard.press(key)
        self.settle()

    def slide(self, name: str, value: float) -> None:
        """Move a slider, as a mouse would."""
        script = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }"
        self.tab.locator(f'input[data-slider="{name}"]').evaluate(script, value)
        self.settle()

    def canvas(self, plane: str) -> Any:
        """Locator of a plane's canvas; "mirror" is the mirrored one."""
        return self.tab.locator(f'canvas[data-plane="{plane}"]')

    def pixels(self, plane: str) -> np.ndarray:
        """RGB of a plane's canvas, (row, column, 3), int."""
        script = """canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let text = ""; for (const value of data) text += String.fromCharCode(value);
            return [width, height, btoa(text)]; }"""
        width, height, packed = self.canvas(plane).evaluate(script)
        flat = np.frombuffer(base64.b64decode(packed), dtype=np.uint8)
        return flat.reshape(height, width, 4)[..., :3].astype(int)

    def inner(self, plane: str) -> np.ndarray:
        """Pixels without the margin; the margin is black, so positions stay."""
        image = self.pixels(plane)
        kept = np.zeros_like(image)
        kept[MARGIN:-MARGIN, MARGIN:-MARGIN] = image[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return kept

    def value(self, name: str) -> str:
        """A value of the readout, with an ordinary minus sign."""
        text: str = self.tab.locator(f'dd[data-value="{name}"]').inner_text()
        return text.replace("\N{MINUS SIGN}", "-")

    def position_mm(self, name: str = "mm") -> list[float]:
        """A position of the readout, mm."""
        return [float(part) for part in self.value(name).split()]


def share_across(mask: np.ndarray) -> float:
    """Where a set of pixels lies across the canvas: 0 left edge, 1 right edge."""
    assert mask.sum() > 10, "nothing to be seen"
    return float(np.argwhere(mask)[:, 1].mean() / mask.shape[1])


def is_white(image: np.ndarray) -> np.ndarray:
    """Pixels at the top of the window."""
    return image.min(axis=-1) > 235


def is_orange(image: np.ndarray) -> np.ndarray:
    """Pixels of the ramp for "more than the mirror side"."""
    return image[..., 0] - image[..., 2] > 50


def is_blue(image: np.ndarray) -> np.ndarray:
    """Pixels of the ramp for "less than the mirror side"."""
    return image[..., 2] - image[..., 0] > 25
