"""OHIF as its makers publish it (`@ohif/app`), our DICOMweb its only data source, one study shown in Chromium. By `make ohif`."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from benchmarks.peers import Corpus
from PIL import Image
from playwright.sync_api import sync_playwright
from support import dcmtk
from support.server import until

pytestmark = pytest.mark.ohif

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
SLICES = 10
STUDY = "1.2.826.0.1.3680043.8.498.77.1001"
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "telemed",
    "configuration": {
        "friendlyName": "telemed", "name": "telemed", "qidoRoot": "/dicom-web", "wadoRoot": "/dicom-web",
        "wadoUriRoot": "/dicom-web", "qidoSupportsIncludeField": True, "supportsFuzzyMatching": True, "supportsWildcard": True,
        "imageRendering": "wadors", "thumbnailRendering": "wadors", "enableStudyLazyLoad": True,
        "bulkDataURI": {"enabled": True},
    },
}  # fmt: skip
CONFIGURATION = f"""window.config = {{
  routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
  showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false, defaultDataSourceName: "telemed",
  dataSources: [{json.dumps(SOURCE)}],
}};"""


class Front:
    """What a hospital's web server does: OHIF's files, and /dicom-web passed on to ours with a token."""

    def __init__(self, files: Path, ours: str, token: str) -> None:
        self._files, self._ours, self._token = files, ours, token
        self.refused: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> str:
        app = web.Application()
        app.add_routes([web.get("/dicom-web/{path:.*}", self._pass_on), web.get("/{path:.*}", self._file)])
        self._client = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._client.close()
        await self._runner.cleanup()
        await asyncio.sleep(0.05)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/app-config.js":
            return web.Response(text=CONFIGURATION, content_type="text/javascript")
        found = self._files / request.path.lstrip("/")
        return web.FileResponse(found if found.is_file() else self._files / "index.html")

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": request.headers.get("Accept", "*/*")}
        async with self._client.get(self._ours + request.path_qs, headers=headers) as answer:
            if answer.status >= 400:
                self.refused.append(f"{answer.status} {request.path_qs} {headers['Accept']}")
            passed = {name: answer.headers[name] for name in ("Content-Type", "Content-Encoding") if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=passed)


@pytest.fixture
def ohif(server, telemed, tmp_path):
    """OHIF's address, with a study of CT slices at our server."""
    files = Path(os.environ["TELEMED_OHIF"])
    folder = Corpus(tmp_path / "corpus").batch("ct", SLICES)
    done = dcmtk.storescu(server.dicom_port, folder)
    assert dcmtk.acknowledged(done.stdout + done.stderr) == SLICES, done.stderr
    front = Front(files, server.http, telemed("token", "create", "clinic", "--data", server.data).stdout.strip())
    yield front.start()
    front.stop()
    assert front.refused == []


def test_ohif_lists_our_studies_and_shows_one(ohif, tmp_path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(ohif)
        page.get_by_text("Bench, Mark").first.wait_for(timeout=90_000)
        page.screenshot(path=tmp_path / "list.png")
        page.goto(f"{ohif}/viewer?StudyInstanceUIDs={STUDY}")
        page.locator(".cornerstone-canvas").first.wait_for(timeout=90_000)
        picture = tmp_path / "study.png"

        def is_shown() -> bool:
            page.screenshot(path=picture)
            middle = np.asarray(Image.open(picture).convert("L"))[300:600, 500:900]
            return float(middle.std()) > 5  # the slices are noise, dimmed behind OHIF's first hint; nothing else is there

        until(is_shown, seconds=90, every=1)
        browser.close()
