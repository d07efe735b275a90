"""The Query/Retrieve service class, PS3.4 Annex C: Patient Root and Study Root, C-FIND here, C-MOVE and C-GET in retrieval.

Queries are relational (PS3.4 C.4.1.2.2) without being negotiated as such: a unique key of a level above may be missing.
Results are read page by page by key, so that a county's whole archive can be asked for without being held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import ClassVar, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection

from dicom_node.archive.matching import Query
from dicom_node.archive.search import KEYS, search_attributes
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

#: What is said of every match, and kept of none.
_OURS = frozenset({"QueryRetrieveLevel", "RetrieveAETitle"})

AT_ONCE = 200
#: What the audit trail keeps of a query: so many keys, so much of each.
_MOST_KEPT, _LONGEST_KEPT = 32, 200

T = TypeVar("T")


class VisibleTo(Protocol):
    """Anything that knows which studies the equipment of an institution may ask for."""

    def __call__(self, institution: str, /) -> ColumnElement[bool]:
        """Return the condition over study_table."""
        ...


def pages(
    database: Database, search: Callable[[Connection, Query], Sequence[T]], key_of: Callable[[T], str], query: Query
) -> Iterator[Sequence[T]]:
    """Yield everything that *search* finds by *query* in pages; nothing is held open between them."""
    query = replace(query, limit=AT_ONCE, after="")
    while True:
        with database.reading() as db:
            page = search(db, query)
        yield page
        if len(page) < AT_ONCE:
            return
        query = replace(query, after=key_of(page[-1]))


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
            visible = self._visible_to(question.caller.institution)
            wanted = frozenset({*keys.texts, UNIQUE_KEYS[level]}) - _OURS

            def search(db: Connection, query: Query) -> Sequence[tuple[str, Values]]:
                return search_attributes(db, level, visible, query, wanted)

            found = pages(self._database, search, itemgetter(0), Query(matched, read=True))
            for said in (said for page in found for _, said in page):
                if question.is_cancelled:
                    question.found(CANCELLED)
                    return
                if not question.is_open:
                    return
                status, identifier = self._matching(level, keys, said)
                question.found(status, encoded(identifier, keys.charset, question.transfer_syntax))
        except Invalid as error:
            question.fail(error, DOES_NOT_MATCH_CLASS)
            return
        question.found(SUCCESS)

    def _matching(self, level: str, keys: Keys, said: Values) -> tuple[int, Values]:
        """Return a pending response's status and identifier: what was asked for and is known here (C.2.2.1.3)."""
        identifier = {**said, "QueryRetrieveLevel": level, "RetrieveAETitle": self._aet}
        unsupported = keys.unknown or keys.sequences or not keys.texts.keys() <= identifier.keys()
        return PENDING_WITH_UNSUPPORTED_KEYS if unsupported else PENDING, identifier
