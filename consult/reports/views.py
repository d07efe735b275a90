"""What is shown of reports: one, those of a study, the draft, the clinic's inbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, false, func, or_, select

from consult.phrases.model import Region
from consult.practitioners.model import Institution, Level, Person, Role, Viewer
from consult.practitioners.views import people_by_id
from consult.queue.model import Stage
from consult.queue.tables import task_table
from consult.queue.views import blind
from consult.queue.views import task as task_of
from consult.reports.checks import Remark, Writing
from consult.reports.checks import remarks as remarks_of
from consult.reports.model import (
    Addendum,
    Draft,
    DraftVersion,
    EarlierReading,
    KeyImage,
    ReadBack,
    Report,
    ReportStatus,
    Signing,
    Withdrawal,
)
from consult.reports.tables import delivery_table, document_table, draft_table, draft_version_table, object_table, report_table
from consult.requests.model import Kind, Patient
from dicom_node.archive import index
from telemed.kernel.errors import Conflict, Invalid, NotFound

LONGEST_PAGE = 200

_later = report_table.alias("later")
_DELIVERY = (
    "delivered_at", "read_at", "read_by", "read_by_name", "read_back", "read_back_at", "read_back_by", "read_back_by_name",
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """Some of a list; *next* is the cursor of the rest, None at the end."""

    items: tuple[Report, ...]
    next: str | None


@dataclass(frozen=True)
class Brief:
    """What a list of studies shows of the newest report."""

    id: str
    status: ReportStatus
    version: int
    signed_at: datetime


def report(db: Connection, viewer: Viewer, report_id: str) -> Report:
    """Return one version; raise NotFound when it is absent or the viewer is of neither of its institutions."""
    row = db.execute(_reports(viewer).where(report_table.c.id == report_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such report", code="report")
    return _report(row)


def reports_of_study(db: Connection, viewer: Viewer, study_instance_uid: str) -> tuple[Report, ...]:
    """Return every version the viewer may see, newest first."""
    mine = _reports(viewer).where(report_table.c.study_instance_uid == study_instance_uid)
    rows = db.execute(mine.order_by(report_table.c.signed_at.desc(), report_table.c.version.desc())).mappings()
    return tuple(_report(row) for row in rows)


def newest_version(db: Connection, viewer: Viewer, report_id: str) -> Report:
    """Return the version that stands now in place of *report_id*, itself where nothing replaced it; NotFound as `report`."""
    mine = _reports(viewer).where(report_table.c.task_id == report(db, viewer, report_id).task_id)
    return _report(db.execute(mine.order_by(report_table.c.version.desc()).limit(1)).mappings().one())


def newest_of_studies(db: Connection, viewer: Viewer, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Brief]:
    """Return the newest report of each (institution, StudyInstanceUID) that the viewer need not be blind to.

    Who may see the study is the caller's to decide.
    """
    uids = {uid for _, uid in keys}
    columns = (report_table.c[name] for name in ("institution", "study_instance_uid", "id", "status", "version", "signed_at"))
    mine = report_table.c.study_instance_uid.in_(uids) & _known(viewer)
    query = select(*columns).where(mine).order_by(report_table.c.signed_at)
    found = {(row.institution, row.study_instance_uid): row for row in db.execute(query)}
    return {
        key: Brief(row.id, ReportStatus(row.status), row.version, row.signed_at) for key, row in found.items() if key in set(keys)
    }


def draft(db: Connection, viewer: Viewer, task_id: str) -> Draft:
    """Return what was written so far, an empty Draft of version 0 when nothing was; raise NotFound as `queue.views.task`.

    A draft is its writer's own until it is signed: neither the inviting clinic sees it nor a colleague, who may have to read
    the study blind.
    """
    _require_owner(db, viewer, task_id)
    row = db.execute(select(draft_table).where(draft_table.c.task_id == task_id)).mappings().first()
    return Draft() if row is None else draft_from(row)


def draft_versions(db: Connection, viewer: Viewer, task_id: str) -> tuple[DraftVersion, ...]:
    """Return what is kept of a draft's versions, the newest first; raise as `draft`."""
    _require_owner(db, viewer, task_id)
    of = draft_version_table.c
    characters = (func.length(of.findings) + func.length(of.impression)).label("characters")
    query = select(of.version, of.saved_at, of.author, characters).where(of.task_id == task_id).order_by(of.version.desc())
    rows = db.execute(query).all()
    people = people_by_id(db, {row.author for row in rows})
    return tuple(DraftVersion(row.version, row.saved_at, people[row.author], row.characters) for row in rows)


