"""QIDO-RS: searching studies, series and instances (PS3.18 section 10.6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from sqlalchemy import Connection

from consult.access import visible, visible_instances, visible_series
from consult.practitioners.model import Viewer
from dicom_node.archive.matching import Query
from dicom_node.archive.search import (
    search_instances,
    search_instances_alone,
    search_series,
    search_series_alone,
    search_studies,
)
from dicom_node.imaging.cache import RecentlyUsed
from telemed.kernel.audit import AuditRecord
from telemed.kernel.errors import Invalid
from web import keys
from web.accounts.permissions import Permission, require
from web.api.transact import consult_view, glance
from web.dicomweb.accept import media_ranges
from web.dicomweb.attributes import DicomJson, of_instance, of_series, of_study
from web.dicomweb.reading import base_of
from web.security import viewer_of

DICOM_JSON = "application/dicom+json"
#: How many are given when the client does not say; below one study everything is.
DEFAULT_LIMIT, MAXIMUM_LIMIT = 200, 5000
MAXIMUM_KEYS = 64
#: Of each key so much stands in the audit trail.
_LONGEST_KEPT = 128
#: What was asked lately, by person, request and minute.
ASKED = web.AppKey("asked", RecentlyUsed[bool])
_PATH_KEYS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
_IDENTIFIERS = ("StudyInstanceUID", "AccessionNumber", "PatientID", "SeriesInstanceUID", "SOPInstanceUID")
_SEVERAL = re.compile(r"[*?\\,]")
#: So many results are made on the event loop; where there are more, all are made off it.
_FEW = 24
_MORE = "There are more results than were returned; ask again with a higher offset."


@dataclass(frozen=True)
class Asked:
    """A search: the query, one result more than wanted, and which further attributes to include (None: all)."""

    query: Query
    wanted: int
    included: frozenset[str] | None

    @property
    def names_few(self) -> bool:
        """Whether it names something by an identifier that few share, so that its index answers at once."""
        return any(key and not _SEVERAL.search(key) for key in map(self.query.keys.get, _IDENTIFIERS))


def asked(request: web.Request) -> Asked:
    """Read the search from the request's path and query; Invalid (400) names the parameter that cannot be used."""
    matching: dict[str, str] = {}
    included: set[str] = set()
    everything = fuzzy = False
    for name, value in request.query.items():
        match name.lower():
            case "limit" | "offset" | "accept":
                continue
            case "fuzzymatching":
                fuzzy = value.strip().lower() == "true"
            case "includefield":
                for field in value.split(","):
                    everything |= field.strip().lower() == "all"
                    included |= {keyword} if (keyword := keyword_of(field.strip())) else set()
            case _:
                matching[_matchable(name)] = value
    for part, keyword in _PATH_KEYS.items():
        if part in request.match_info:
            matching[keyword] = request.match_info[part]
    if len(matching) > MAXIMUM_KEYS:
        raise Invalid(f"a search may name at most {MAXIMUM_KEYS} attributes", code="unparsable")
    wanted = min(_whole(request, "limit", MAXIMUM_LIMIT if request.match_info else DEFAULT_LIMIT), MAXIMUM_LIMIT)
    query = Query(keys=matching, limit=wanted + 1, offset=_whole(request, "offset", 0), fuzzy=fuzzy, combined=True)
    return Asked(query, wanted, None if everything else frozenset(included | matching.keys()))


def keyword_of(name: str) -> str:
    """Return the keyword of an attribute given by keyword or by its eight hexadecimal digits; empty when unknown."""
    if len(name) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in name):
        return keyword_for_tag(int(name, 16))
    return name if tag_for_keyword(name) is not None else ""


def _matchable(name: str) -> str:
    keyword = keyword_of(name)
    if not keyword:
        raise Invalid(f"the search parameter {name[:64]!r} is not a DICOM attribute this server can match", code="unparsable")
    return keyword


def _whole(request: web.Request, name: str, default: int) -> int:
    said = request.query.get(name)
    if said is None:
        return default
    if not (said.isascii() and said.isdigit() and len(said) <= 9):
        raise Invalid(f"the search parameter {name} is a whole number, not {said[:32]!r}", code="unparsable")
    return int(said)


Search = Callable[[Connection, Viewer, Asked, str], list[DicomJson]]


def studies(db: Connection, viewer: Viewer, ask: Asked, base: str) -> list[DicomJson]:
    """Search studies."""
    return [of_study(study, base, ask.included) for study in search_studies(db, visible(viewer), ask.query)]


