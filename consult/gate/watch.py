"""The worker that judges what modalities send: an ECG is looked at when it arrives, not when its study has settled."""

from __future__ import annotations

from sqlalchemy import Connection

from consult.gate.actions import judge
from consult.gate.views import gate_of, previous_strip
from consult.triage.reading import analysed, exchanged_since
from consult.triage.views import analysis_of
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.events import INSTANCE_STORED
from ecg.holter import LONG_BYTES
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import NotFound
from telemed.kernel.events import Event, Follower, Write


class CouchGate(Follower):
    """Follows what is stored; one that no analysis can read is judged by nobody, triage says so."""

    def __init__(self, database: Database, chronicle: Chronicle, archive: Archive, confinement: Confinement) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        self._archive = archive
        self._confinement = confinement
        super().__init__("couch-gate", database, chronicle.events, (INSTANCE_STORED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Analyse a recording that nobody has analysed yet, and return what is to be written of it."""
        if event.data["modality"] != "ECG":
            return None
        institution, study, uid = (event.data[name] for name in ("institution", "study_instance_uid", "sop_instance_uid"))
        with self._database.reading() as db:
            try:
                kept = index.instance(db, institution, uid)
            except NotFound:
                return None
            if kept.kind != "ecg" or kept.size > LONG_BYTES or gate_of(db, institution, uid) is not None:
                return None
            known, previous = analysis_of(db, institution, uid), previous_strip(db, institution, uid)
        found = known or analysed(self._archive, self._confinement, institution, uid)
        beside = self._archive, self._confinement, institution
        exchanged = None if previous is None else exchanged_since(*beside, previous, uid)

        def write(db: Connection) -> None:
            judge(db, self._chronicle, institution, study, found, exchanged=exchanged)

        return write
