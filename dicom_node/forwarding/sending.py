"""The threads that empty the queues: one looks for what has arrived, one for each destination sends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial

from dicom_node.archive.archive import Archive
from dicom_node.directory import Directory, entry_of
from dicom_node.forwarding import queue
from dicom_node.forwarding.queue import Waiting
from dicom_node.forwarding.rules import rules
from dicom_node.peers import Line, NotTaken, Parcel, Peer, Rewrite, Unreached, deliver
from dicom_node.services.commitment_request import Reference, Report, Reports, ask
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable
from telemed.kernel.watch import Watch

log = logging.getLogger(__name__)

#: What was acknowledged is written down after so many objects or seconds: what a crash sends twice.
MOST_UNWRITTEN, LONGEST_UNWRITTEN_S = 50, 1.0
#: How long the destinations together may take for the object at hand when the server stops.
GRACE_S = 3.0
#: How long a destination may take to report on the association that it was asked on to commit, before it has to open one itself.
REPORT_S = 10.0


class Forwarding(Watch):
    """Queues what arrives, and keeps a thread for each destination to which something can be sent."""

    def __init__(
        self,
        database: Database,
        chronicle: Chronicle,
        archive: Archive,
        *,
        aet: str,
        directory: Directory | None = None,
        rewrite: Rewrite | None = None,
        look_every_s: float = 0.5,
        report_s: float = REPORT_S,
    ) -> None:
        super().__init__("forwarding", self.look, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle
        self._archive = archive
        self._aet = aet
        self._rewrite = rewrite
        self._report_s = report_s
        self._directory = directory or Directory()
        self._heard: dict[str, threading.Event] = {}
        self._senders: dict[str, tuple[threading.Thread, Line]] = {}

    def stop(self, seconds: float = 10) -> None:
        """Finish the objects at hand and end; a destination that hangs is hung up on."""
        super().stop(seconds)
        deadline = time.monotonic() + min(seconds, GRACE_S)
        for sender, line in self._senders.values():
            sender.join(max(deadline - time.monotonic(), 0))
            if sender.is_alive():
                line.hang_up()  # a thread of pynetdicom's would otherwise keep the process

    def look(self) -> None:
        """Queue what has arrived, and let every destination that can be sent to have its thread."""
        self.take()
        with self._database.reading() as db:
            busy = queue.busy(db, self._chronicle.clock.now())
        for title in busy:
            if title not in self._senders or not self._senders[title][0].is_alive():
                line = Line()
                sender = threading.Thread(target=self._run_sender, args=(title, line), name=f"forward-{title}", daemon=True)
                self._senders[title] = sender, line
                sender.start()

    def take(self) -> None:
        """Queue what has arrived, as far as there are rules."""
        with self._database.reading() as db:
            has_rules = bool(rules(db))
        while has_rules and not self.is_stopping and (news := queue.news(self._chronicle)):
            with self._database.transaction() as db:
                queue.take(db, self._chronicle, news)

    def _run_sender(self, ae_title: str, line: Line) -> None:
        try:
            while not self.is_stopping and self.send(ae_title, line):
                pass
        except Unavailable as error:
            log.warning("forwarding to %s waits: %s", ae_title, error.sentence)
        except Exception as error:
            log.exception("forwarding to %s failed and will be tried again", ae_title)
            with self._database.transaction() as db:
                queue.unreached(db, self._chronicle, ae_title, f"an error of our own: {error}")

    def send(self, ae_title: str, line: Line | None = None) -> int:
        """Send some of what *ae_title* is to get now, and return how many objects were tried; *line* ends it early."""
        with self._database.reading() as db:
            now = self._chronicle.clock.now()
            due = queue.due(db, ae_title, now)
            uncommitted = [] if due else queue.due(db, ae_title, now, is_sent=True)
            due = due or uncommitted
            try:
                peer = self._directory.peer_of(db, ae_title, due[0].institution) if due else None
                wrong = "it is no peer for these objects: `telemed peer add` enters it"
            except Unavailable as error:
                peer, wrong = None, error.sentence
        if peer is None:
            if due:
                self._unreached(ae_title, wrong)
            return 0
        if uncommitted:
            return self._ask(ae_title, peer, uncommitted)
        blobs = self._archive.blobs
        parcels = [
            Parcel(blobs.path(one.digest), one.sop_class_uid, one.transfer_syntax_uid, one.sop_instance_uid, one.digest)
            for one in due
        ]
        with closing(deliver(parcels, peer, self._aet, line=line, rewrite=self._rewrite)) as delivered:
            reasons = (reason for _, reason in delivered)
            return self._written(ae_title, zip(due, reasons, strict=False))  # no more is asked for once it has left

    def _written(self, ae_title: str, outcome: Iterable[tuple[Waiting, str]]) -> int:
        """Write down what becomes of each object, until the destination leaves or we are told to stop."""
        done: list[Waiting] = []
        tried, since = 0, time.monotonic()
        try:
            for one, reason in outcome:
                tried += 1
                if isinstance(reason, Unreached):
                    self._unreached(ae_title, reason, one)
                    break
                if reason:
                    with self._database.transaction() as db:
                        queue.refused(db, self._chronicle, ae_title, one, reason)
                else:
                    done.append(one)
                if len(done) >= MOST_UNWRITTEN or time.monotonic() - since > LONGEST_UNWRITTEN_S:
                    self._sent(ae_title, done)
                    done, since = [], time.monotonic()
                if self.is_stopping:
                    break
        finally:
            self._sent(ae_title, done)
        return tried

    def _sent(self, ae_title: str, done: list[Waiting]) -> None:
        if done:
            with self._database.transaction() as db:
                entry = entry_of(db, ae_title)
                write = queue.acknowledged if entry is not None and entry.commits else queue.sent
                write(db, self._chronicle, ae_title, done)

    def _ask(self, ae_title: str, peer: Peer, uncommitted: list[Waiting]) -> int:
        """Ask a destination to commit to what it has got; it reports here, or on an association of its own."""
        heard = self._heard[ae_title] = threading.Event()
        references = [Reference(one.sop_class_uid, one.sop_instance_uid) for one in uncommitted]
        try:
            ask(peer, self._aet, references, Reports(self.told), partial(heard.wait, self._report_s))
        except NotTaken as error:  # as if it did not answer: what else waits is sent meanwhile
            log.warning("%s was asked to commit: %s", ae_title, error.sentence)
        except Unavailable as error:
            self._unreached(ae_title, error.sentence)
            return 0
        with self._database.transaction() as db:
            queue.asked(db, self._chronicle, ae_title, uncommitted)
        return len(uncommitted)

    def told(self, report: Report) -> bool:
        """Take a destination's storage commitment report, on whatever association; tell whether it was waited for."""
        with self._database.transaction() as db:
            known = queue.reported(db, self._chronicle, report)
        if report.ae_title in self._heard:
            self._heard[report.ae_title].set()
        return known

    def _unreached(self, ae_title: str, reason: str, one: Waiting | None = None) -> None:
        log.warning("%s cannot be forwarded to: %s", ae_title, reason)
        with self._database.transaction() as db:
            queue.unreached(db, self._chronicle, ae_title, reason, one)
