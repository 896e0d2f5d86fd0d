"""Make the README's pictures anew: `medsym demo --no-view --out DIR`, then this module on DIR.

    python -m tests.app.readme_pictures DIR app/pictures

Results of the bundled synthetic heads only: pictures of people do not belong into a repository.
"""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.app.browser_page import FLAGS, ViewerPage, enter, find_chromium, start_server

STROKE = "sub-leftstroke_FLAIR"
SIZE = {"width": 1280, "height": 800}


def review(viewer: ViewerPage) -> None:
    """The planes of a finding."""
    viewer.open(STROKE)


def why(viewer: ViewerPage) -> None:
    """Why it was flagged."""
    viewer.open(STROKE)
    viewer.key("axial", "w")


def compare(viewer: ViewerPage) -> None:
    """The scan beside its own mirror."""
    viewer.tab.goto(f"{viewer.address}/compare?case={STROKE}")
    viewer.tab.locator('.medsym[data-status="ready"]').wait_for(timeout=60_000)


PICTURES: dict[str, Callable[[ViewerPage], None]] = {
    "review": review,
    "why": why,
    "compare": compare,
}


def take(results: Path, out: Path) -> None:
    """Write one picture per entry of PICTURES."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as browsers:
        process, address = start_server(results, log=Path(scratch) / "server.log")
        chromium = browsers.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            for name, show in PICTURES.items():
                context = chromium.new_context(viewport=SIZE)
                enter(context, address)
                viewer = ViewerPage(context.new_page(), address, folder=results)
                show(viewer)
                viewer.tab.wait_for_timeout(3000)  # what is counted and loaded after the planes
                with Image.open(io.BytesIO(viewer.tab.screenshot())) as picture:
                    picture.convert("RGB").save(out / f"{name}.webp", quality=80, method=6)
        finally:
            chromium.close()
            process.kill()


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
