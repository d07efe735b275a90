"""What may be done with a report: save a draft, sign it, amend or correct it, append to it, cancel it.

Signing takes three steps, so that no transaction is open while a PDF is made: a reading that prepares the version as it
will stand, the making of its document, and one short transaction that checks nothing moved in between and binds report,
document, task, clock, event and audit record together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from consult.practitioners.model import Person, Viewer
from consult.queue import actions as queue
from consult.queue.model import HELD, TaskStatus
from consult.queue.views import Task
from consult.queue.views import task as task_of
from consult.reports.model import (
    NEWS,
    Addendum,
    Draft,
    EarlierReading,
    Report,
    ReportEvent,
    ReportStatus,
    Signing,
    Withdrawal,
    appendable,
    checked,
    listing,
    sealed,
    signable,
    status_after,
    stored_addenda,
    stored_readings,
    stored_signing,
)
from consult.reports.tables import document_table, draft_table, draft_version_table, report_table
from consult.reports.views import draft_from
from consult.reports.views import remarks as remarks_of
from consult.reports.views import report as report_of
from consult.turnaround.actions import stamp
from consult.turnaround.model import Point
from dicom_node.archive import index
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused, Unavailable

#: Preparing a version and signing it are seconds apart; a longer pause means the reader should look again.
LONGEST_PREPARATION = timedelta(minutes=2)
LONGEST_REASON = 1000
#: Of what is saved within this time the last version stands for all; a text that was then made shorter stands beside it.
VERSIONS_APART = timedelta(seconds=30)
MOST_VERSIONS = 200

#: Turns a prepared version into the bytes of its PDF; slow, so it is called outside any transaction.
DocumentMaker = Callable[[Report], bytes]


@dataclass(frozen=True)
class Prepared:
    """A version about to be signed: the report as it will stand, its `listing` of images, the draft version it was made from."""

    report: Report
    images: str
    draft_version: int = 0


def save_draft(  # noqa: PLR0917 - in the order of every action: where, what, who
    db: Connection, chronicle: Chronicle, task_id: str, draft: Draft, expected_version: int | None, by: Viewer
) -> Draft:
    """Keep *draft* as the task's next draft version; an accepted task is thereby started.

    *expected_version* is the version the writer saw, 0 before the first; None overwrites whatever is there. What it said
    half a minute ago and earlier, and before it was made shorter, stays to be read.

    Raises
    ------
    Conflict
        code "draft-stale": somebody, or another window, saved in between; code "task-closed": the task is no longer open.
    Refused
        when the task is not the viewer's own.
    """
    kept = checked(draft)
    task = _own_task(db, task_id, by)
    _belonging(db, kept, task.institution.id, task.study_instance_uid)
    present = (_present(db, task_id) or Draft()).version
    if expected_version is not None and expected_version != present:
        raise Conflict(f"this draft was saved elsewhere in the meantime (version {present}): load it again", code="draft-stale")
    saved = _put(db, chronicle, task_id, kept, present, by.practitioner_id)
    if task.status == TaskStatus.ACCEPTED:
        queue.start(db, chronicle, task_id, by=by)
    return saved


def rewrite_draft(db: Connection, chronicle: Chronicle, task_id: str, rewrite: Callable[[Draft], Draft], *, author: str) -> Draft:
    """Make of a task's draft what *rewrite* makes of it, in the name of *author*: colleagues have signed their parts of it."""
    present = _present(db, task_id) or Draft()
    return _put(db, chronicle, task_id, checked(rewrite(present)), present.version, author)


def _present(db: Connection, task_id: str) -> Draft | None:
    row = db.execute(select(draft_table).where(draft_table.c.task_id == task_id).with_for_update()).mappings().first()
    return None if row is None else draft_from(row)


def _put(  # noqa: PLR0917 - in the order of every action: where, what, who
    db: Connection, chronicle: Chronicle, task_id: str, kept: Draft, present: int, author: str
) -> Draft:
    mine = draft_table.c.task_id == task_id
    now = chronicle.clock.now()
    row: dict[str, Any] = {
        "author": author,
        "findings": kept.findings,
        "impression": kept.impression,
        "kind": kept.kind,
        "critical": kept.critical,
        "key_images": [asdict(image) for image in kept.key_images],
        "version": present + 1,
        "saved_at": now,
    }
    if present:
        changed = db.execute(update(draft_table).where(mine, draft_table.c.version == present).values(row)).rowcount
        if changed != 1:
            raise Conflict("this draft was saved elsewhere in the meantime: load it again", code="draft-stale")
    else:
        db.execute(insert(draft_table).values(task_id=task_id, **row))
    _keep_version(db, {"task_id": task_id, **row})
    return replace(kept, version=present + 1, saved_at=now)


