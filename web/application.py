"""The web application, assembled: one table of routes, the middleware around it, and what runs as long as it does."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import WSCloseCode, web
from aiohttp.http import HttpProcessingError

from consult.delivery.channels import Gateways
from consult.reports.document.authority import Authority
from consult.reports.document.documents import Documents
from dicom_node.archive.archive import Archive
from dicom_node.imaging.imaging import Imaging
from telemed.kernel.audit import Chronicle, Witness
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from web import health, keys, middleware, pages, recognition
from web.accounts.passwords import Passwords
from web.api.openapi import document
from web.api.operations import PREFIX, route
from web.api.table import OPERATIONS
from web.deadlines import ASKS_WITHIN_S, limit_taking
from web.denials import DENIED, denials, new_memory
from web.dicomweb import routes as dicomweb
from web.live.hub import Hub
from web.live.socket import live
from web.metrics import Metrics
from web.problems import note_begun, problems
from web.rtc.signalling import TABLES, Tables, signal

log = logging.getLogger("telemed.http")

#: A request's body, where the operation has no bound of its own.
LARGEST_BODY = 1 << 20
#: Threads for short work on the database, and for slow work: decoding, signing, files.
QUICK_THREADS, SLOW_THREADS = 16, 16

OPENAPI_PATH = f"{PREFIX}/openapi.json"


async def get_openapi(request: web.Request) -> web.Response:
    """Return the API's description of itself; it holds nothing that needs hiding."""
    return web.Response(body=request.app[keys.OPENAPI], content_type="application/json")


#: Every route of the site, by the first that fits.
ROUTES = (
    web.get("/healthz", health.healthz),
    web.get("/readyz", health.readyz),
    web.get("/metrics", health.metrics),
    web.get(OPENAPI_PATH, get_openapi),
    web.get(f"{PREFIX}/live", live),
    web.get(f"{PREFIX}/rounds/{{round_id}}/signal", signal),
    *(route(operation) for operation in OPERATIONS),
    *dicomweb.ROUTES,
    *pages.ROUTES,
)

#: What may be used without signing in: (method, canonical path).
OPEN = frozenset(
    {("GET", path) for path in ("/healthz", "/readyz", "/metrics", OPENAPI_PATH, "/{path}")}
    | {(operation.method, PREFIX + operation.path) for operation in OPERATIONS if operation.permission is None}
)


NO_GATEWAYS = Gateways()


def make_application(
    *,
    database: Database,
    chronicle: Chronicle,
    witness: Witness,
    archive: Archive,
    confinement: Confinement,
    passwords: Passwords,
    authority: Authority,
    static_folder: Path,
    fonts_folder: Path,
    uploads_folder: Path,
    imaging: Imaging,
    gateways: Gateways = NO_GATEWAYS,
    checks: Mapping[str, Callable[[], bool]] | None = None,
    origin: str | None = None,
    dicom_address: str = "",
    ice_servers: tuple[str, ...] = (),
) -> web.Application:
    """Return the application over what the composition root built.

    *checks* are what /readyz asks beside the database, by name. *fonts_folder* holds the type that PDFs embed, *uploads_folder*
    what is being sent. *origin* is the site as browsers see it (``https://...``) when a proxy stands in front; *dicom_address* is
    shown to clinics as what their modalities are to send to.
    """
    around = [middleware.observe, problems, middleware.guard, denials, middleware.catch_up]
    app = web.Application(middlewares=around, client_max_size=LARGEST_BODY)
    app[keys.DATABASE] = database
    app[keys.CHRONICLE] = chronicle
    app[keys.WITNESS] = witness
    app[keys.CLOCK] = chronicle.clock
    app[keys.ARCHIVE] = archive
    app[keys.IMAGING] = imaging
    app[keys.CONFINEMENT] = confinement
    app[keys.GATEWAYS] = gateways
    app[keys.DOCUMENTS] = Documents(database, archive, imaging, confinement, authority=authority, fonts=fonts_folder)
    app[keys.FONTS] = fonts_folder
    app[keys.UPLOADS] = uploads_folder
    app[keys.PASSWORDS] = passwords
    app[keys.METRICS] = Metrics()
    app[keys.HUB] = Hub(database, chronicle.events)
    app[keys.SITE] = keys.Site(origin, dicom_address)
    app[keys.OPEN_ROUTES] = OPEN
    app[keys.OPENAPI] = json.dumps(document(OPERATIONS), ensure_ascii=False).encode()
    app[health.CHECKS] = {"database": database.is_up, **(checks or {})}
    app[pages.STATIC] = static_folder
    app[DENIED] = new_memory()
    app[recognition.KNOWN] = recognition.new_memory()
    app[TABLES] = Tables(ice_servers)
    dicomweb.prepare(app)
    app.add_routes(ROUTES)
    app.on_response_prepare.extend((middleware.set_headers, note_begun, limit_taking))
    app.cleanup_ctx.append(_threads)
    app.cleanup_ctx.append(_hub)
    app.on_shutdown.append(_send_away)
    return app


def runner_of(app: web.Application) -> web.AppRunner:
    """Return what serves *app*: without aiohttp's own access log, whose lines name paths and queries, and so patients."""
    return web.AppRunner(
        app, access_log=None, logger=log, handle_signals=False, keepalive_timeout=ASKS_WITHIN_S, shutdown_timeout=5
    )


def _ours_to_tell(record: logging.LogRecord) -> bool:
    """Keep that a request could not be read, and not what aiohttp quotes of it: that may name a patient, or be a token.

    Nothing is kept of readers who went away: whoever leaves a study while it loads is no fault.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectionError):
        return False
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args, record.exc_info = "a request could not be read as HTTP", (), None
    return True


log.addFilter(_ours_to_tell)


async def _threads(app: web.Application) -> AsyncIterator[None]:
    with (
        ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="web-quick") as quick,
        ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="web-slow") as slow,
    ):
        app[keys.THREADS] = quick
        app[keys.SLOW_THREADS] = slow
        yield


async def _hub(app: web.Application) -> AsyncIterator[None]:
    app[keys.HUB].start(asyncio.get_running_loop())
    yield
    app[keys.HUB].stop(WSCloseCode.GOING_AWAY)


async def _send_away(app: web.Application) -> None:
    """End the sockets before the server waits for its requests to finish."""
    app[keys.HUB].stop(WSCloseCode.GOING_AWAY)
    await app[TABLES].close()
