"""ECGs are analysed beside the line: no study's task waits for an analysis, be it another's or its own.

The task is there at once, as `consult.intake` makes it. What was found follows when it is known, and raises the priority of a
task that is still open; mostly it is known before, for the couch gate has looked at each recording as it came. Long ones have a
worker of their own, for a day takes a minute, and raise nothing: nobody waits beside a recorder that was taken off hours ago.
"""

from __future__ import annotations

from sqlalchemy import Connection

from consult.intake import IMAGES, reconsider
from consult.triage.actions import keep_analysis
from consult.triage.reading import ANALYSIS_S, analysed
from consult.triage.views import analysis_of
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.events import STUDY_SETTLED
from ecg.holter import LONG_BYTES
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.events import Event, Follower, Write

#: What the analysis of the longest recording may take.
LONGEST_ANALYSIS_S = 900.0
#: More recordings than this in one study are kept and shown, but not analysed by themselves.
MOST_ECGS = 24


class Recordings(Follower):
    """The worker that analyses each settled study's recordings once: those of a few minutes, or the *long* ones."""

    def __init__(
        self, database: Database, chronicle: Chronicle, archive: Archive, confinement: Confinement, *, long: bool = False
    ) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        self._archive, self._confinement = archive, confinement
        self._long = long
        name = "long-recordings" if long else "recordings"
        super().__init__(name, database, chronicle.events, (STUDY_SETTLED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Analyse what is new in the settled study, and return what is to be written of it."""
        institution, uid = event.data["institution"], event.data["study_instance_uid"]
        with self._database.reading() as db:
            study = index.study(db, institution, uid)
            recordings = self._recordings_of(db, study)
            new = [one for one in recordings if analysis_of(db, institution, one) is None]
        if not recordings or (self._long and not new):
            return None
        seconds = LONGEST_ANALYSIS_S if self._long else ANALYSIS_S
        found = [analysed(self._archive, self._confinement, institution, one, seconds=seconds) for one in new]

        def write(db: Connection) -> None:
            for analysis in found:
                keep_analysis(db, self._chronicle.clock, institution, uid, analysis)
            if not self._long:
                reconsider(db, self._chronicle, study)

        return write

    def _recordings_of(self, db: Connection, study: index.Study) -> list[str]:
        found = [
            instance.sop_instance_uid
            for series in index.series_of(db, study.id)
            if series.modality not in IMAGES
            for instance in index.instances_of(db, series.id)
            if instance.kind == "ecg" and (instance.size > LONG_BYTES) is self._long
        ]
        return found[:MOST_ECGS]
