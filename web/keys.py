"""What the composition root hands to the handlers, by typed key: ``request.app[keys.DATABASE]``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from consult.delivery.channels import Gateways
from consult.reports.document.documents import Documents
from dicom_node.archive.archive import Archive
from dicom_node.imaging.imaging import Imaging
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import Clock
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from web.accounts.passwords import Passwords
from web.metrics import Metrics

if TYPE_CHECKING:
    from web.live.hub import Hub


@dataclass(frozen=True)
class Site:
    """Where the server stands, as seen from outside."""

    #: Scheme and authority people use, ``https://telemed.example``; None follows each request's own Host.
    origin: str | None = None
    #: What a modality is to be pointed at: AE title, host and port, shown to the clinic. Empty when there is no node.
    dicom_address: str = ""


DATABASE = web.AppKey("database", Database)
CHRONICLE = web.AppKey("chronicle", Chronicle)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
ARCHIVE = web.AppKey("archive", Archive)
CONFINEMENT = web.AppKey("confinement", Confinement)
GATEWAYS = web.AppKey("gateways", Gateways)
IMAGING = web.AppKey("imaging", Imaging)
#: The folder in which uploads lie while they are dealt with.
UPLOADS = web.AppKey("uploads", Path)
#: The folder of the type that PDFs embed.
FONTS = web.AppKey("fonts", Path)
#: Makes the PDFs of reports.
DOCUMENTS = web.AppKey("documents", Documents)
PASSWORDS = web.AppKey("passwords", Passwords)
#: The threads in which the database is spoken to; bounded, so that a burst waits instead of drowning the machine.
THREADS = web.AppKey("threads", ThreadPoolExecutor)
#: The threads for slow work, apart, so that decoding and signing never keep a sign-in or a queue waiting.
SLOW_THREADS = web.AppKey("slow_threads", ThreadPoolExecutor)
HUB: web.AppKey[Hub] = web.AppKey("hub")
METRICS = web.AppKey("metrics", Metrics)
SITE = web.AppKey("site", Site)
#: (method, canonical path) of every route that may be used without signing in.
OPEN_ROUTES = web.AppKey("open_routes", frozenset[tuple[str, str]])
#: The OpenAPI document.
OPENAPI = web.AppKey("openapi", bytes)
