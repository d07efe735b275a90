"""What may be done about readings: sign one, compare two, ask for a second, make rules.

Signing is the one door to a report: it makes it final where one reading is enough, and passes the task on where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from consult.practitioners.model import SYSTEM, Role, Viewer
from consult.practitioners.views import register
from consult.queue import actions as queue
from consult.queue.model import OPEN, Stage
from consult.queue.views import READERS, Task
from consult.queue.views import task as task_of
from consult.readings.model import (
    Protocol,
    Radpeer,
    ReadingRule,
    stage_after,
    stage_after_comparison,
)
from consult.readings.tables import comparison_table, reading_table, rule_table
from consult.readings.views import protocol, readings_of
from consult.reports import actions as reports
from consult.reports.actions import DocumentMaker, Prepared
from consult.reports.model import Draft, EarlierReading, Report, ReportEvent
from consult.requests.model import Lane
from consult.sections.model import Section
from consult.sections.views import finished, readings_in, sections_of
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import Event, events_of

LONGEST_COMMENT = 2000
#: After these whoever the event names holds the task, draft and all.
_TAKEN = frozenset({"TaskClaimed", "TaskTakenOver", "TaskHandedOver"})
_LEFT = frozenset({"TaskReleased", "TaskDeclined"})
#: From these on there may be a draft: a task whose clinic is asked goes on without being started.
_BEGUN = frozenset({"TaskStarted", "TaskAsked"})


@dataclass(frozen=True)
class _Step:
    """A signature about to be given at *stage* to what *sections* were put together to, and what follows it."""

    prepared: Prepared
    stage: Stage
    sections: tuple[Section, ...]
    following: Stage | None


def sign_task(database: Database, chronicle: Chronicle, task_id: str, make: DocumentMaker, by: Viewer) -> Report:
    """Sign the task's draft and return the report: final, or preliminary where another has to read the study, too.

    A preliminary one is kept as a reading and told to the clinic only if it is critical. *make* is called outside any
    transaction. Raises as `reports.actions.sign_task`; Conflict (code "comparison-due") when both readings are signed, (code
    "sections-open") while a region of the study is still read.
    """
    with database.reading() as db:
        step = _prepare(db, chronicle, task_id, by)
    report = step.prepared.report
    document = make(report) if step.following is None or report.critical else b""
    with database.transaction() as db:
        queue.lock(db, task_id)
        return _sign(db, chronicle, step, document, by)


def compare(
    database: Database,
    chronicle: Chronicle,
    task_id: str,
    make: DocumentMaker,
    *,
    score: Radpeer,
    comment: str,
    by: Viewer,
) -> Report | None:
    """Say how far the two readings differ, and return the final report; None where they differ in what matters.

    Then a third reads the study and writes it. Otherwise the first reading's text is the report, signed by whoever compares:
    a critical value that either of them saw stays one.

    Raises
    ------
    Conflict
        code "comparison-state": there are not two signed readings to compare, or somebody was quicker.
    Invalid
        code "comment-missing": a discrepancy needs a word on where it lies.
    """
    if score.is_discrepant and not comment.strip():
        raise Invalid("say where the two readings differ: both readers are shown it", code="comment-missing")
    if len(comment) > LONGEST_COMMENT:
        raise Invalid(f"the comment is too long: at most {LONGEST_COMMENT} characters", code="comment-too-long")
    following = stage_after_comparison(score)
    with database.reading() as db:
        task = _comparable(db, task_id, by)
        first, second = readings_of(db, task_id)
        prepared = None
        if following is None:
            critical = first.critical or second.critical
            text = Draft(first.findings, first.impression, first.kind, critical, first.key_images)
            prepared = reports.prepare(db, chronicle, task_id, by, text=text, readings=_earlier(db, task))
    document = make(prepared.report) if prepared else b""
    with database.transaction() as db:
        queue.lock(db, task_id)
        _comparable(db, task_id, by)
        queue.start(db, chronicle, task_id, by=by)  # who claimed it for this alone has written nothing
        row = {"score": score, "comment": comment.strip(), "author_id": first.reader.id, "by_id": by.practitioner_id}
        now = chronicle.clock.now()
        db.execute(insert(comparison_table).values(task_id=task_id, **row, at=now, concordant=following is None))
        news = {"score": score, "author": first.reader.id, "compared_by": by.practitioner_id}
        _enter(db, chronicle, "ReadingsCompared", task, by, **news, concordant=following is None)
        if prepared is not None:
            return reports.sign(db, chronicle, prepared, document, by)
        beside = {first.reader.id, second.reader.id, by.practitioner_id}
        queue.pass_on(db, chronicle, task_id, stage=Stage.ARBITRATION, beside=beside, by=by)
    return None


def ask_for_second(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Let a task that nobody has signed yet be read twice; either side may ask for it."""
    task = task_of(db, by, task_id)
    if task.status not in OPEN or task.stage is not Stage.FIRST:
        raise Conflict("a second reading can be asked for until the first is signed", code="second-late")
    if db.execute(select(rule_table.c.id).where(rule_table.c.task_id == task_id)).first() is None:
        made = {"made_at": chronicle.clock.now(), "made_by": by.practitioner_id}
        db.execute(insert(rule_table).values(id=new_id(), task_id=task_id, **made))
        _enter(db, chronicle, "SecondReadingAsked", task, by, institution=task.institution.id)
    return task


