"""The whole way of a login in a real browser, with an OpenID Connect provider on this machine."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsym.commands.view_access import Access
from medsym.commands.viewing import server_command, server_environment
from tests.app.browser_page import FLAGS, find_chromium, free_port
from tests.app.identity_provider import Provider
from tests.app.result_folder import build_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
READY = '.medsym[data-status="ready"]'


@pytest.fixture
def provider() -> Iterator[Provider]:
    pytest.importorskip("authlib", reason="the extra 'login' is not installed")
    with Provider().running() as running:
        yield running


@pytest.fixture
def address(provider: Provider, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/clinic"
    login = tmp_path / "login.toml"
    login.write_text(
        provider.login_file(redirect_uri=f"{url}/oauth2callback", readers=["*@clinic.example"])
    )
    access = Access(login=login, base_path="clinic")
    command = server_command(build_folder(tmp_path), port=port, access=access)
    environment = server_environment()
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment)
    try:
        for _ in range(240):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.25)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_nothing_is_shown_before_the_login_and_the_reader_is_who_logged_in(
    provider: Provider, address: str, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=chromium, args=[*FLAGS]
        )
        tab = browser.new_page()
        asked: list[str] = []
        browser.on("request", lambda request: asked.append(request.url))
        log_in = tab.get_by_role("button", name="Log in")
        tab.goto(f"{address}/review?case=sub-01_T1w")
        log_in.wait_for(timeout=60_000)
        assert "sub-01" not in tab.inner_text("body")
        of_scans = [url for url in asked if "/medsym/" in url and "/medsym/web/" not in url]
        assert not of_scans, "no picture, no volume"
        log_in.click()
        tab.get_by_text("reader@clinic.example", exact=True).wait_for(timeout=30_000)
        assert provider.asked == [f"{address}/oauth2callback"]
        assert tab.url == f"{address}/review?case=sub-01_T1w", "what was asked for before the login"
        tab.locator(READY).wait_for(timeout=60_000)
        assert tab.get_by_text("Reader: reader@clinic.example").is_visible()
        assert tab.get_by_label("Reader", exact=True).count() == 0
        (volume, *_) = [url for url in asked if "/medsym/volumes/" in url]
        fetched = "url => fetch(url).then(answer => answer.status)"
        assert tab.evaluate(fetched, volume) == 200
        tab.get_by_role("button", name="Log out").click()
        log_in.wait_for(timeout=30_000)
        assert tab.evaluate(fetched, volume) == 404, "addresses end with the session"
        log_in.click()
        tab.get_by_text("reader@clinic.example", exact=True).wait_for(timeout=30_000)
        assert "sub-01" not in tab.url, "the next reader does not begin where the last one ended"
        browser.close()
