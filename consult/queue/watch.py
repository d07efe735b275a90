"""The thread that lets time pass over the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from consult.queue.escalation import TASKS, Leased, climb, end_lease, foretell, is_due
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
        """Do everything that is due now, each in its own short transaction; a quiet look takes no lock."""
        now = self._chronicle.clock.now()
        with self._database.reading() as db:
            due = is_due(db, now, self._leased)
        if due:
            ending = self._leased if now >= self._leases_end_from else ()
            self._repeat(climb, *(partial(end_lease, leased=one) for one in ending))
        if now >= self._foretells_from and not self._foretold():
            self._foretells_from = now + FORETELL_EVERY

    def _foretold(self) -> bool:
        """Foretell of one queue; what else there is waits for the next look, for no rung waits for a forecast."""
        with self._database.transaction() as db:
            return foretell(db, self._chronicle)

    def _repeat(self, *deeds: Callable[[Connection, Chronicle], bool]) -> None:
        """Do each in turn while it has something to do: however much one has, no other waits for it."""
        left = list(deeds)
        while left:
            for deed in tuple(left):
                if self.is_stopping:
                    return
                with self._database.transaction() as db:
                    if not deed(db, self._chronicle):
                        left.remove(deed)
