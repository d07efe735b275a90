"""What may be done with sections: split a task, claim, write, sign and give back its sections, take one over, undo the split."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from consult.phrases.model import Region
from consult.practitioners.model import SYSTEM, Person, Viewer
from consult.practitioners.views import people_by_id
from consult.queue import actions as queue
from consult.queue.escalation import Leased
from consult.queue.model import HELD, OPEN, Stage
from consult.queue.sla import LEASE
from consult.queue.tables import task_table
from consult.queue.views import Task
from consult.queue.views import task as task_of
from consult.reports import actions as reports
from consult.reports.model import Draft, checked, signable
from consult.sections.model import (
    FEWEST,
    LEASED,
    LONGEST_SECTION,
    MOST,
    REGIONS,
    Section,
    SectionEvent,
    SectionStatus,
    Written,
    digest,
    merged,
    status_after,
)
from consult.sections.tables import section_table
from consult.sections.views import section_from, sections, sections_of
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

LONGEST_REASON = 2000


def split(db: Connection, chronicle: Chronicle, task_id: str, *, regions: Collection[Region], by: Viewer) -> tuple[Section, ...]:
    """Let a task's study be read in *regions* by several at once; whoever holds it at its first reading may.

    Raises
    ------
    Invalid
        code "regions": too few, too many, or one that is no section of a report.
    Conflict
        codes "split-already", "split-late".
    """
    task = _led(db, task_id, by)
    wanted = [region for region in REGIONS if region in regions]
    if not FEWEST <= len(wanted) <= MOST or len(wanted) != len(set(regions)):
        raise Invalid(f"name {FEWEST} to {MOST} of {', '.join(REGIONS)}", code="regions")
    if sections_of(db, task):
        raise Conflict("this task is split already: undo that first", code="split-already")
    queue.start(db, chronicle, task_id, by=by)
    place = {"task_id": task_id, "performer_id": task.performer.id, "status": SectionStatus.OPEN}
    empty = {"findings": "", "impression": "", "critical": False, "version": 0}
    db.execute(insert(section_table), [{"id": new_id(), "region": region, **place, **empty} for region in wanted])
    _enter(db, chronicle, "TaskSplit", task_id, by, regions=wanted)
    return sections(db, by, task_id)


def undo(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> None:
    """Take the split back, texts and all, while none of its sections is signed; the lead may."""
    task = _led(db, task_id, by)
    found = sections_of(db, task)
    if not found:
        raise NotFound("this task is not split", code="section")
    if any(one.status is SectionStatus.SIGNED for one in found):
        raise Conflict("a section is signed: the split stays", code="section-signed")
    db.execute(delete(section_table).where(section_table.c.id.in_([one.id for one in found])))
    _enter(db, chronicle, "TaskUnsplit", task_id, by)


def claim(db: Connection, chronicle: Chronicle, section_id: str, *, by: Viewer) -> Section:
    """Take an open section; of two who do so at one instant exactly one wins. Claiming one's own again changes nothing.

    What whoever gave it back had written comes with it.
    """
    row, _ = _seen(db, section_id, by)
    if row["status"] == SectionStatus.CLAIMED and row["reader_id"] == by.practitioner_id:
        return _shown(db, section_id)
    if row["status"] != SectionStatus.OPEN:
        name = people_by_id(db, {row["reader_id"]})[row["reader_id"]].name
        raise Conflict(f"{name} has this section already", code="section-taken")
    _change(db, row, SectionEvent.CLAIM, reader_id=by.practitioner_id, lease_until=chronicle.clock.now() + LEASE)
    _enter(db, chronicle, "SectionClaimed", row["task_id"], by, section=row)
    return _shown(db, section_id)


def renew(db: Connection, chronicle: Chronicle, *, by: Viewer) -> tuple[str, ...]:
    """Renew all the viewer's claims, of sections and of tasks, and return as `queue.actions.renew`."""
    mine = (section_table.c.reader_id == by.practitioner_id) & section_table.c.status.in_(LEASED)
    db.execute(update(section_table).where(mine).values(lease_until=chronicle.clock.now() + LEASE))
    return queue.renew(db, chronicle, by=by)


def release(db: Connection, chronicle: Chronicle, section_id: str, *, by: Viewer) -> Section:
    """Give a claimed section back; what was written stays for whoever claims it next."""
    row, _ = _own(db, section_id, by)
    _change(db, row, SectionEvent.RELEASE, reader_id=None, lease_until=None)
    _enter(db, chronicle, "SectionReleased", row["task_id"], by, section=row, cause="given back")
    return replace(_shown(db, section_id), written=None)


def take_over(db: Connection, chronicle: Chronicle, section_id: str, *, reason: str, by: Viewer) -> Section:
    """Take a section that somebody else holds, text and all, saying why; only the lead may."""
    row, task = _seen(db, section_id, by)
    _leading(task, by)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"say why in 1 to {LONGEST_REASON} characters: your colleague reads it", code="reason-missing")
    _change(db, row, SectionEvent.TAKE_OVER, reader_id=by.practitioner_id, lease_until=chronicle.clock.now() + LEASE)
    _enter(db, chronicle, "SectionTakenOver", task.id, by, section=row, **{"from": row["reader_id"], "reason": reason.strip()})
    return _shown(db, section_id)


