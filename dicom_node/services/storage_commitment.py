"""The Storage Commitment service class (push model), PS3.4 Annex J: whether a modality may delete its own copy.

A request is written down before it is accepted. It is then answered at once on the same association where the modality
stays, else on an association of our own, tried again with growing pauses until the modality has taken the report.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import build_context, build_role
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from sqlalchemy import Row, delete, func, insert, select, update

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.settling import note_commitment
from dicom_node.archive.tables import instance_table
from dicom_node.directory import Directory
from dicom_node.peers import associate
from dicom_node.services.commitment_request import (
    INVALID_ARGUMENT,
    MOST_BYTES,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REFERENCED,
    TRANSACTION,
    Reference,
    Reports,
    uid,
)
from dicom_node.services.exchange import Exchange
from dicom_node.services.identifier import items_of, read_small, text_of
from dicom_node.services.status import SUCCESS
from dicom_node.tables import commitment_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Invalid, NotFound, Unavailable
from telemed.kernel.watch import Watch

log = logging.getLogger(__name__)

#: PS3.7 Annex C.
NO_SUCH_ACTION = 0x0123
#: PS3.3 C.14-1, Failure Reason.
NO_SUCH_INSTANCE, CLASS_CONFLICT, DAMAGED = 0x0112, 0x0119, 0x0110

_AT_ONCE = 500  # variables in one statement
MOST_TRIES = 20
#: A modality that releases right after the answer gets its report by an association of ours: wait and see which it is.
STAYS_S = 0.3
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=1)
#: How long what was acknowledged may take to be in the index; longer only when the disk is overwhelmed.
FILING_S = 5.0
#: How long the worker leaves a request to the association it came by; only a crash makes it last so long.
LEFT_ALONE = timedelta(minutes=10)


class Commitments:
    """What was asked for and not yet reported: kept in the database, checked against the files, told to the peer."""

    def __init__(
        self, database: Database, chronicle: Chronicle, archive: Archive, *, aet: str, directory: Directory | None = None
    ) -> None:
        self._database = database
        self._chronicle = chronicle
        self._archive = archive
        self._aet = aet
        self._directory = directory or Directory()

    def take(self, institution: str, ae_title: str, transaction_uid: str, references: list[Reference]) -> str:
        """Write a request down and return its key; the worker leaves it alone for LEFT_ALONE, or until `hurry`."""
        now, key = self._chronicle.clock.now(), new_id()
        row = {"transaction_uid": transaction_uid, "institution": institution, "ae_title": ae_title}
        instances = [[one.sop_class_uid, one.sop_instance_uid] for one in references]
        with self._database.transaction() as db:
            insertion = insert(commitment_table).values(id=key, **row, instances=instances)
            db.execute(insertion.values(asked_at=now, tries=0, try_at=now + LEFT_ALONE))
        return key

    def hurry(self, key: str) -> None:
        """Let the worker report a request at once."""
        now = self._chronicle.clock.now()
        with self._database.transaction() as db:
            db.execute(update(commitment_table).where(commitment_table.c.id == key).values(try_at=now))

    def due(self) -> Iterator[tuple[str, bool]]:
        """Yield the keys of what is to be tried now, each put off to its next try first, and whether it was tried before."""
        now = self._chronicle.clock.now()
        with self._database.reading() as db:
            query = select(commitment_table).where(commitment_table.c.try_at <= now).order_by(commitment_table.c.try_at)
            rows = db.execute(query.limit(20)).all()
        for row in rows:
            if self._put_off(row, now):
                yield row.id, row.tries > 0

    def _put_off(self, row: Row[Any], now: datetime) -> bool:
        mine = (commitment_table.c.id == row.id) & (commitment_table.c.tries == row.tries)
        with self._database.transaction() as db:
            if row.tries >= MOST_TRIES:
                log.warning("a storage commitment report for %s was given up after %d tries", row.ae_title, row.tries)
                db.execute(delete(commitment_table).where(mine))
                return False
            pause = min(FIRST_PAUSE * 2**row.tries, LONGEST_PAUSE)
            return db.execute(update(commitment_table).where(mine).values(tries=row.tries + 1, try_at=now + pause)).rowcount == 1

    def is_filed(self, key: str) -> bool:
        """Tell whether every instance of a request is in the index: what was just received may not be yet."""
        with self._database.reading() as db:
            row = db.execute(select(commitment_table).where(commitment_table.c.id == key)).first()
            if row is None:
                return True
            uids = sorted({named for _, named in row.instances})
            held = instance_table.c.institution == row.institution
            found = 0
            for begin in range(0, len(uids), _AT_ONCE):
                wanted = instance_table.c.sop_instance_uid.in_(uids[begin : begin + _AT_ONCE])
                found += db.execute(select(func.count()).select_from(instance_table).where(held, wanted)).scalar_one()
        return found == len(uids)

    def report(self, key: str, exchange: Exchange | None = None) -> bool:
        """Check the instances of a request and tell the peer, by its *exchange* or on an association of our own.

        Tell whether it took the report. A peer that leaves its exchange meanwhile is not told.
        """
        with self._database.reading() as db:
            row = db.execute(select(commitment_table).where(commitment_table.c.id == key)).first()
            peer = None if row is None or exchange is not None else self._directory.peer_of(db, row.ae_title, row.institution)
        if row is None:
            return True
        if exchange is None and peer is None:
            log.warning("%s waits for a storage commitment report, and is no peer: `telemed peer add`", row.ae_title)
            return False
        checked = self._checked(row, exchange)
        if checked is None:
            return False
        event_type, information = checked
        if exchange is not None:
            taken = _told(exchange.association, event_type, information)
        elif peer is not None:
            role = build_role(PUSH_MODEL, scp_role=True)
            ours = associate(peer, [build_context(PUSH_MODEL)], self._aet, negotiation=[role])
            try:
                taken = _told(ours, event_type, information)
            finally:
                ours.release()
            if not taken:
                log.warning("%s did not take a storage commitment report", peer)
        if taken:
            self._done(row, information)
        return taken

    def _checked(self, row: Row[Any], exchange: Exchange | None) -> tuple[int, Dataset] | None:
        """Read every instance again and return the event type and information of PS3.4 Table J.3-2.

        None once nobody waits at the other end of *exchange* any more.
        """
        committed: list[Dataset] = []
        failed: list[Dataset] = []
        for sop_class, named in row.instances:
            if exchange is not None and not exchange.is_open:
                return None
            reference = Reference(sop_class, named)
            reason = self._fault(row.institution, reference)
            item = reference.item()
            if reason:
                item.FailureReason = reason
            (failed if reason else committed).append(item)
        information = Dataset()
        information.add(uid(TRANSACTION, row.transaction_uid))
        information.RetrieveAETitle = self._aet
        if committed:
            information.ReferencedSOPSequence = Sequence(committed)
        if failed:
            information.FailedSOPSequence = Sequence(failed)
        return (2 if failed else 1), information

    def _fault(self, institution: str, reference: Reference) -> int:
        """Return why an instance cannot be committed to, 0 when its file is there and as it was received."""
        try:
            with self._database.reading() as db:
                kept = index.instance(db, institution, reference.sop_instance_uid)
            if kept.sop_class_uid != reference.sop_class_uid:
                return CLASS_CONFLICT
            with self._archive.file(institution, reference.sop_instance_uid).open("rb") as file:
                return 0 if hashlib.file_digest(file, "sha256").hexdigest() == kept.digest else DAMAGED
        except NotFound:
            return NO_SUCH_INSTANCE
        except OSError:
            return DAMAGED

    def _done(self, row: Row[Any], information: Dataset) -> None:
        failed = len(information.get("FailedSOPSequence", ()))
        data = {
            "institution": row.institution,
            "ae_title": row.ae_title,
            "committed": len(row.instances) - failed,
            "failed": failed,
        }
        with self._database.transaction() as db:
            db.execute(delete(commitment_table).where(commitment_table.c.id == row.id))
            if not failed:
                uids = sorted({named for _, named in row.instances})
                note_commitment(db, row.institution, uids, self._chronicle.clock.now())
            self._chronicle.enter(
                db,
                "CommitmentReported",
                row.transaction_uid,
                data,
                actor=self._aet,
                institution=row.institution,
                entity="StorageCommitment",
            )


class Committing:
    """N-ACTION, PS3.4 J.3.2; a report of what we have asked for ourselves goes to *reports*."""

    sop_classes: ClassVar[tuple[str, ...]] = (PUSH_MODEL,)

    def __init__(self, commitments: Commitments, *, reports: Reports | None = None, filing_s: float = FILING_S) -> None:
        self._commitments = commitments
        self._reports = reports
        self._filing_s = filing_s

    def answer(self, exchange: Exchange) -> None:
        """Accept the request, and report on the same association if the peer stays."""
        request = exchange.request
        if self._reports is not None and isinstance(request, N_EVENT_REPORT):
            self._reports.answer(exchange)
            return
        if getattr(request, "ActionTypeID", None) != 1:
            exchange.answer(NO_SUCH_ACTION)
            return
        try:
            transaction_uid, references = _asked(exchange)
        except Invalid as error:
            exchange.fail(error, INVALID_ARGUMENT)
            return
        caller = exchange.caller
        key = self._commitments.take(caller.institution, caller.aet, transaction_uid, references)
        exchange.answer(SUCCESS, fields={"AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE, "ActionTypeID": 1})
        told = False
        try:
            told = self._told_on(exchange, key)
        finally:
            if not told:
                self._commitments.hurry(key)

    def _told_on(self, exchange: Exchange, key: str) -> bool:
        """Report if the peer stays, once everything is filed or has had its time for that."""
        deadline = time.monotonic() + self._filing_s
        while time.monotonic() < deadline and exchange.is_open and not self._commitments.is_filed(key):
            time.sleep(0.1)
        return _stays(exchange) and self._commitments.report(key, exchange)


class Reporting(Watch):
    """The thread that reports to whoever did not wait."""

    def __init__(self, commitments: Commitments, *, look_every_s: float = 2) -> None:
        super().__init__("commitment-reports", self.report_due, every_s=look_every_s)
        self._commitments = commitments

    def report_due(self) -> int:
        """Report what is due, one peer's silence holding up nobody for longer than a connection takes; return how many."""
        reported = 0
        for key, tried_before in self._commitments.due():
            if self.is_stopping:
                break
            try:
                if tried_before or self._commitments.is_filed(key):
                    reported += self._commitments.report(key)
            except Unavailable as error:
                log.warning("a storage commitment report was not taken: %s", error.sentence)
        return reported


