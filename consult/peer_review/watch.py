"""The worker that draws reports for review as they are signed, and sees when a raised one is answered by a further version."""

from __future__ import annotations

from consult.peer_review.actions import amended, draw
from consult.reports.model import NEWS, REPLACING, ReportStatus
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.events import Event, Follower, Write


class PeerReviews(Follower):
    """Follows signatures."""

    def __init__(self, database: Database, chronicle: Chronicle) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        types = [NEWS[status] for status in (ReportStatus.FINAL, *sorted(REPLACING))]
        super().__init__("peer-review", database, chronicle.events, types, self.prepare)

    def prepare(self, event: Event) -> Write:
        """Return what a signature means for reviews."""
        if event.type == NEWS[ReportStatus.FINAL]:
            return lambda db: draw(db, self._chronicle, event.data["report_id"])
        return lambda db: amended(db, self._chronicle, event.data["task_id"])