def sign_task(database: Database, chronicle: Chronicle, task_id: str, make: DocumentMaker, by: Viewer) -> Report:
    """Sign the task's draft and return the report; *make* is called outside any transaction.

    Raises
    ------
    Invalid
        codes "findings-missing", "impression-missing", "kind-missing": what the draft lacks.
    Conflict
        when the draft or the task changed while the document was made, or the report is signed already.
    Refused
        when the task is not the viewer's own.
    """
    with database.reading() as db:
        prepared = prepare(db, chronicle, task_id, by)
    document = make(prepared.report)
    with database.transaction() as db:
        return sign(db, chronicle, prepared, document, by)


def amend_report(  # noqa: PLR0917 - in the order of every action: where, what, who
    database: Database,
    chronicle: Chronicle,
    report_id: str,
    draft: Draft,
    reason: str,
    make: DocumentMaker,
    by: Viewer,
    *,
    event: ReportEvent = ReportEvent.AMEND,
) -> Report:
    """Sign a new version that names the one it replaces; the old one stays readable, the clinic must acknowledge again.

    *event* is AMEND for what was learned since, CORRECT for an error of the earlier version. Addenda stay as they are.

    Raises as `sign_task`; Conflict also when *report_id* was replaced already (code "report-superseded") or is cancelled (code
    "report-state"), Invalid without a *reason*.
    """
    with database.reading() as db:
        prepared = prepare_amendment(db, chronicle, report_id, draft, event=event, reason=reason, by=by)
    return _signed_over(database, chronicle, prepared, make, by)


def append_to_report(  # noqa: PLR0917 - in the order of every action: where, what, who
    database: Database,
    chronicle: Chronicle,
    report_id: str,
    text: str,
    make: DocumentMaker,
    by: Viewer,
    *,
    critical: bool = False,
) -> Report:
    """Sign a new version that adds *text* beneath the report and leaves every word of it; the clinic must acknowledge again.

    *critical* may make it so; nothing makes a critical report less. Raises as `amend_report`, and what `appendable` raises.
    """
    with database.reading() as db:
        prepared = prepare_addendum(db, chronicle, report_id, text, critical=critical, by=by)
    return _signed_over(database, chronicle, prepared, make, by)


def cancel_report(  # noqa: PLR0917 - in the order of every action: where, what, who
    database: Database,
    chronicle: Chronicle,
    report_id: str,
    cause: Withdrawal,
    reason: str,
    make: DocumentMaker,
    by: Viewer,
) -> Report:
    """Sign that a report is withdrawn, and why: nothing can follow it, and the clinic asks anew for an answer.

    The task stays completed and its clock as it was. *reason* may be empty unless *cause* is OTHER. Raises as `amend_report`.
    """
    with database.reading() as db:
        prepared = prepare_cancellation(db, chronicle, report_id, cause=cause, reason=reason, by=by)
    return _signed_over(database, chronicle, prepared, make, by)


def prepare(
    db: Connection,
    chronicle: Chronicle,
    task_id: str,
    by: Viewer,
    *,
    event: ReportEvent = ReportEvent.SIGN,
    text: Draft | None = None,
    critical: bool = False,
    readings: tuple[EarlierReading, ...] = (),
) -> Prepared:
    """Return the report as it will stand once *by* has signed it, dated now; it replaces the preliminary one, if one was told.

    Its text is the task's draft, or *text* of an earlier reading with which *by* agrees. *critical* makes it so whatever the
    draft says.
    """
    task = _own_task(db, task_id, by)
    row = db.execute(select(draft_table).where(draft_table.c.task_id == task_id)).mappings().first()
    written = Draft() if row is None else draft_from(row)
    draft = signable(text or written)
    told = db.execute(_newest(task_id)).first()
    assert draft.kind is not None
    _belonging(db, draft, task.institution.id, task.study_instance_uid)
    study = _study(db, task)
    images = _images(db, task.institution.id, task.study_instance_uid)
    report = Report(
        id=new_id(),
        task_id=task.id,
        study_instance_uid=task.study_instance_uid,
        status=status_after(ReportStatus.PRELIMINARY, event),
        version=1 if told is None else told.version + 1,
        kind=draft.kind,
        findings=draft.findings,
        impression=draft.impression,
        critical=draft.critical or critical,
        key_images=draft.key_images,
        signed_at=_to_the_millisecond(chronicle.clock.now()),
        signed_by=Person(by.practitioner_id, by.name),
        institution=task.institution,
        performer=task.performer,
        patient=task.patient,
        readings=readings,
        amends=None if told is None else told.id,
        study_description=task.description,
        modalities=tuple(task.modalities),
        study_at=study.started_at if study else None,
        lane=task.lane,
        budget_s=task.budget_s,
        images_sha256=_sha256(images.encode()),
    )
    return Prepared(sealed(report), images, written.version)


