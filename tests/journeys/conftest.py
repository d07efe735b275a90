"""A server as its users start it, and real browsers looking at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydicom.data import get_testdata_file
from support.server import Server

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]


# Patience for a slow machine; nothing here measures speed.
expect.set_options(timeout=30_000)


class Spares:
    """Servers, each with data of its own: the next one starts while a test is at work with the one before."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._starting = ThreadPoolExecutor(1, thread_name_prefix="spares")
        self._next = self._begin()

    def _begin(self) -> Future[Server]:
        return self._starting.submit(Server(self._factory.mktemp("journey") / "data").start)

    def take(self, *, last: bool) -> Server:
        """Return a running server; nobody comes after the *last*."""
        running = self._next.result()
        if not last:
            self._next = self._begin()
        return running


@pytest.fixture(scope="session")
def spares(tmp_path_factory: pytest.TempPathFactory) -> Spares:
    return Spares(tmp_path_factory)


@pytest.fixture
def server(request: pytest.FixtureRequest, spares: Spares) -> Iterator[Server]:
    users = [one for one in request.session.items if "server" in one.fixturenames and one.path.parent == request.path.parent]
    running = spares.take(last=request.node is users[-1])
    yield running
    if running.process.poll() is None:
        running.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: while it lives Playwright's event loop runs in this thread, and tests of others need their own."""
    assert Path(CHROMIUM).exists(), "Chromium is not installed: `make test` installs Debian's chromium when it may"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def sign_in(chromium: Browser, server: Server):
    """Return a function that opens a browser of one's own and signs in as one of the demo's users."""
    contexts = []

    def open_page(username: str, *, width: int = 1366, height: int = 768, locale: str = "zh-CN") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, locale=locale, permissions=["camera", "microphone"]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.http + "/")
        page.get_by_test_id("login-username").fill(username)
        page.get_by_test_id("login-password").fill("telemed-demo")
        page.get_by_test_id("login-submit").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    errors: list[str] = []
    yield open_page
    for context in contexts:
        context.close()
    assert not errors, f"a page raised: {errors}"


@pytest.fixture(scope="session")
def ct_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pydicom's real CT, alone in a folder that dcmtk's storescu can be given."""
    return _copied(tmp_path_factory, "CT_small.dcm")


@pytest.fixture(scope="session")
def ecg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pydicom's real 12-lead ECG."""
    return _copied(tmp_path_factory, "waveform_ecg.dcm")


def _copied(factory: pytest.TempPathFactory, name: str) -> Path:
    found = get_testdata_file(name, download=False)
    assert found, f"pydicom no longer ships {name}"
    target = factory.mktemp("real") / name
    shutil.copy(found, target)
    return target