def add_rule(
    db: Connection, chronicle: Chronicle, *, agreement_id: str | None, specialty: Role | None, lane: Lane | None, by: Viewer
) -> ReadingRule:
    """Let every task that is everything the rule names be read twice from now on."""
    if specialty is not None and specialty not in READERS:
        raise Invalid(f"the specialties that read are {', '.join(sorted(READERS))}", code="specialty")
    if agreement_id is not None and all(one.id != agreement_id for one in register(db, SYSTEM)):
        raise NotFound("there is no such agreement", code="agreement")
    rule = ReadingRule(new_id(), agreement_id, specialty, lane)
    made = {"made_at": chronicle.clock.now(), "made_by": by.practitioner_id}
    db.execute(insert(rule_table).values(**asdict(rule), **made))
    _enter_rule(db, chronicle, "DoubleReadingRuled", rule, by)
    return rule


def remove_rule(db: Connection, chronicle: Chronicle, rule_id: str, *, by: Viewer) -> None:
    """Let a standing rule hold no more; what was signed under it goes its way."""
    mine = (rule_table.c.id == rule_id) & rule_table.c.task_id.is_(None)
    if db.execute(delete(rule_table).where(mine)).rowcount == 0:
        raise NotFound("there is no such rule", code="rule")
    _enter_rule(db, chronicle, "DoubleReadingUnruled", ReadingRule(rule_id), by)


def _prepare(db: Connection, chronicle: Chronicle, task_id: str, by: Viewer) -> _Step:
    task = task_of(db, by, task_id)
    following = _following(db, chronicle, task, by)
    event = ReportEvent.SIGN if following is None else ReportEvent.GO_ON
    regions = finished(db, task)
    earlier = () if following else _earlier(db, task)
    # What a region's reader called critical the lead cannot make less; a later reading is free to.
    critical = task.stage is Stage.FIRST and any(one.written and one.written.critical for one in regions)
    prepared = reports.prepare(db, chronicle, task_id, by, event=event, critical=critical, readings=earlier)
    return _Step(prepared, task.stage, regions, following)


def _following(db: Connection, chronicle: Chronicle, task: Task, by: Viewer) -> Stage | None:
    rule = protocol(db, by, task, chronicle.clock.now()) if task.stage is Stage.FIRST else Protocol.SINGLE
    return stage_after(task.stage, rule)