def _asked(exchange: Exchange) -> tuple[str, list[Reference]]:
    """Return the transaction and the instances that a request names; Invalid when it names none, or not properly."""
    information = read_small(exchange.received("ActionInformation"), exchange.transfer_syntax, most=MOST_BYTES)
    transaction_uid = text_of(information, TRANSACTION, ())
    references = [Reference.of(item) for item in items_of(information, REFERENCED)]
    named = [transaction_uid, *(part for one in references for part in (one.sop_class_uid, one.sop_instance_uid))]
    if not references or not all(0 < len(one) <= 64 for one in named):
        raise Invalid("name a transaction and the instances to commit to", code="identifier")
    return transaction_uid, references


def _stays(exchange: Exchange) -> bool:
    """Tell whether the peer waits for the report: it neither leaves nor asks for something else."""
    deadline = time.monotonic() + STAYS_S
    while time.monotonic() < deadline and exchange.is_open:
        time.sleep(0.02)
    return exchange.is_open and exchange.association.dimse.msg_queue.empty()


def _told(association: Association, event_type: int, information: Dataset) -> bool:
    try:
        status, _ = association.send_n_event_report(information, event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE)
    except (RuntimeError, ValueError, AttributeError):
        return False
    return "Status" in status and status.Status == SUCCESS
