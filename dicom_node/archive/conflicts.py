"""One SOP Instance UID, two contents: what a person is shown of it, and how it is put aside.

Both are kept as they came. The first is shown to readers; whether the second is a repair, a mistake of a device or somebody
else's image is not for a program to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from mmap import ACCESS_READ, mmap
from typing import Any

from sqlalchemy import Connection, Select, select, update

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.header import Header, read_header
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import conflict_table, instance_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.errors import Invalid, NotFound

MOST_SHOWN = 100
LONGEST_REASON = 400
#: What the two may differ in beside the header's own fields.
CONTENT, UNREADABLE = "content", "unreadable"


@dataclass(frozen=True)
class Double:
    """Content that came under a UID already kept; *first_* is said of what is kept and shown."""

    id: str
    institution: str
    study_instance_uid: str
    sop_instance_uid: str
    source: str
    received_at: datetime
    digest: str
    first_source: str
    first_received_at: datetime
    first_digest: str


def unresolved(db: Connection) -> list[Double]:
    """Return what nobody has looked at yet, the newest first."""
    kept, beside = instance_table.c, conflict_table.c
    columns = (beside.id, kept.institution, beside.study_instance_uid, kept.sop_instance_uid)
    came = (beside.source, beside.received_at, beside.digest, kept.source, kept.received_at, kept.digest)
    query: Select[Any] = select(*columns, *came).join(instance_table, kept.id == beside.instance_id)
    newest = query.where(beside.resolved_at.is_(None)).order_by(beside.received_at.desc(), beside.id)
    return [Double(*row) for row in db.execute(newest.limit(MOST_SHOWN))]


def differences(blobs: Blobs, double: Double) -> tuple[str, ...]:
    """Name what the two differ in: fields of `header.Header`, CONTENT when only something else does. Reads both files."""
    try:
        ours, theirs = (_header(blobs, digest) for digest in (double.first_digest, double.digest))
    except (Invalid, OSError, ValueError):
        return (UNREADABLE,)
    return tuple(name for name, value in vars(ours).items() if vars(theirs)[name] != value) or (CONTENT,)


def _header(blobs: Blobs, digest: str) -> Header:
    with blobs.path(digest).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        data = memoryview(mapped)
        try:
            before = read_preface(data)
            bare = data[before.length :]
            try:
                return read_header(bare, before.transfer_syntax_uid)
            finally:
                bare.release()
        finally:
            data.release()


def resolve(db: Connection, chronicle: Chronicle, conflict_id: str, *, reason: str, actor: str) -> None:
    """Take a conflict off the list: *actor* has looked at it and says why it may rest. Both contents stay as they are.

    Raises
    ------
    NotFound
        when there is none, or somebody has resolved it already.
    Invalid
        when no reason is given.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise Invalid(f"say in 1 to {LONGEST_REASON} characters why this may rest", code="reason-missing")
    query = select(instance_table.c.institution, instance_table.c.sop_instance_uid, conflict_table.c.study_instance_uid)
    joined = query.join(conflict_table, conflict_table.c.instance_id == instance_table.c.id)
    found = db.execute(joined.where(conflict_table.c.id == conflict_id)).first()
    mine = (conflict_table.c.id == conflict_id) & conflict_table.c.resolved_at.is_(None)
    if found is None or db.execute(update(conflict_table).where(mine).values(resolved_at=chronicle.clock.now())).rowcount == 0:
        raise NotFound("there is no such conflict, or it is resolved already", code="conflict")
    told = {**found._asdict(), "reason": reason}
    uid = found.study_instance_uid
    chronicle.enter(db, "ConflictResolved", uid, told, actor=actor, institution=found.institution, entity="Study")
