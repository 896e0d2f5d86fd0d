"""A browser with the viewer on a small result folder, for the tests marked browser."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.viewer import preparing
from tests.app.browser_page import FLAGS, ViewerPage, enter, find_chromium, start_server
from tests.app.outside import Outside
from tests.app.result_folder import build_folder
from tests.app.slow_maps import PATIENCE_S


@pytest.fixture(scope="module")
def viewer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ViewerPage]:
    """A browser on the folder that the module's `build` writes, or on the usual one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    root = tmp_path_factory.mktemp("browser")
    folder = getattr(request.module, "build", build_folder)(root)
    outside = Outside()
    process, address = start_server(folder, log=root / "server.log", outside=outside)
    try:
        with outside.listening(), playwright.sync_playwright() as driver:
            context = driver.chromium.launch_persistent_context(
                str(root / "profile"),
                executable_path=chromium,
                args=[*FLAGS, f"--proxy-server={outside.address}"],  # loopback goes without
                viewport={"width": 1400, "height": 900},
            )
            enter(context, address)
            viewer = ViewerPage(context.new_page(), address, folder=folder, outside=outside)
            context.on("request", lambda request: viewer.requests.append(request.url))
            yield viewer
            context.close()
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual result folder, without a browser."""
    return build_folder(tmp_path_factory.mktemp("cases"))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Maps of cases are made only when it is open."""
    opened, make = threading.Event(), preparing.map_volumes

    def wait(*arguments: object, **options: object) -> object:
        assert opened.wait(PATIENCE_S)
        return make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(preparing, "map_volumes", wait)
    yield opened
    opened.set()
