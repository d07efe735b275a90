"""A server as its users start it, and real browsers looking at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
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
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


class Spares:
    """Servers, each with data of its own: the next one starts while a test is at work with the one before."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._starting = ThreadPoolExecutor(1, thread_name_prefix="spares")
        self._next = self._begin()

    def _begin(self) -> Future[Server]:
        return self._starting.submit(Server(self._factory.mktemp("journey") / "data").start)

    def take(self) -> Server:
        """Return a running server."""
        running, self._next = self._next.result(), self._begin()
        return running

    def end(self) -> None:
        """Kill the one that nobody took."""
        self._next.result().kill()
        self._starting.shutdown()


@pytest.fixture(scope="session")
def spares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spares]:
    spares = Spares(tmp_path_factory)
    yield spares
    spares.end()


@pytest.fixture
def server(spares: Spares) -> Iterator[Server]:
    running = spares.take()
    yield running
    if running.process.poll() is None:
        running.kill()
    assert not running.faults()


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

    def open_page(username: str, *, width: int = 1366, height: int = 768, locale: str = "zh-CN", zone: str | None = None) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            locale=locale,
            timezone_id=zone,
            permissions=["camera", "microphone"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        _sign_in(page, server, username)
        return page

    errors: list[str] = []
    yield open_page
    for context in contexts:
        context.close()
    assert not errors, f"a page raised: {errors}"


@pytest.fixture
def mortal(chromium: Browser, server: Server, tmp_path: Path):
    """Return a function that signs in with a browser of its own: the page, and what kills that browser as a power cut would."""
    profile = tmp_path / "profile"
    contexts = []

    def open_page(username: str) -> tuple[Page, Callable[[], None]]:
        context = chromium.browser_type.launch_persistent_context(profile, executable_path=CHROMIUM, args=FLAGS, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        _sign_in(page, server, username)
        return page, kill

    def kill() -> None:
        mine = f"--user-data-dir={profile}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mine in (process / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)

    yield open_page
    kill()
    for context in contexts:
        with contextlib.suppress(Error):  # it is gone
            context.close()


def _sign_in(page: Page, server: Server, username: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.http + "/")
    page.get_by_test_id("login-username").fill(username)
    page.get_by_test_id("login-password").fill("telemed-demo")
    page.get_by_test_id("login-submit").click()
    page.wait_for_url(lambda url: "/login" not in url)


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
