"""Long ECGs are analysed beside the line: a day takes a minute, and no clinic's strip waits for it.

Their task is there at once, as `consult.intake` makes it; what was found follows when it is known. What it says raises no task's
priority: nobody waits beside a recorder that was taken off hours ago.
"""

from __future__ import annotations

from sqlalchemy import Connection

from consult.intake import unanalysed
from consult.triage.actions import keep_analysis
from consult.triage.reading import analysed
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.events import STUDY_SETTLED
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.events import Event, Follower, Write

#: What the analysis of the longest recording may take.
LONGEST_ANALYSIS_S = 900.0


class LongRecordings(Follower):
    """The worker that analyses each settled study's long recordings once."""

    def __init__(self, database: Database, chronicle: Chronicle, archive: Archive, confinement: Confinement) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        self._archive, self._confinement = archive, confinement
        super().__init__("long-recordings", database, chronicle.events, (STUDY_SETTLED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Analyse what is new and long in the settled study."""
        institution, uid = event.data["institution"], event.data["study_instance_uid"]
        with self._database.reading() as db:
            new = unanalysed(db, index.study(db, institution, uid), long=True)
        if not new:
            return None
        found = [analysed(self._archive, self._confinement, institution, one, seconds=LONGEST_ANALYSIS_S) for one in new]

        def write(db: Connection) -> None:
            for analysis in found:
                keep_analysis(db, self._chronicle.clock, institution, uid, analysis)

        return write