def draft_version(db: Connection, viewer: Viewer, task_id: str, version: int) -> Draft:
    """Return a draft as it was in *version*; raise as `draft`, and NotFound for a version that is not kept."""
    _require_owner(db, viewer, task_id)
    then = (draft_version_table.c.task_id == task_id) & (draft_version_table.c.version == version)
    row = db.execute(select(draft_version_table).where(then)).mappings().first()
    if row is None:
        raise NotFound("this version of the draft is not kept", code="draft")
    return draft_from(row)


def remarks(db: Connection, viewer: Viewer, task_id: str) -> tuple[Remark, ...]:
    """Return what should be looked at once more before the task's draft is signed; raise as `draft`."""
    written, task = draft(db, viewer, task_id), task_of(db, viewer, task_id)
    examined, missing = task.description, False
    with suppress(NotFound):  # the archive may hold the study no more
        study = index.study(db, task.institution.id, task.study_instance_uid)
        examined = "\n".join([study.description, *(series.description for series in index.series_of(db, study.id))])
        missing = bool(study.missing)
    return remarks_of(
        Writing(written.findings, written.impression, written.critical, examined, task.reason, task.patient.sex, missing)
    )


def inbox(db: Connection, viewer: Viewer, *, unread_only: bool = False, limit: int = 50, cursor: str | None = None) -> Page:
    """Return the versions signed for the viewer's institution, newest first, with their T5 and T6."""
    query = _reports(viewer).where(report_table.c.institution == viewer.institution_id)
    if unread_only:
        query = query.where(delivery_table.c.read_at.is_(None), _later.c.id.is_(None))
    if cursor is not None:
        query = query.where(_past(cursor))
    size = max(1, min(limit, LONGEST_PAGE))
    newest = query.order_by(report_table.c.signed_at.desc(), report_table.c.id.desc()).limit(size + 1)
    found = [_report(row) for row in db.execute(newest).mappings()]
    shown = tuple(found[:size])
    more = len(found) > size
    return Page(shown, f"{shown[-1].signed_at.isoformat()}|{shown[-1].id}" if more else None)


def document(db: Connection, viewer: Viewer, report_id: str) -> bytes:
    """Return the signed PDF exactly as it was signed.

    Raises NotFound when there is none for the viewer, Conflict (code "withheld") while the clinic has not read back what is
    critical: a page from the printer must not be the first to tell.
    """
    found = report(db, viewer, report_id)
    if found.withheld and viewer.institution_id == found.institution.id != found.performer.id:
        raise Conflict("this report holds a critical value: read it back first, then it can be printed", code="withheld")
    content = db.execute(select(document_table.c.content).where(document_table.c.report_id == report_id)).scalar()
    if content is None:
        raise NotFound("this report was signed without a document", code="document")
    return bytes(content)


def objects_of(db: Connection, report_id: str) -> list[str]:
    """Return the SOP Instance UIDs of the DICOM objects in which a version was returned; none before it was."""
    query = select(object_table.c.sop_instance_uid).where(object_table.c.report_id == report_id)
    return list(db.scalars(query.order_by(object_table.c.sop_instance_uid)))


def draft_from(row: RowMapping) -> Draft:
    """Build a Draft from a row of draft_table, or of draft_version_table."""
    return Draft(
        findings=row["findings"],
        impression=row["impression"],
        kind=Kind(row["kind"]) if row["kind"] else None,
        critical=row["critical"],
        key_images=tuple(KeyImage(**image) for image in row["key_images"]),
        version=row["version"],
        saved_at=row["saved_at"],
    )


def _require_owner(db: Connection, viewer: Viewer, task_id: str) -> None:
    owner = task_of(db, viewer, task_id).owner
    if owner is None or owner.id != viewer.practitioner_id:
        raise NotFound("there is no draft here for you to see", code="draft")


def of_record(db: Connection, report_id: str) -> Report:
    """Return a version whoever asks: for the proof that nothing of it has changed."""
    return _report(db.execute(_every().where(report_table.c.id == report_id)).mappings().one())