def save(db: Connection, chronicle: Chronicle, section_id: str, written: Written, *, by: Viewer) -> Section:
    """Keep what *by* has written of their section; no event, as with drafts.

    *written* carries the version its writer saw. Raises Conflict (code "draft-stale") when another window saved in between.
    """
    row, _ = _own(db, section_id, by)
    if written.version != row["version"]:
        raise Conflict("this section was saved elsewhere in the meantime: load it again", code="draft-stale")
    if max(len(written.findings), len(written.impression)) > LONGEST_SECTION:
        raise Invalid(f"the text is too long: at most {LONGEST_SECTION} characters in each part", code="report-too-long")
    text = checked(Draft(written.findings, written.impression))
    words = {"findings": text.findings, "impression": text.impression, "critical": written.critical}
    _change(db, row, SectionEvent.SAVE, **words, version=row["version"] + 1, saved_at=chronicle.clock.now())
    return _shown(db, section_id)


def sign(db: Connection, chronicle: Chronicle, section_id: str, *, by: Viewer) -> Section:
    """Sign one's section as it is saved: it never changes again. With the last of them the lead's draft is their text.

    Raises Invalid as `reports.actions.sign_task` for what the section lacks.
    """
    _, task = _seen(db, section_id, by)
    queue.lock(db, task.id)
    row, task = _own(db, section_id, by)
    signable(Draft(row["findings"], row["impression"], task.kind))
    section = section_from(row, Person(by.practitioner_id, by.name))
    assert section.written is not None
    assert section.reader is not None
    now = chronicle.clock.now()
    signed_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    sha256 = digest(section, task.study_instance_uid, section.written, section.reader, signed_at)
    signature = {"reader_name": by.name, "signed_at": signed_at, "content_sha256": sha256}
    _change(db, row, SectionEvent.SIGN, **signature, lease_until=None)
    found = sections_of(db, task)
    if all(one.status is SectionStatus.SIGNED for one in found):
        author = task.owner.id if task.owner else by.practitioner_id
        reports.rewrite_draft(db, chronicle, task.id, lambda before: merged(found, before), author=author)
    _enter(db, chronicle, "SectionSigned", task.id, by, section=row, content_sha256=sha256)
    return _shown(db, section_id)


def _led(db: Connection, task_id: str, by: Viewer) -> Task:
    """Return a task that *by* leads and of which nothing is signed, its row locked."""
    task_of(db, by, task_id)
    queue.lock(db, task_id)
    task = task_of(db, by, task_id)
    _leading(task, by)
    if task.status not in HELD or task.stage is not Stage.FIRST:
        raise Conflict("a task is split at its first reading, before it is signed", code="split-late")
    return task


def _leading(task: Task, by: Viewer) -> None:
    if task.owner is None or task.owner.id != by.practitioner_id:
        raise Refused("only whoever holds the task may do this", code="not-yours")


def _seen(db: Connection, section_id: str, by: Viewer) -> tuple[RowMapping, Task]:
    """Return a section that may still be written, and its task; NotFound and Refused for whoever may not read it."""
    row = db.execute(select(section_table).where(section_table.c.id == section_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such section", code="section")
    task = task_of(db, by, row["task_id"])
    queue.require_eligible(db, task.id, by=by)
    if row["performer_id"] != task.performer.id or task.status not in OPEN or task.stage is not Stage.FIRST:
        raise Conflict("the sections of this task can no longer be written", code="task-closed")
    return row, task


def _own(db: Connection, section_id: str, by: Viewer) -> tuple[RowMapping, Task]:
    row, task = _seen(db, section_id, by)
    if row["reader_id"] != by.practitioner_id:
        raise Refused("only whoever has claimed a section may write it", code="not-yours")
    return row, task


def _change(db: Connection, row: RowMapping, event: SectionEvent, **values: Any) -> None:  # noqa: ANN401 - columns of the row
    """Let *event* happen to the section as it was found in *row*; Conflict when it has changed since."""
    of = section_table.c
    as_found = (of.id == row["id"]) & (of.status == row["status"]) & (of.version == row["version"])
    held = of.reader_id.is_(None) if row["reader_id"] is None else of.reader_id == row["reader_id"]
    values["status"] = status_after(SectionStatus(row["status"]), event)
    if db.execute(update(section_table).where(as_found, held).values(values)).rowcount == 0:
        raise Conflict("somebody changed this section at the same moment: look again", code="section-taken")


def _shown(db: Connection, section_id: str) -> Section:
    row = db.execute(select(section_table).where(section_table.c.id == section_id)).mappings().one()
    reader = row["reader_id"] and people_by_id(db, {row["reader_id"]})[row["reader_id"]]
    return section_from(row, reader)


def _enter(
    db: Connection,
    chronicle: Chronicle,
    type_: str,
    task_id: str,
    by: Viewer,
    *,
    section: RowMapping | None = None,
    **news: Any,  # noqa: ANN401 - plain JSON
) -> None:
    """Tell the hospital; neither the clinic nor whoever may have to read the study blind learns what a section says."""
    task = db.execute(select(task_table).where(task_table.c.id == task_id)).one()
    data = {"task_id": task.id, "study_instance_uid": task.study_instance_uid, "performer": task.performer_id}
    data |= {"clinic": task.institution_id, "lane": task.lane}
    if section is not None:
        data |= {"section_id": section["id"], "region": section["region"], "reader": by.practitioner_id}
    data |= news
    chronicle.enter(db, type_, task.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="ReadingSection")


def _tell_of_sections(db: Connection, chronicle: Chronicle, found: Sequence[RowMapping]) -> None:
    for one in found:
        _enter(db, chronicle, "SectionReleased", one["task_id"], SYSTEM, section=one, cause="lease", reader=one["reader_id"])


#: Sections are held as tasks are.
SECTIONS = Leased(
    section_table, LEASED, {"status": SectionStatus.OPEN, "reader_id": None, "lease_until": None}, _tell_of_sections
)
