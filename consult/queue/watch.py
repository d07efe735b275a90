"""The thread that lets time pass over the queue."""

from __future__ import annotations

import logging
import threading

from consult.queue.escalation import climb, end_lease, is_due
from consult.queue.sla import LEASE
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)


class QueueWatch:
    """Looks every half second for rungs that are due and claims that were not renewed.

    A server that was away could not be told that claims are renewed: after its start it ends none until each owner's
    browser has had the time of a lease to come back.
    """

    LOOK_EVERY_S = 0.5

    def __init__(self, database: Database, chronicle: Chronicle) -> None:
        """Watch the tasks of *database*; nothing runs before start()."""
        self._database = database
        self._chronicle = chronicle
        self._leases_end_from = chronicle.clock.now() + LEASE
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="queue-watch", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the look at hand and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def look(self) -> None:
        """Do everything that is due now, each in its own short transaction; a quiet look takes no lock."""
        now = self._chronicle.clock.now()
        with self._database.reading() as db:
            if not is_due(db, now):
                return
        deeds = (climb, end_lease) if now >= self._leases_end_from else (climb,)
        for deed in deeds:
            more = True
            while more and not self._stop.is_set():
                with self._database.transaction() as db:
                    more = deed(db, self._chronicle)

    def _run(self) -> None:
        while not self._stop.wait(self.LOOK_EVERY_S):
            try:
                self.look()
            except Unavailable as error:
                log.warning("the watch over the queue waits: %s", error.sentence)
            except Exception:
                log.exception("the watch over the queue failed and looks again")