def _every() -> Select[Any]:
    """Every version, with its delivery and what replaced it."""
    delivery = [delivery_table.c[name] for name in _DELIVERY]
    joined = report_table.outerjoin(delivery_table, delivery_table.c.report_id == report_table.c.id)
    joined = joined.outerjoin(_later, _later.c.amends == report_table.c.id)
    joined = joined.outerjoin(document_table, document_table.c.report_id == report_table.c.id)
    columns = [*report_table.c, *delivery, _later.c.id.label("amended_by"), document_table.c.sha256.label("document_sha256")]
    return select(*columns).select_from(joined)


def _reports(viewer: Viewer) -> Select[Any]:
    """Every version the viewer may see.

    The clinic that asked, the specialists that answered, the coordinators of both; never the administrator or the regulator.
    To whoever must be blind to it, a second reader or a reviewer, it is not there.
    """
    home = viewer.institution_id
    sides: list[ColumnElement[bool]] = [false()]
    if viewer.roles & {Role.CLINIC, Role.COORDINATOR}:
        sides.append(report_table.c.institution == home)
    if viewer.roles & {Role.RADIOLOGIST, Role.CARDIOLOGIST, Role.COORDINATOR}:
        sides.append(report_table.c.performer == home)
    return _every().where(or_(*sides), _known(viewer))


def _known(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition for what the viewer wrote, or need not be blind to."""
    hidden = select(task_table.c.id).where(task_table.c.id == report_table.c.task_id, blind(viewer)).exists()
    return (report_table.c.signed_by == viewer.practitioner_id) | ~hidden


def _past(cursor: str) -> ColumnElement[bool]:
    at, _, last = cursor.partition("|")
    try:
        signed_at = datetime.fromisoformat(at)
    except ValueError:
        signed_at = None
    if signed_at is None or signed_at.tzinfo is None:
        raise Invalid("this is not a cursor this list gave out: begin again without one", code="cursor")
    column = report_table.c.signed_at
    return or_(column < signed_at, and_(column == signed_at, report_table.c.id < last))


def _report(row: RowMapping) -> Report:
    named: Mapping[str, Any] = row["named"]
    return Report(
        id=row["id"],
        task_id=row["task_id"],
        study_instance_uid=row["study_instance_uid"],
        status=ReportStatus(row["status"]),
        version=row["version"],
        kind=Kind(row["kind"]),
        findings=row["findings"],
        impression=row["impression"],
        critical=row["critical"],
        key_images=tuple(KeyImage(**image) for image in row["key_images"]),
        signed_at=row["signed_at"],
        signed_by=Person(**named["signed_by"]),
        institution=_institution(named["institution"]),
        performer=_institution(named["performer"]),
        patient=_patient(named["patient"]),
        readings=tuple(map(_reading, named.get("readings", ()))),
        amends=row["amends"],
        reason=row["reason"],
        cause=Withdrawal(row["cause"]) if row["cause"] else None,
        addenda=tuple(Addendum(one["text"], **vars(_signing(one))) for one in row["addenda"] or ()),
        text_signed=_signing(named["text_signed"]) if named.get("text_signed") else None,
        study_description=named["study_description"],
        modalities=tuple(named["modalities"]),
        study_at=datetime.fromisoformat(named["study_at"]) if named["study_at"] else None,
        lane=row["lane"],
        budget_s=row["budget_s"],
        content_sha256=row["content_sha256"],
        images_sha256=row["images_sha256"] or "",
        document_sha256=row["document_sha256"],
        amended_by=row["amended_by"],
        delivered_at=row["delivered_at"],
        read_at=row["read_at"],
        read_by=Person(row["read_by"], row["read_by_name"]) if row["read_by"] else None,
        read_back=ReadBack(row["read_back"], Person(row["read_back_by"], row["read_back_by_name"]), row["read_back_at"])
        if row["read_back_at"]
        else None,
    )


def _reading(stored: Mapping[str, Any]) -> EarlierReading:
    at = datetime.fromisoformat(stored["signed_at"])
    region = Region(stored["region"]) if "region" in stored else None
    return EarlierReading(Stage(stored["stage"]), Person(**stored["by"]), at, stored["content_sha256"], region)


def _signing(stored: Mapping[str, Any]) -> Signing:
    return Signing(Person(**stored["by"]), datetime.fromisoformat(stored["at"]))


def _institution(named: Mapping[str, str]) -> Institution:
    return Institution(named["id"], named["name"], named["name_en"], Level(named["kind"]))


def _patient(named: Mapping[str, Any]) -> Patient:
    born = named["birth_date"]
    return Patient(named["patient_id"], named["name"], named["sex"], date.fromisoformat(born) if born else None, named["age"])