def unchanged(db: Connection, chronicle: Chronicle, prepared: Prepared, by: Viewer) -> None:
    """Return when *prepared* is still what *by* would sign now; raise as `sign_task` when something moved in between."""
    report = prepared.report
    _fresh(report, chronicle, by)
    mine = draft_table.c.task_id == report.task_id
    present = db.execute(select(draft_table.c.version).where(mine).with_for_update()).scalar() or 0
    if present != prepared.draft_version:
        raise Conflict("the draft was changed while it was being signed: read it again and sign", code="draft-stale")
    told = db.execute(_newest(report.task_id)).first()
    if (told and told.id) != report.amends or (told and told.status != ReportStatus.PRELIMINARY):
        raise Conflict("this report is signed already: amend or correct it instead", code="report-signed")


def tell(db: Connection, chronicle: Chronicle, prepared: Prepared, document: bytes, by: Viewer) -> Report:
    """Bind a preliminary report and its *document* for ever: the clinic is told, the task and its clock go on."""
    told = _keep(db, prepared, document)
    _enter(db, chronicle, NEWS[told.status], told, by)
    return told


def clear_draft(db: Connection, task_id: str) -> None:
    """Take the draft and its versions away: who reads next begins with nothing."""
    for table in (draft_table, draft_version_table):
        db.execute(delete(table).where(table.c.task_id == task_id))


def sign(db: Connection, chronicle: Chronicle, prepared: Prepared, document: bytes, by: Viewer) -> Report:
    """Bind *prepared* and its *document* for ever, complete the task and stamp T4."""
    report = prepared.report
    unchanged(db, chronicle, prepared, by)
    remarks = [remark.code for remark in remarks_of(db, by, report.task_id)]  # signed in spite of them: the trail keeps that
    signed = _keep(db, prepared, document)
    # The first stamp counts: T4 is the moment printed on the document, not that of this commit.
    stamp(db, report.task_id, Point.T4, report.signed_at)
    queue.start(db, chronicle, report.task_id, by=by)
    queue.complete(db, chronicle, report.task_id, report_id=report.id, by=by)
    _enter(db, chronicle, NEWS[signed.status], signed, by, remarks=remarks)
    return signed


def prepare_amendment(
    db: Connection, chronicle: Chronicle, report_id: str, draft: Draft, *, event: ReportEvent, reason: str, by: Viewer
) -> Prepared:
    """Return the version that is to replace *report_id* with another text, dated now."""
    replaced = _replaceable(db, report_id, by)
    if not reason.strip():
        raise Invalid("say why the report is changed (修改原因): the clinic is shown it", code="reason-missing")
    written = signable(draft)
    assert written.kind is not None
    _belonging(db, written, replaced.institution.id, replaced.study_instance_uid)
    return _succeeding(
        db,
        chronicle,
        replaced,
        event,
        by,
        kind=written.kind,
        findings=written.findings,
        impression=written.impression,
        critical=written.critical,
        key_images=written.key_images,
        readings=(),
        text_signed=None,
        reason=_reasoned(reason),
    )


def prepare_addendum(db: Connection, chronicle: Chronicle, report_id: str, text: str, *, critical: bool, by: Viewer) -> Prepared:
    """Return the version that is to add *text* to *report_id*, dated now."""
    replaced = _replaceable(db, report_id, by)
    made = _succeeding(
        db, chronicle, replaced, ReportEvent.APPEND, by, critical=replaced.critical or critical, text_signed=_signing_of(replaced)
    )
    addendum = Addendum(appendable(text), made.report.signed_by, made.report.signed_at)
    return replace(made, report=sealed(replace(made.report, addenda=(*replaced.addenda, addendum))))


