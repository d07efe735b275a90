"""What is shown of sections: who reads which, to every reader of the hospital; their text, to author and lead."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from consult.phrases.model import Region
from consult.practitioners.model import Person, Viewer
from consult.practitioners.views import people_by_id
from consult.queue.model import OPEN, Stage, TaskStatus
from consult.queue.tables import task_table
from consult.queue.views import READERS, Task
from consult.queue.views import task as task_of
from consult.reports.model import REGION_NAMES, EarlierReading
from consult.sections.model import REGIONS, Section, SectionStatus, Written
from consult.sections.tables import section_table
from telemed.kernel.errors import Conflict

#: Split tasks of one hospital are few; a worklist shows no more of them than this.
MOST_LISTED = 500


def sections(db: Connection, viewer: Viewer, task_id: str) -> tuple[Section, ...]:
    """Return a task's sections in the order of the report, none to whoever is no reader of it.

    What is not signed only its author sees; what is signed the lead, too, and every reader once the task is done. Whoever must
    be blind to the task is told of none. NotFound as `queue.views.task`.
    """
    task = task_of(db, viewer, task_id)
    if viewer.institution_id != task.performer.id or task.specialty not in viewer.roles or task.blind:
        return ()
    leads = task.status is TaskStatus.COMPLETED or (task.owner is not None and task.owner.id == viewer.practitioner_id)
    return tuple(_shown(one, viewer, leads=leads) for one in sections_of(db, task))


def worklist(db: Connection, viewer: Viewer) -> tuple[Section, ...]:
    """Return the sections of every task at its first reading that the viewer may read, without their text."""
    mine = (task_table.c.performer_id == viewer.institution_id) & task_table.c.specialty.in_(viewer.roles & READERS)
    awaited = task_table.c.status.in_(OPEN) & (task_table.c.stage == Stage.FIRST)
    here = section_table.c.performer_id == task_table.c.performer_id
    return tuple(replace(one, written=None) for one in _found(db, mine & awaited & here))


def sections_of(db: Connection, task: Task) -> tuple[Section, ...]:
    """Return the sections into which the task's hospital has split it, whole, whoever asks."""
    return _found(db, (section_table.c.task_id == task.id) & (section_table.c.performer_id == task.performer.id))


def finished(db: Connection, task: Task) -> tuple[Section, ...]:
    """Return the signed sections of a task; Conflict (code "sections-open") while one of them is not."""
    found = sections_of(db, task)
    left = [one.name.en for one in found if one.status is not SectionStatus.SIGNED]
    if left:
        raise Conflict(f"not every section is signed yet: {', '.join(left)}", code="sections-open")
    return found


def readings_in(found: tuple[Section, ...]) -> tuple[EarlierReading, ...]:
    """Return what a report says of its signed sections: who read which, when, and the digest of what they wrote."""
    return tuple(
        EarlierReading(Stage.FIRST, one.reader, one.signed_at, one.content_sha256, one.region)
        for one in found
        if one.reader and one.signed_at and one.content_sha256
    )


def section_from(row: RowMapping, reader: Person | None) -> Section:
    """Build a Section from a row of section_table."""
    region = Region(row["region"])
    written = Written(row["findings"], row["impression"], row["critical"], row["version"], row["saved_at"])
    signed = row["signed_at"], row["content_sha256"]
    status = SectionStatus(row["status"])
    return Section(row["id"], row["task_id"], region, REGION_NAMES[region], status, reader, *signed, written)


def _found(db: Connection, wanted: ColumnElement[bool]) -> tuple[Section, ...]:
    query = select(section_table).join(task_table, task_table.c.id == section_table.c.task_id).where(wanted)
    rows = db.execute(query.order_by(section_table.c.task_id).limit(MOST_LISTED)).mappings().all()
    people = people_by_id(db, {row["reader_id"] for row in rows if row["reader_id"]})
    found = []
    for row in rows:
        signed_as = Person(row["reader_id"], row["reader_name"]) if row["reader_name"] else None
        found.append(section_from(row, signed_as or people.get(row["reader_id"])))
    return tuple(sorted(found, key=lambda one: (one.task_id, REGIONS.index(one.region))))


def _shown(section: Section, viewer: Viewer, *, leads: bool) -> Section:
    author = section.reader is not None and section.reader.id == viewer.practitioner_id
    seen = author or (leads and section.status is SectionStatus.SIGNED)
    return section if seen else replace(section, written=None)