def series(db: Connection, viewer: Viewer, ask: Asked, base: str, *, whole: bool) -> list[DicomJson]:
    """Search series; *whole* results carry their study's attributes too."""
    if not whole:
        found = search_series_alone(db, visible_series(viewer), ask.query)
        return [of_series(series, study_uid, base, ask.included) for series, study_uid in found]
    return [
        of_study(one.study, base, ask.included) | of_series(one.series, one.study.study_instance_uid, base, ask.included)
        for one in search_series(db, visible_series(viewer), ask.query)
    ]


def instances(db: Connection, viewer: Viewer, ask: Asked, base: str, *, levels: int) -> list[DicomJson]:
    """Search instances; results carry the attributes of as many *levels* above as the path does not name."""
    if not levels:
        alone = search_instances_alone(db, visible_instances(viewer), ask.query)
        return [of_instance(instance, series, study, base, ask.included) for instance, series, study in alone]
    answers = []
    for one in search_instances(db, visible_instances(viewer), ask.query):
        study_uid, series_uid = one.study.study_instance_uid, one.series.series_instance_uid
        found = of_study(one.study, base, ask.included) if levels == 2 else {}
        found |= of_series(one.series, study_uid, base, ask.included)
        answers.append(found | of_instance(one.instance, series_uid, study_uid, base, ask.included))
    return answers


def _answer(db: Connection, viewer: Viewer, search: Search, ask: Asked, base: str) -> tuple[int, bytes]:
    """Return how many were found, at most one more than wanted, and the wanted ones as JSON."""
    try:
        found = search(db, viewer, ask, base)
    except Invalid as error:
        # The matching rules name what they do not understand; to HTTP that is a request that cannot be read.
        raise Invalid(error.sentence, code="unparsable") from error
    text = json.dumps(found[: ask.wanted], ensure_ascii=False, separators=(",", ":"))
    return len(found), text.encode("utf-8", "replace")


async def _answered(request: web.Request, viewer: Viewer, search: Search, ask: Asked) -> tuple[int, bytes]:
    """Search at a glance for what few can fit, and off the loop for everything else."""
    base = base_of(request)
    if ask.names_few and request.app[keys.DATABASE].is_sqlite:
        few = replace(ask, query=replace(ask.query, limit=min(ask.wanted + 1, _FEW)))
        found, body = await glance(request, _answer, viewer, search, few, base)
        if found < _FEW or found > ask.wanted:
            return found, body
    return await consult_view(request, _answer, viewer, search, ask, base)


def _record(request: web.Request, viewer: Viewer, ask: Asked) -> None:
    """Write down who looked for what (PS3.15 A.5.3.10, Query); a page that asks the same again is named once a minute."""
    chronicle, memory = request.app[keys.CHRONICLE], request.app[ASKED]
    key = viewer.practitioner_id, request.path_qs, int(chronicle.clock.now().timestamp()) // 60
    if memory.get(key):
        return
    asked_for = {keyword: text[:_LONGEST_KEPT] for keyword, text in ask.query.keys.items() if text}
    detail = {"keys": asked_for, "address": request.remote or ""}
    what = f"QIDO-RS {request.path.rpartition('/')[2]}"
    record = AuditRecord(viewer.practitioner_id, "Query", "Query", what, viewer.institution_id, detail=detail)
    request.app[keys.WITNESS].note(record)
    memory.put(key, value=True, weight=1)


async def _searched(request: web.Request, search: Search) -> web.Response:
    viewer = viewer_of(request)
    require(viewer, Permission.READ_STUDIES)
    if not any(one.takes(DICOM_JSON) or one.takes("application/json") for one in media_ranges(request)):
        raise web.HTTPNotAcceptable
    ask = asked(request)
    _record(request, viewer, ask)
    found, body = await _answered(request, viewer, search, ask)
    if not found:
        return web.Response(status=204)
    headers = {"Warning": f'299 telemed "{_MORE}"'} if found > ask.wanted else {}
    return web.Response(body=body, content_type=DICOM_JSON, headers=headers)


async def search_for_studies(request: web.Request) -> web.Response:
    """GET /studies."""
    return await _searched(request, studies)


async def search_for_series(request: web.Request) -> web.Response:
    """GET /series, /studies/{study}/series."""
    return await _searched(request, partial(series, whole="study" not in request.match_info))


async def search_for_instances(request: web.Request) -> web.Response:
    """GET /instances, /studies/{study}/instances, /studies/{study}/series/{series}/instances."""
    return await _searched(request, partial(instances, levels=2 - len(request.match_info)))