def prepare_cancellation(
    db: Connection, chronicle: Chronicle, report_id: str, *, cause: Withdrawal, reason: str, by: Viewer
) -> Prepared:
    """Return the version that is to withdraw *report_id*, dated now: what it said, and that it no longer holds.

    It is not critical: what nobody may act on any more is not read back, nor its cancellation withheld until it is.
    """
    replaced = _replaceable(db, report_id, by)
    if cause is Withdrawal.OTHER and not reason.strip():
        raise Invalid("say why the report is cancelled (作废原因): the clinic is shown it", code="reason-missing")
    text_signed, reason = _signing_of(replaced), _reasoned(reason)
    return _succeeding(
        db,
        chronicle,
        replaced,
        ReportEvent.CANCEL,
        by,
        critical=False,
        cause=cause,
        reason=reason or None,
        text_signed=text_signed,
    )


def supersede(db: Connection, chronicle: Chronicle, prepared: Prepared, document: bytes, by: Viewer) -> Report:
    """Bind a version that replaces a signed one, and its *document*, for ever."""
    report = prepared.report
    _fresh(report, chronicle, by)
    if report.amends is None:
        raise Invalid("such a version names the one it replaces", code="amends-missing")
    # The lock lets two that replace one version meet here one after the other; SQLite has one writer anyhow.
    db.execute(select(report_table.c.id).where(report_table.c.id == report.amends).with_for_update())
    if max(_versions(db, report.task_id), default=0) != report.version - 1:
        raise _superseded()
    signed = _keep(db, prepared, document)
    _enter(db, chronicle, NEWS[signed.status], signed, by)
    return signed


def _signed_over(database: Database, chronicle: Chronicle, prepared: Prepared, make: DocumentMaker, by: Viewer) -> Report:
    document = make(prepared.report)
    with database.transaction() as db:
        return supersede(db, chronicle, prepared, document, by)


def _replaceable(db: Connection, report_id: str, by: Viewer) -> Report:
    """Return the version that *by* may replace; raise as `amend_report`."""
    replaced = report_of(db, by, report_id)
    queue.require_fitting(db, replaced.task_id, by=by)
    if replaced.amended_by is not None:
        raise _superseded()
    return replaced


def _succeeding(
    db: Connection,
    chronicle: Chronicle,
    replaced: Report,
    event: ReportEvent,
    by: Viewer,
    **changes: Any,  # noqa: ANN401 - fields of the report
) -> Prepared:
    """Return the version that *event* makes of *replaced*, signed now by *by* and told to nobody yet."""
    images = _images(db, replaced.institution.id, replaced.study_instance_uid)
    report = replace(
        replaced,
        id=new_id(),
        status=status_after(replaced.status, event),
        version=replaced.version + 1,
        signed_at=_to_the_millisecond(chronicle.clock.now()),
        signed_by=Person(by.practitioner_id, by.name),
        amends=replaced.id,
        images_sha256=_sha256(images.encode()),
        document_sha256=None,
        delivered_at=None,
        read_at=None,
        read_by=None,
        read_back=None,
        **{"reason": None, **changes},
    )
    return Prepared(sealed(report), images)


def _signing_of(report: Report) -> Signing:
    """Return who signed the findings and impression that stand in *report*."""
    return report.text_signed or Signing(report.signed_by, report.signed_at)


def _reasoned(reason: str) -> str:
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"the reason is too long: at most {LONGEST_REASON} characters", code="reason-too-long")
    return reason.strip()


def _own_task(db: Connection, task_id: str, by: Viewer) -> Task:
    task = task_of(db, by, task_id)
    if task.owner is None or task.owner.id != by.practitioner_id:
        owner = "nobody yet: claim it first" if task.owner is None else task.owner.name
        raise Refused(f"only its owner may write this report; the task belongs to {owner}", code="not-yours")
    if task.status not in HELD:
        raise Conflict(f"this task is {task.status}; its report can no longer be written", code="task-closed")
    return task


def _keep_version(db: Connection, row: dict[str, Any]) -> None:
    """Keep a draft as it now is, beside what it was; the newest MOST_VERSIONS stay."""
    of, mine = draft_version_table.c, draft_version_table.c.task_id == row["task_id"]
    newest_first = select(draft_version_table).where(mine).order_by(of.version.desc())
    kept = db.execute(newest_first.limit(2)).all()
    if len(kept) == 2:
        last, before = kept
        hasty = last.saved_at - before.saved_at < VERSIONS_APART and last.author == before.author == row["author"]
        if hasty and len(row["findings"]) >= len(last.findings) and len(row["impression"]) >= len(last.impression):
            db.execute(delete(draft_version_table).where(mine, of.version == last.version))
    db.execute(insert(draft_version_table).values(row))
    beyond = db.scalar(newest_first.with_only_columns(of.version).offset(MOST_VERSIONS).limit(1))
    if beyond is not None:
        db.execute(delete(draft_version_table).where(mine, of.version <= beyond))


