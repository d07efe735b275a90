"""The Query/Retrieve service class, PS3.4 Annex C: Patient Root and Study Root, C-FIND here, C-MOVE and C-GET in retrieval.

Queries are relational (PS3.4 C.4.1.2.2) without being negotiated as such: a unique key of a level above may be missing.
Results are read page by page by key, so that a county's whole archive can be asked for without being held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, Connection

from dicom_node.archive.index import Study
from dicom_node.archive.matching import Query
from dicom_node.archive.search import (
    KEYS,
    FoundInstance,
    FoundPatient,
    FoundSeries,
    search_instances,
    search_patients,
    search_series,
    search_studies,
)
from dicom_node.services import attributes
from dicom_node.services.encoding import Values, encoded
from dicom_node.services.exchange import CANCELLED, PENDING, Answering, Question
from dicom_node.services.identifier import Keys, read_keys
from dicom_node.services.status import SUCCESS
from telemed.kernel.audit import AuditRecord, Witness
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid

#: PS3.4 Table C.6.1.1-1 and C.6.2.1-1.
PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET = (f"1.2.840.10008.5.1.4.1.2.1.{number}" for number in (1, 2, 3))
STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
PATIENT_ROOT = frozenset({PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS: Mapping[str, str] = dict(
    zip(LEVELS, ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), strict=True)
)
#: PS3.4 Table C.4-1.
DOES_NOT_MATCH_CLASS, PENDING_WITH_UNSUPPORTED_KEYS = 0xA900, 0xFF01

AT_ONCE = 200
#: What the audit trail keeps of a query: so many keys, so much of each.
_MOST_KEPT, _LONGEST_KEPT = 32, 200

Found = FoundPatient | Study | FoundSeries | FoundInstance


class VisibleTo(Protocol):
    """Anything that knows which studies the equipment of an institution may ask for."""

    def __call__(self, institution: str, /) -> ColumnElement[bool]:
        """Return the condition over study_table."""
        ...


@dataclass(frozen=True)
class _Level:
    search: Callable[[Connection, ColumnElement[bool], Query], Sequence[Any]]
    key_of: Callable[[Any], str]


_SEARCHES: Mapping[str, _Level] = {
    "PATIENT": _Level(search_patients, lambda found: found.patient.id),
    "STUDY": _Level(search_studies, lambda found: found.id),
    "SERIES": _Level(search_series, lambda found: found.series.id),
    "IMAGE": _Level(search_instances, lambda found: found.instance.id),
}


def pages(database: Database, level: str, visible: ColumnElement[bool], keys: Mapping[str, str]) -> Iterator[Sequence[Any]]:
    """Yield everything that matches at *level* in pages; nothing is held open between them."""
    query, how = Query(keys=keys, limit=AT_ONCE, after=""), _SEARCHES[level]
    while True:
        with database.reading() as db:
            page = how.search(db, visible, query)
        yield page
        if len(page) < AT_ONCE:
            return
        query = replace(query, after=how.key_of(page[-1]))


def level_of(keys: Keys, sop_class_uid: str) -> str:
    """Return the level of a query; Invalid when the information model has no such level."""
    if keys.level not in LEVELS or (keys.level == "PATIENT" and sop_class_uid not in PATIENT_ROOT):
        raise Invalid(f"there is no query level {keys.level[:16]!r} in this model", code="identifier")
    return keys.level


def query_record(question: Question, *, level: str, keys: Mapping[str, str], **more: str) -> AuditRecord:
    """Say who asked for what: PS3.15 A.5.3.10, Query."""
    caller = question.caller
    asked = {keyword: text[:_LONGEST_KEPT] for keyword, text in list(keys.items())[:_MOST_KEPT] if text}
    detail = {"level": level, "keys": asked, "address": caller.address, **more}
    return AuditRecord(caller.aet, "Query", "Query", question.sop_class_uid, caller.institution, detail=detail)


class Finding(Answering):
    """C-FIND, PS3.4 C.4.1."""

    sop_classes: ClassVar[tuple[str, ...]] = (PATIENT_ROOT_FIND, STUDY_ROOT_FIND)

    def __init__(self, database: Database, witness: Witness, visible_to: VisibleTo, *, aet: str) -> None:
        self._database = database
        self._witness = witness
        self._visible_to = visible_to
        self._aet = aet

    def answer(self, question: Question, /) -> None:
        """Answer with each match, until there are no more or the peer has had enough."""
        try:
            keys = read_keys(question.received("Identifier"), question.transfer_syntax)
            level = level_of(keys, question.sop_class_uid)
            matched = {keyword: text for keyword, text in keys.texts.items() if keyword in KEYS[level]}
            self._witness.note(query_record(question, level=level, keys=matched))
            found = pages(self._database, level, self._visible_to(question.caller.institution), matched)
            for one in (one for page in found for one in page):
                if question.is_cancelled:
                    question.found(CANCELLED)
                    return
                if not question.is_open:
                    return
                status, identifier = self._matching(level, keys, one)
                question.found(status, encoded(identifier, keys.charset, question.transfer_syntax))
        except Invalid as error:
            question.fail(error, DOES_NOT_MATCH_CLASS)
            return
        question.found(SUCCESS)

    def _matching(self, level: str, keys: Keys, found: Found) -> tuple[int, Values]:
        """Return a pending response's status and identifier: the keys that were asked for and are known here (C.2.2.1.3)."""
        known = {**attributes.of(found), "QueryRetrieveLevel": level, "RetrieveAETitle": self._aet}
        asked = [keyword for keyword in keys.texts if keyword in known]
        unsupported = keys.unknown or keys.sequences or len(asked) < len(keys.texts)
        answer = {keyword: known[keyword] for keyword in (*asked, "QueryRetrieveLevel", "RetrieveAETitle", UNIQUE_KEYS[level])}
        return PENDING_WITH_UNSUPPORTED_KEYS if unsupported else PENDING, answer