def _sign(db: Connection, chronicle: Chronicle, step: _Step, document: bytes, by: Viewer) -> Report:
    report = step.prepared.report
    task = task_of(db, by, report.task_id)
    as_prepared = task.stage is step.stage and _following(db, chronicle, task, by) is step.following
    if not as_prepared or finished(db, task) != step.sections:
        raise Conflict("how this study is to be read has just changed: sign again", code="draft-stale")
    if step.following is None:
        return reports.sign(db, chronicle, step.prepared, document, by)
    reports.unchanged(db, chronicle, step.prepared, by)
    _keep(db, report, step.stage)
    told = reports.tell(db, chronicle, step.prepared, document, by) if report.critical else report
    queue.start(db, chronicle, task.id, by=by)
    news = {"stage": step.stage, "next": step.following, "signed_by": by.practitioner_id}
    sides = {"institution": task.institution.id, "reading_id": report.id, "content_sha256": report.content_sha256}
    _enter(db, chronicle, "ReadingSigned", task, by, **sides, **news)
    if step.following is not Stage.OVER_READ:
        reports.clear_draft(db, task.id)
    if step.following is Stage.COMPARISON:
        queue.advance(db, chronicle, task.id, stage=step.following, by=by)
    else:
        regions = {one.reader.id for one in step.sections if one.reader}
        beside = {by.practitioner_id} if step.following is Stage.OVER_READ else _writers(events_of(db, task.id)) | regions
        queue.pass_on(db, chronicle, task.id, stage=step.following, beside=beside, by=by)
    return told


def _keep(db: Connection, report: Report, stage: Stage) -> None:
    row = {
        "id": report.id,
        "task_id": report.task_id,
        "stage": stage,
        "reader_id": report.signed_by.id,
        "reader_name": report.signed_by.name,
        "findings": report.findings,
        "impression": report.impression,
        "kind": report.kind,
        "critical": report.critical,
        "key_images": [asdict(image) for image in report.key_images],
        "signed_at": report.signed_at,
        "content_sha256": report.content_sha256,
    }
    db.execute(insert(reading_table).values(row))


def _comparable(db: Connection, task_id: str, by: Viewer) -> Task:
    task = task_of(db, by, task_id)
    if task.stage is not Stage.COMPARISON or task.status not in OPEN:
        raise Conflict("there are no two signed readings to compare here", code="comparison-state")
    if task.owner is None or task.owner.id != by.practitioner_id:
        raise Refused("claim this task first: whoever holds it compares the readings", code="not-yours")
    return task


def _earlier(db: Connection, task: Task) -> tuple[EarlierReading, ...]:
    """Return who signed what of a task before its report: regions of its study, then whole readings."""
    return readings_in(sections_of(db, task)) + tuple(
        EarlierReading(one.stage, one.reader, one.signed_at, one.content_sha256) for one in readings_of(db, task.id)
    )


def _enter(db: Connection, chronicle: Chronicle, type_: str, task: Task, by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    data = {"task_id": task.id, "study_instance_uid": task.study_instance_uid, "performer": task.performer.id, "lane": task.lane}
    data |= {"clinic": task.institution.id, **news}
    chronicle.enter(db, type_, task.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Reading")


def _enter_rule(db: Connection, chronicle: Chronicle, type_: str, rule: ReadingRule, by: Viewer) -> None:
    chronicle.enter(
        db, type_, rule.id, asdict(rule), actor=by.practitioner_id, institution=by.institution_id, entity="ReadingRule"
    )


def _writers(events: Iterable[Event]) -> set[str]:
    """Return who held a task, by its *events*, from when there was a draft on: none of them can still read it blind."""
    holder: str | None = None
    begun, found = False, set[str]()
    for event in events:
        if event.type in _TAKEN:
            holder = event.data["owner"]
        elif event.type in _LEFT:
            holder = None
        begun = begun or event.type in _BEGUN
        if begun and holder is not None:
            found.add(holder)
    return found