def _belonging(db: Connection, draft: Draft, institution: str, study_instance_uid: str) -> None:
    """Refuse a key image of another study: its picture would show another patient's data."""
    for image in draft.key_images:
        try:
            study = index.study_of_instance(db, institution, image.sop_instance_uid)
        except NotFound:
            study = None
        if study is None or study.study_instance_uid != study_instance_uid:
            raise Invalid("a key image must be of the study that is reported", code="key-image-foreign")


def _study(db: Connection, task: Task) -> index.Study | None:
    try:
        return index.study(db, task.institution.id, task.study_instance_uid)
    except NotFound:
        return None


def _images(db: Connection, institution: str, study_instance_uid: str) -> str:
    return listing(index.digests_of(db, institution, study_instance_uid))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fresh(report: Report, chronicle: Chronicle, by: Viewer) -> None:
    if report.signed_by.id != by.practitioner_id:
        raise Refused("a report is signed by the one it was prepared for", code="not-yours")
    if chronicle.clock.now() - report.signed_at > LONGEST_PREPARATION:
        raise Unavailable("making the document took too long: sign again", code="signing-slow")


def _newest(task_id: str) -> Select[Any]:
    """Ask for the newest version of a task's report."""
    columns = report_table.c.id, report_table.c.version, report_table.c.status
    return select(*columns).where(report_table.c.task_id == task_id).order_by(report_table.c.version.desc()).limit(1)


def _versions(db: Connection, task_id: str) -> list[int]:
    return list(db.scalars(select(report_table.c.version).where(report_table.c.task_id == task_id)))


def _keep(db: Connection, prepared: Prepared, document: bytes) -> Report:
    report = prepared.report
    patient = {**vars(report.patient), "birth_date": report.patient.birth_date and report.patient.birth_date.isoformat()}
    row = {name: getattr(report, name) for name in _PLAIN}
    row["key_images"] = [asdict(image) for image in report.key_images]
    row |= {"institution": report.institution.id, "performer": report.performer.id, "signed_by": report.signed_by.id}
    row["named"] = {
        "signed_by": vars(report.signed_by),
        "institution": vars(report.institution),
        "performer": vars(report.performer),
        "patient": patient,
        "study_description": report.study_description,
        "modalities": list(report.modalities),
        "study_at": report.study_at and rfc3339(report.study_at),
        "readings": stored_readings(report.readings),
        "text_signed": report.text_signed and stored_signing(report.text_signed),
    }
    row["addenda"] = stored_addenda(report.addenda)
    db.execute(insert(report_table).values(row))
    digest = _sha256(document)
    kept = {
        "report_id": report.id,
        "media_type": "application/pdf",
        "sha256": digest,
        "content": document,
        "images": prepared.images,
    }
    db.execute(insert(document_table).values(kept))
    return replace(report, document_sha256=digest)


#: The columns that hold the report's own values as they are.
_PLAIN = (
    "id",
    "task_id",
    "version",
    "study_instance_uid",
    "status",
    "kind",
    "findings",
    "impression",
    "critical",
    "signed_at",
    "lane",
    "budget_s",
    "amends",
    "reason",
    "cause",
    "content_sha256",
    "images_sha256",
)


def _enter(db: Connection, chronicle: Chronicle, type_: str, report: Report, by: Viewer, **news: object) -> None:
    data = {
        "task_id": report.task_id,
        "study_instance_uid": report.study_instance_uid,
        **report.told_to,
        "report_id": report.id,
        "version": report.version,
        "kind": report.kind,
        "critical": report.critical,
        "signed_by": report.signed_by.id,
        "content_sha256": report.content_sha256,
        "document_sha256": report.document_sha256,
        **news,
    }
    if report.amends is not None:
        data |= {"amends": report.amends, "reason": report.reason}
    if report.cause is not None:
        data["cause"] = report.cause
    chronicle.enter(
        db, type_, report.task_id, data, actor=by.practitioner_id, institution=by.institution_id, entity="DiagnosticReport"
    )


def _superseded() -> Conflict:
    return Conflict("this version has been replaced already: change the newest one", code="report-superseded")


def _to_the_millisecond(at: datetime) -> datetime:
    """Cut what the canonical form does not carry, so that the stored report hashes to the same digest."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
