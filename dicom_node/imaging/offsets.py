"""Frame offsets, recorded once a study has settled, so that a frame of a long object is one read from then on.

Finding them means walking the header, which for an enhanced object of thousands of frames takes seconds. For an object of
one frame, or a small one, it takes no longer than a look into a table; such are walked when they are first asked for.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, insert, select

from dicom_node.archive import events
from dicom_node.archive.archive import Archive
from dicom_node.archive.tables import instance_table, series_table, study_table
from dicom_node.imaging.layout import Layout, layout_of
from dicom_node.imaging.tables import frame_layout_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound
from telemed.kernel.events import Event, Follower, Write

log = logging.getLogger(__name__)

#: The size in bytes from which an object of many frames is recorded.
LARGE = 1 << 20


class FrameOffsets:
    """The recorded layouts, by the digest of the file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, path: Path, digest: str) -> Layout | None:
        """Return the layout of the file at *path*, None when it is not recorded."""
        if path.stat().st_size < LARGE:
            return None
        query = select(frame_layout_table.c.layout).where(frame_layout_table.c.digest == digest)
        with self._database.reading() as db:
            found = db.execute(query).scalar()
        return None if found is None else Layout.from_bytes(found)


class RecordingOffsets(Follower):
    """A follower that records where the frames of every object of more than one lie. The walk runs in *confinement*."""

    def __init__(self, database: Database, chronicle: Chronicle, archive: Archive, confinement: Confinement) -> None:
        self._archive = archive
        self._confinement = confinement
        super().__init__("frame-offsets", database, chronicle.events, (events.STUDY_SETTLED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Walk what has not been walked of the settled study; what holds no readable pixels is left out."""
        with self._database.reading() as db:
            missing = _missing(db, event.data["institution"], event.subject)
        found: dict[str, Layout] = {}
        for digest in missing:
            try:
                found[digest] = self._confinement.run(layout_of, self._file(digest))
            except (Invalid, NotFound) as error:
                log.info("the frames of object %s are not recorded: %s", digest, error.sentence)
        if not found:
            return None

        def write(db: Connection) -> None:
            known = frame_layout_table.c.digest
            there = set(db.execute(select(known).where(known.in_(found))).scalars())
            rows = [{"digest": digest, "layout": layout.to_bytes()} for digest, layout in found.items() if digest not in there]
            if rows:
                db.execute(insert(frame_layout_table), rows)

        return write

    def _file(self, digest: str) -> Path:
        return self._archive.blobs.path(digest)


def _missing(db: Connection, institution: str, study_instance_uid: str) -> list[str]:
    query = (
        select(instance_table.c.digest)
        .join(series_table, series_table.c.id == instance_table.c.series_id)
        .join(study_table, study_table.c.id == series_table.c.study_id)
        .outerjoin(frame_layout_table, frame_layout_table.c.digest == instance_table.c.digest)
        .where(
            study_table.c.institution == institution,
            study_table.c.study_instance_uid == study_instance_uid,
            instance_table.c.frames > 1,
            instance_table.c.size >= LARGE,
            frame_layout_table.c.digest.is_(None),
        )
    )
    return list(db.execute(query).scalars())
