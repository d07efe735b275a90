"""The thread that looks a day ahead over every rota, and a month ahead over every agreement."""

from __future__ import annotations

from consult.practitioners.actions import warn_of_ends
from consult.requests.model import HOUSE_ZONE
from consult.schedule.actions import tell_of_gaps
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.watch import Watch


class RotaWatch(Watch):
    """Tells of uncovered hours and of agreements that end; what it told is stored, so a restart tells nothing twice."""

    def __init__(self, database: Database, chronicle: Chronicle, *, look_every_s: float = 20) -> None:
        """Watch the rotas of *database*; nothing runs before start()."""
        super().__init__("rota-watch", self.look, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle

    def look(self) -> None:
        """Tell of what has become due."""
        now = self._chronicle.clock.now()
        with self._database.transaction() as db:
            tell_of_gaps(db, self._chronicle, now)
            warn_of_ends(db, self._chronicle, now.astimezone(HOUSE_ZONE).date())
