"""What machines ask: is it up, can it work, how much does it do. Without a word about any patient."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from aiohttp import web
from sqlalchemy import Connection, func, select

from consult.queue.model import TaskStatus
from consult.queue.tables import task_table
from dicom_node.archive.tables import study_table
from telemed.kernel.errors import Refused
from web import keys
from web.api.transact import consult_view, off_loop
from web.metrics import line
from web.security import SIGNED_IN

#: What the server needs to be of use, by name; each answers True when it works.
CHECKS: web.AppKey[Mapping[str, Callable[[], bool]]] = web.AppKey("checks")
#: Headers by which a proxy says that the request came from elsewhere.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")


async def healthz(_request: web.Request) -> web.Response:
    """Say that the process answers."""
    return web.json_response({"status": "up"})


async def readyz(request: web.Request) -> web.Response:
    """Say of each part whether it works; 503 when one does not."""
    checks = request.app[CHECKS]
    found = {name: await off_loop(request, check) for name, check in checks.items()}
    return web.json_response(found, status=200 if all(found.values()) else 503)


async def metrics(request: web.Request) -> web.Response:
    """Return the figures for Prometheus: to the machine itself, and to nobody through a proxy."""
    if SIGNED_IN not in request and not _is_local(request):
        raise Refused("the metrics are for this machine; scrape them from it", code="not-local")
    gauges = await consult_view(request, _gauges)
    gauges.append(line("telemed_live_sockets", {}, len(request.app[keys.HUB])))
    text = "\n".join([*request.app[keys.METRICS].lines(), *gauges]) + "\n"
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _is_local(request: web.Request) -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _gauges(db: Connection) -> list[str]:
    by_status = select(task_table.c.status, func.count()).group_by(task_table.c.status)
    counts: dict[str, int] = {row[0]: row[1] for row in db.execute(by_status)}
    kept = select(func.count(), func.coalesce(func.sum(study_table.c.instance_count), 0)).select_from(study_table)
    studies, instances = db.execute(kept).one()
    return [
        "# TYPE telemed_tasks gauge",
        *(line("telemed_tasks", {"status": status}, counts.get(status, 0)) for status in TaskStatus),
        "# TYPE telemed_studies gauge",
        line("telemed_studies", {}, studies),
        "# TYPE telemed_instances gauge",
        line("telemed_instances", {}, instances),
        "# TYPE telemed_live_sockets gauge",
    ]
