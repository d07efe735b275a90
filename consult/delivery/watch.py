"""The workers that tell clinics of reports which nobody has taken from the screen, and see what their own systems have got."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from consult.delivery.actions import arrived
from consult.delivery.channels import Gateways, send
from consult.delivery.ladder import Errand, begin, climb, ended, is_due, take
from consult.delivery.model import AttemptStatus, Channel, Message, NotSentError, UnsureError
from consult.reports.model import NEWS
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable
from telemed.kernel.events import Event, Follower, Write
from telemed.kernel.watch import Watch

log = logging.getLogger(__name__)

AT_ONCE = 8
Sender = Callable[[Channel, Message, Gateways, datetime], None]


class Arrivals(Follower):
    """Follows what is forwarded: a report's object that the clinic's own AE has acknowledged is there (T5)."""

    def __init__(self, database: Database, chronicle: Chronicle) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        super().__init__("arrivals", database, chronicle.events, ("StudyForwarded",), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Return what is to be written of what was forwarded; None where no report was among it."""
        told = event.data
        if not told.get("written_here"):
            return None
        whose = {"ae_title": told["destination"], "institution_id": told["destination_institution"]}
        return lambda db: arrived(db, self._chronicle, told["written_here"], **whose, at=event.at)


class Telling(Watch):
    """Opens a notice for each signed version, climbs its ladder every second, and sends what is due, several at a time."""

    def __init__(
        self, database: Database, chronicle: Chronicle, gateways: Gateways, *, sender: Sender = send, look_every_s: float = 1.0
    ) -> None:
        """Prepare; nothing runs before start()."""
        super().__init__("delivery", self.look, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle
        self._gateways = gateways
        self._sender = sender
        self._follower = Follower("delivery", database, chronicle.events, tuple(NEWS.values()), self.opened)
        self._changing = threading.Lock()
        self._free = AT_ONCE
        self._sending = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="telling")

    def start(self) -> None:
        """Begin to follow and to look."""
        self._follower.start()
        super().start()

    def stop(self, seconds: float = 10) -> None:
        """End; what is on its way is waited for."""
        self._follower.stop(seconds)
        super().stop(seconds)
        self._sending.shutdown(wait=True, cancel_futures=True)

    def opened(self, event: Event) -> Write:
        """Return the opening of the notice of a version that was signed."""
        return lambda db: begin(db, event.data["report_id"])

    @property
    def on_their_way(self) -> int:
        """How many messages are being sent."""
        return AT_ONCE - self._free

    def look(self) -> None:
        """Climb what is due and begin to send what is due; a quiet look takes no lock, a dead channel holds up no other."""
        now = self._chronicle.clock.now()
        with self._database.reading() as db:
            if not is_due(db, now):
                return
        more = True
        while more and not self.is_stopping:
            with self._database.transaction() as db:
                more = climb(db, self._chronicle)
        with self._changing:
            most, self._free = self._free, 0
        errands: list[Errand] = []
        try:
            with self._database.transaction() as db:
                taken = take(db, now, most)
            errands = taken
        finally:  # where none could be taken every place is free again, or nothing would be sent any more
            with self._changing:
                self._free += most - len(errands)
        for errand in errands:
            self._sending.submit(self._run_errand, errand)

    def _run_errand(self, errand: Errand) -> None:
        try:
            status, problem = self._told(errand)
            with self._database.transaction() as db:
                ended(db, self._chronicle, errand, status, problem)
        except Unavailable as error:  # it is unsure from now on
            log.warning("what became of a message cannot be written down: %s", error.sentence)
        finally:
            with self._changing:
                self._free += 1

    def _told(self, errand: Errand) -> tuple[AttemptStatus, str]:
        try:
            self._sender(errand.channel, errand.message, self._gateways, self._chronicle.clock.now())
        except NotSentError as error:
            return AttemptStatus.FAILED, str(error)
        except UnsureError as error:
            return AttemptStatus.UNSURE, str(error)
        except Exception as error:  # an answer nobody thought of must not stop the ladder
            log.exception("a message could not be sent on %s", errand.channel.kind)
            return AttemptStatus.UNSURE, type(error).__name__
        return AttemptStatus.SENT, ""
