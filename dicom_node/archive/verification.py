"""Proof that rows and bytes still agree: every kept file read again, every row looked up, both ways.

What is in the ingest journal counts as kept: it was acknowledged, and is filed by the running server or by the next start.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.filing import set_aside, waiting
from dicom_node.archive.indexing import is_referenced
from dicom_node.archive.journal import JournalReader
from dicom_node.archive.tables import conflict_table, instance_table, series_table, study_table
from telemed.kernel.database import Database
from telemed.kernel.errors import NotFound


def differences(database: Database, blobs: Blobs, damaged: set[str] | None = None) -> Iterator[str]:
    """Name every difference in one sentence; nothing when all is well. It reads all there is: slow on purpose.

    The digests of objects whose file has changed or is missing are added to *damaged*.
    """
    damaged = set() if damaged is None else damaged
    journal = JournalReader(blobs.folder / "journal")
    try:
        yield from _differences(database, blobs, journal, damaged)
    finally:
        journal.close()


def _differences(database: Database, blobs: Blobs, journal: JournalReader, damaged: set[str]) -> Iterator[str]:
    with database.reading() as db:
        rows = _digests_of_rows(db)
        yield from _wrong_counts(db)
    promised = list(waiting(journal))
    filed = set(rows.values())
    unfiled = {received.digest for received, whole in promised if whole}
    for received, whole in promised:
        if not whole and received.header.sop_instance_uid not in filed:
            yield f"the object {received.header.sop_instance_uid}, acknowledged and not yet filed, is missing or has changed"
    yield from _differing_files(database, blobs, journal, rows, unfiled, damaged)
    for digest, sop_instance_uid in rows.items():
        if not blobs.exists(digest):
            damaged.add(digest)
            comfort = "; the journal has it: start the server anew" if digest in unfiled else ""
            yield f"the file {digest}.dcm of {sop_instance_uid} is missing{comfort}"
    for file in set_aside(journal):
        yield f"the object {file} was acknowledged and could not be entered into the index"


def _differing_files(  # noqa: PLR0917 - one walk over the files, split off for its length
    database: Database, blobs: Blobs, journal: JournalReader, rows: dict[str, str], unfiled: set[str], damaged: set[str]
) -> Iterator[str]:
    """Read every file again; take from *rows*, digest to SOP Instance UID, those that have theirs."""
    for digest in blobs.digests():
        try:
            whole = blobs.is_whole(digest)
        except NotFound:
            yield f"the file {digest}.dcm lies where no object of that name belongs"
            continue
        sop_instance_uid = rows.pop(digest, None)
        if digest in unfiled:
            if sop_instance_uid and not whole:  # it is read by whoever asks for it, and nobody else looks at the journal
                damaged.add(digest)
                yield f"the file {digest}.dcm ({sop_instance_uid}) has changed; the journal has it whole: start the server anew"
            continue
        if not whole:
            damaged.add(digest)
            yield f"the file {digest}.dcm ({sop_instance_uid or 'of no row'}) has changed since it was stored"
        elif sop_instance_uid is None and not _is_explained(database, blobs, journal, digest):
            yield f"the file {digest}.dcm belongs to no row of the index"


def _is_explained(database: Database, blobs: Blobs, journal: JournalReader, digest: str) -> bool:
    """Tell why a file had no row when the rows were read: it is just being stored, or was when the server ended."""
    if blobs.is_being_kept(digest) or any(received.digest == digest for received, _ in waiting(journal)):
        return True
    with database.reading() as db:  # asked last: what left the journal meanwhile has its row
        return is_referenced(db, digest)


def _digests_of_rows(db: Connection) -> dict[str, str]:
    beside = select(conflict_table.c.digest, instance_table.c.sop_instance_uid).join(
        instance_table, instance_table.c.id == conflict_table.c.instance_id
    )
    found = {row.digest: row.sop_instance_uid for row in db.execute(beside)}
    kept = select(instance_table.c.digest, instance_table.c.sop_instance_uid)
    return found | {row.digest: row.sop_instance_uid for row in db.execute(kept)}


def _wrong_counts(db: Connection) -> Iterator[str]:
    counted = (
        select(series_table.c.study_id, func.count(instance_table.c.id).label("instances"))
        .join(instance_table, instance_table.c.series_id == series_table.c.id)
        .group_by(series_table.c.study_id)
        .subquery()
    )
    query = (
        select(study_table.c.study_instance_uid, study_table.c.instance_count, counted.c.instances)
        .join(counted, counted.c.study_id == study_table.c.id, isouter=True)
        .where(study_table.c.instance_count != func.coalesce(counted.c.instances, 0))
    )
    for row in db.execute(query):
        yield f"study {row.study_instance_uid} counts {row.instance_count} instances and has {row.instances or 0}"
