"""Proof that rows and bytes still agree: every kept file read again, every row looked up, both ways."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.indexing import is_referenced
from dicom_node.archive.tables import conflict_table, instance_table, series_table, study_table
from telemed.kernel.database import Database
from telemed.kernel.errors import NotFound


def differences(database: Database, blobs: Blobs) -> Iterator[str]:
    """Name every difference in one sentence; nothing when all is well. It reads all there is: slow on purpose."""
    with database.reading() as db:
        rows = _digests_of_rows(db)
        yield from _wrong_counts(db)
    for digest in blobs.digests():
        try:
            whole = blobs.is_whole(digest)
        except NotFound:
            yield f"the file {digest}.dcm lies where no object of that name belongs"
            continue
        sop_instance_uid = rows.pop(digest, None)
        if not whole:
            yield f"the file {digest}.dcm ({sop_instance_uid or 'of no row'}) has changed since it was stored"
        elif sop_instance_uid is None:
            with database.reading() as db:  # it may have been stored since the rows were read
                referenced = is_referenced(db, digest)
            if not referenced:
                yield f"the file {digest}.dcm belongs to no row of the index"
    for digest, sop_instance_uid in rows.items():
        if not blobs.exists(digest):
            yield f"the file {digest}.dcm of {sop_instance_uid} is missing"


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
