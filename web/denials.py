"""Looks that were denied: somebody asked for a study that is there, and not for them. The trail names who and which."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy import Connection, select

from consult.access import visible
from consult.practitioners.model import Viewer
from dicom_node.archive.tables import instance_table, series_table, study_table
from dicom_node.imaging.cache import RecentlyUsed
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.errors import NotFound, Refused, Unavailable
from web import keys
from web.api.transact import consult_view, transact
from web.security import SIGNED_IN

log = logging.getLogger(__name__)

#: What was denied lately, by person, object and minute: who knocks without end is named once a minute.
DENIED = web.AppKey("denied", RecentlyUsed[bool])


def new_memory() -> RecentlyUsed[bool]:
    """Return a memory for DENIED."""
    return RecentlyUsed(10_000)


@web.middleware
async def denials(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a refusal of what a path names, and let it pass on."""
    try:
        return await handler(request)
    except (NotFound, Refused):
        part = request.match_info
        study, instance = part.get("study") or part.get("study_instance_uid") or "", part.get("sop_instance_uid") or ""
        if SIGNED_IN in request and (study or instance):
            await _noticed(request, study, instance)
        raise


async def _noticed(request: web.Request, study: str, instance: str) -> None:
    viewer, chronicle = request[SIGNED_IN].viewer, request.app[keys.CHRONICLE]
    key = (viewer.practitioner_id, study, instance, int(chronicle.clock.now().timestamp()) // 60)
    memory = request.app[DENIED]
    if memory.get(key):
        return
    memory.put(key, value=True, weight=1)
    try:
        denied = await consult_view(request, _denied, viewer, study, instance)
        if denied:
            await transact(request, _record, chronicle, viewer, denied)
    except Unavailable as error:  # the look is denied all the same
        log.warning("a denied look could not be recorded: %s", error.sentence)


def _denied(db: Connection, viewer: Viewer, study: str, instance: str) -> Sequence[tuple[str, str]]:
    """Return who holds the study, and its UID; nothing when it does not exist, or it was something else that was missing."""
    column = study_table.c
    asked = column.study_instance_uid == study
    if not study:
        inside = select(series_table.c.study_id).join(instance_table, instance_table.c.series_id == series_table.c.id)
        asked = column.id.in_(inside.where(instance_table.c.sop_instance_uid == instance))
    if db.execute(select(column.id).where(asked, visible(viewer)).limit(1)).first() is not None:
        return ()
    return [(row.institution, row.study_instance_uid) for row in db.execute(select(study_table).where(asked))]


def _record(db: Connection, chronicle: Chronicle, viewer: Viewer, denied: Sequence[tuple[str, str]]) -> None:
    for holder, uid in denied:
        detail = {"holder": holder}
        record = AuditRecord(viewer.practitioner_id, "StudyDenied", "Study", uid, viewer.institution_id, 4, detail)
        chronicle.trail.append(db, record)
