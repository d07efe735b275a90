"""The thread that lets time pass over the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from consult.queue.escalation import TASKS, Leased, climb, end_leases, foretell, is_due
from consult.queue.sla import LEASE
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.watch import Watch

#: A forecast changes slowly, and looks at whole queues.
FORETELL_EVERY = timedelta(seconds=15)


class QueueWatch(Watch):
    """Looks every half second for rungs that are due and claims that were not renewed.

    A server that was away could not be told that claims are renewed: after its start it ends none until each owner's
    browser has had the time of a lease to come back.
    """

    def __init__(
        self, database: Database, chronicle: Chronicle, *, leased: tuple[Leased, ...] = (TASKS,), look_every_s: float = 0.5
    ) -> None:
        """Watch the tasks of *database*, and the claims of all that is *leased*; nothing runs before start()."""
        super().__init__("queue-watch", self.look, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle
        self._leased = leased
        self._leases_end_from = chronicle.clock.now() + LEASE
        self._foretells_from = chronicle.clock.now()

    def look(self) -> None:
        """Do everything that is due now, each in its own short transaction; a quiet look takes no lock.

        What falls due meanwhile waits for the next look, so that each comes to its end.
        """
        now = self._chronicle.clock.now()
        with self._database.reading() as db:
            due = is_due(db, now, self._leased)
        while due and not self.is_stopping:
            done = [self._done(partial(deed, by=now)) for deed in self._deeds()]
            due = any(done)
        # Of one queue; what else there is waits as well, for no rung waits for a forecast.
        if now >= self._foretells_from and not self._done(foretell):
            self._foretells_from = now + FORETELL_EVERY

    def _deeds(self) -> list[Callable[..., bool]]:
        """Return what is done in turn, a little of each: however much there is of one, no other waits for all of it."""
        ending = self._leased if self._chronicle.clock.now() >= self._leases_end_from else ()
        return [climb, *(partial(end_leases, leased=one) for one in ending)]

    def _done(self, deed: Callable[[Connection, Chronicle], bool]) -> bool:
        with self._database.transaction() as db:
            return deed(db, self._chronicle)
