"""C-MOVE and C-GET, PS3.4 C.4.2 and C.4.3: instances sent as they are kept, straight from their files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeVar

from sqlalchemy import Connection

from dicom_node.archive.archive import Archive
from dicom_node.archive.matching import Query
from dicom_node.archive.search import FoundInstance, search_instances
from dicom_node.directory import Directory
from dicom_node.peers import Origin, Parcel, Rewrite, deliver, store
from dicom_node.services.encoding import UTF_8, encoded
from dicom_node.services.exchange import CANCELLED, PENDING, Exchange
from dicom_node.services.identifier import read_keys
from dicom_node.services.query_retrieve import (
    DOES_NOT_MATCH_CLASS,
    LEVELS,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    UNIQUE_KEYS,
    VisibleTo,
    level_of,
    pages,
    query_record,
)
from dicom_node.services.status import SUCCESS
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound

log = logging.getLogger(__name__)

#: PS3.4 Tables C.4-2 and C.4-3.
TOO_MANY, NOTHING_SENT, UNKNOWN_DESTINATION, SOME_FAILED = 0xA701, 0xA702, 0xA801, 0xB000
#: The counts of sub-operations are unsigned shorts.
MOST_INSTANCES = 65_535

T = TypeVar("T")
#: Sends parcels and yields each with why it failed, an empty text when it was taken.
Deliver = Callable[[list[Parcel]], Iterable[tuple[Parcel, str]]]


@dataclass
class _Counts:
    remaining: int
    completed: int = 0
    failed: int = 0

    def as_fields(self, *, with_remaining: bool) -> dict[str, int]:
        """Return them by the names of PS3.7 9.1.3 and 9.1.4."""
        fields = {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": self.failed,
            "NumberOfWarningSuboperations": 0,
        }
        return fields | ({"NumberOfRemainingSuboperations": self.remaining} if with_remaining else {})


class Retrieving:
    """What C-MOVE and C-GET share: which instances, how they are counted, and what is said of them."""

    def __init__(
        self,
        database: Database,
        chronicle: Chronicle,
        archive: Archive,
        visible_to: VisibleTo,
        *,
        aet: str,
        directory: Directory | None = None,
        rewrite: Rewrite | None = None,
    ) -> None:
        self._rewrite = rewrite
        self._directory = directory or Directory()
        self._database = database
        self._chronicle = chronicle
        self._archive = archive
        self._visible_to = visible_to
        self._aet = aet

    def _wanted(self, exchange: Exchange, destination: str) -> list[FoundInstance]:
        """Return what the identifier names by its unique keys (C.4.2.2.1); Invalid when it names nothing in particular.

        Who asked for what is in the audit trail, whatever is found.
        """
        keys = read_keys(exchange.received("Identifier"), exchange.transfer_syntax)
        level = level_of(keys, exchange.sop_class_uid)
        named = {UNIQUE_KEYS[one]: keys.texts.get(UNIQUE_KEYS[one], "").strip() for one in LEVELS[: LEVELS.index(level) + 1]}
        if not named[UNIQUE_KEYS[level]] or any(mark in named["PatientID"] for mark in "*?"):
            raise Invalid(f"name the {UNIQUE_KEYS[level]} of what is wanted", code="identifier")
        asked = {keyword: text for keyword, text in named.items() if text}
        with self._database.transaction() as db:
            self._chronicle.trail.append(db, query_record(exchange, level=level, keys=asked, destination=destination))
        mine = exchange.caller.institution
        found: dict[str, FoundInstance] = {}
        visible = self._visible_to(mine)

        def search(db: Connection, query: Query) -> Sequence[FoundInstance]:
            return search_instances(db, visible, query)

        for page in pages(self._database, search, lambda one: one.instance.id, Query(asked)):
            for one in page:
                uid = one.instance.sop_instance_uid
                if uid not in found or one.instance.institution == mine:
                    found[uid] = one
            if len(found) > MOST_INSTANCES:
                raise _TooManyError(f"more than {MOST_INSTANCES} instances; ask for fewer at once")
        return list(found.values())

    def _send(self, exchange: Exchange, wanted: list[FoundInstance], deliver_all: Deliver, *, destination: str) -> None:
        """Run the sub-operations and answer as they go; *destination* is named in the audit trail."""
        parcels, failed = self._parcels(wanted)
        counts = _Counts(remaining=len(wanted) - len(failed), failed=len(failed))
        for parcel, reason in deliver_all(parcels):
            counts.remaining -= 1
            if reason:
                log.warning("an instance for %s was not taken: %s", destination, reason)
                failed.append(parcel.sop_instance_uid)
                counts.failed += 1
            else:
                counts.completed += 1
            if not exchange.is_open:
                break
            if exchange.is_cancelled and counts.remaining:
                exchange.answer(CANCELLED, content=_failures(exchange, failed), fields=counts.as_fields(with_remaining=True))
                break
            if counts.remaining:
                exchange.answer(PENDING, fields=counts.as_fields(with_remaining=True))
        else:
            status = SUCCESS if not failed else SOME_FAILED if counts.completed else NOTHING_SENT
            content = _failures(exchange, failed) if failed else None
            exchange.answer(status, content=content, fields=counts.as_fields(with_remaining=False))
        if counts.completed:
            self._record(exchange, wanted, destination, counts.completed)

    def _parcels(self, wanted: list[FoundInstance]) -> tuple[list[Parcel], list[str]]:
        """Find the files; return them, and the UIDs of those that are gone."""
        parcels, missing = [], []
        for one in wanted:
            kept = one.instance
            try:
                path = self._archive.file(kept.institution, kept.sop_instance_uid)
            except NotFound:
                missing.append(kept.sop_instance_uid)
            else:
                parcels.append(Parcel(path, kept.sop_class_uid, kept.transfer_syntax_uid, kept.sop_instance_uid, kept.digest))
        return parcels, missing

    def _record(self, exchange: Exchange, wanted: list[FoundInstance], destination: str, count: int) -> None:
        """Write who took which studies where: PS3.15 A.5.3.7, DICOM Instances Transferred."""
        caller = exchange.caller
        studies = {(one.study.institution, one.study.study_instance_uid) for one in wanted}
        with self._database.transaction() as db:
            for institution, uid in sorted(studies):
                detail = {"institution": institution, "destination": destination, "address": caller.address, "instances": count}
                record = AuditRecord(caller.aet, "StudyRetrieved", "Study", uid, caller.institution, detail=detail)
                self._chronicle.trail.append(db, record)


class Moving(Retrieving):
    """C-MOVE: to a destination that the administrator entered (`telemed peer add`)."""

    sop_classes: ClassVar[tuple[str, ...]] = (PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE)

    def answer(self, exchange: Exchange) -> None:
        """Send what is wanted to the Move Destination."""
        title = str(exchange.request.MoveDestination or "").strip()
        with self._database.reading() as db:
            peer = self._directory.peer_of(db, title, exchange.caller.institution)
        if peer is None:
            with self._database.transaction() as db:
                refused = query_record(exchange, level="", keys={}, destination=title, refused="unknown destination")
                self._chronicle.trail.append(db, refused)
            exchange.answer(UNKNOWN_DESTINATION, comment=f"{title} is not known here as a destination")
            return
        wanted = _or_answer(exchange, lambda asking: self._wanted(asking, peer.aet))
        if wanted is not None:
            origin = Origin(exchange.caller.aet, exchange.request.MessageID)
            sending = partial(deliver, peer=peer, calling_aet=self._aet, origin=origin, rewrite=self._rewrite)
            self._send(exchange, wanted, sending, destination=peer.aet)


class Getting(Retrieving):
    """C-GET: back over the same association, in the contexts for which the peer took the SCP role."""

    sop_classes: ClassVar[tuple[str, ...]] = (PATIENT_ROOT_GET, STUDY_ROOT_GET)

    def answer(self, exchange: Exchange) -> None:
        """Send what is wanted to whoever asks."""
        wanted = _or_answer(exchange, lambda asking: self._wanted(asking, asking.caller.aet))

        def send(parcels: list[Parcel]) -> Iterator[tuple[Parcel, str]]:
            for number, parcel in enumerate(parcels):
                yield parcel, store(exchange.association, parcel, message_id=number % 65_535 + 1, rewrite=self._rewrite)

        if wanted is not None:
            self._send(exchange, wanted, send, destination=exchange.caller.aet)


class _TooManyError(Invalid):
    """More instances than the counts of a response can say."""


def _or_answer(exchange: Exchange, attempt: Callable[[Exchange], T]) -> T | None:
    """Return what *attempt* finds, or answer what is wrong with the request."""
    try:
        return attempt(exchange)
    except _TooManyError as error:
        exchange.fail(error, TOO_MANY)
    except Invalid as error:
        exchange.fail(error, DOES_NOT_MATCH_CLASS)
    return None


def _failures(exchange: Exchange, uids: list[str]) -> dict[str, bytes]:
    return {"Identifier": encoded({"FailedSOPInstanceUIDList": uids}, UTF_8, exchange.transfer_syntax)}
