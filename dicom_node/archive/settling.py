"""The watch that notices when a study has stopped growing.

A modality never says "that was all". A study counts as whole once nothing came for a quiet time; a late image opens it
again, and it settles again. What is settled stands in the study's row, so a restart forgets nothing.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from sqlalchemy import Connection, select, update

from dicom_node.archive import events
from dicom_node.archive.tables import instance_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

_AT_ONCE = 50


class Settling:
    """A thread that settles studies *quiet_s* seconds after their last instance."""

    def __init__(self, database: Database, chronicle: Chronicle, *, quiet_s: float = 3, look_every_s: float = 0.5) -> None:
        self._database = database
        self._chronicle = chronicle
        self._quiet = timedelta(seconds=quiet_s)
        self._look_every_s = look_every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the study at hand and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._look_every_s):
            try:
                self.settle()
            except Unavailable as error:
                log.warning("the watch over arriving studies waits: %s", error.sentence)
            except Exception:
                log.exception("the watch over arriving studies failed and goes on")

    def settle(self) -> int:
        """Settle every study that has been quiet for long enough; return how many those were."""
        now = self._chronicle.clock.now()
        # A clock set back would leave a study waiting for its own future: far ahead of now counts as quiet, too.
        quiet = (study_table.c.last_received_at <= now - self._quiet) | (study_table.c.last_received_at > now + self._quiet)
        due = study_table.c.settled_at.is_(None) & quiet
        with self._database.reading() as db:
            found = db.execute(select(study_table.c.id).where(due).limit(_AT_ONCE)).scalars().all()
        settled = 0
        for study_id in found:
            with self._database.transaction() as db:
                mark = update(study_table).where(due, study_table.c.id == study_id).values(settled_at=now)
                if db.execute(mark).rowcount == 1:
                    self._tell(db, study_id)
                    settled += 1
        return settled

    def _tell(self, db: Connection, study_id: str) -> None:
        study = db.execute(select(study_table).where(study_table.c.id == study_id)).one()
        classes = (
            select(instance_table.c.sop_class_uid)
            .join(series_table, series_table.c.id == instance_table.c.series_id)
            .where(series_table.c.study_id == study_id)
            .distinct()
        )
        told = events.study_settled(
            study.institution,
            study.study_instance_uid,
            modalities=list(study.modalities),
            series_count=study.series_count,
            instance_count=study.instance_count,
            last_received_at=study.last_received_at,
            sop_class_uids=sorted(db.execute(classes).scalars()),
        )
        uid = study.study_instance_uid
        self._chronicle.enter(db, events.STUDY_SETTLED, uid, told, actor="archive", institution=study.institution, entity="Study")
