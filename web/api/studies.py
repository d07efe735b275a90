"""Studies as the archive holds them, with what has become of each: its task and its newest report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select

from consult.access import may_read_study, visible, withheld_of
from consult.gate.model import Gate
from consult.gate.views import gates_of_study
from consult.practitioners.model import Institution, Viewer
from consult.practitioners.views import institutions_by_id
from consult.priors import alike
from consult.queue.views import Task, tasks_of_studies
from consult.reports.views import Brief, newest_of_studies
from consult.requests.model import Patient
from consult.requests.views import patient_of
from dicom_node.archive import index
from dicom_node.archive.completeness import Missing
from dicom_node.archive.tables import patient_table, series_table, study_table
from telemed.kernel.audit import AuditRecord, Chronicle, audit_table
from telemed.kernel.errors import Invalid
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page, PageQuery, key_of, page

#: A page that shows a study asks for it at every piece of news; the trail names the reading once in this time.
AUDITED_EVERY = timedelta(minutes=1)

#: Nobody looks through more before a request.
MOST_ALIKE = 20


class StudiesQuery(PageQuery):
    """Which studies; each is matched whole, empty ones match everything.

    *q* is what somebody types into a search box: the beginning of a name (in characters, pinyin or initials) or of a patient
    ID, or an accession number.
    """

    q: str = Field(default="", max_length=80)
    patient_id: str = Field(default="", max_length=80)
    accession_number: str = Field(default="", max_length=80)
    modality: str = Field(default="", max_length=16)


class AlikeQuery(Given):
    """Who is about to be examined."""

    name: str = Field(min_length=1, max_length=80)
    sex: Literal["M", "F", "O"]
    birth_date: date


@dataclass(frozen=True)
class Study:
    """One study in a list; *started_at* is its own date and time, *settled_at* null while more may come.

    *modalities* and *instance_count* leave out what was written about it, here its signed reports.
    *proof* is how the last settling knew: mpps, commitment, count, or quiet when nothing proved it. *missing* seems not to
    have come: numbers of a series, or only how many.
    """

    study_instance_uid: str
    institution: Institution
    patient: Patient
    accession_number: str
    description: str
    started_at: datetime | None
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    first_received_at: datetime
    last_received_at: datetime
    settled_at: datetime | None
    proof: str | None
    missing: tuple[Missing, ...]
    task: Task | None
    report: Brief | None


@dataclass(frozen=True)
class Instance:
    """One object of a series; *kind* is image, ecg, document or other.

    Of an ECG: the SOP Instance UID of the recording that was made instead, and why the clinic sent it as it is.
    """

    sop_instance_uid: str
    sop_class_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    kind: str
    replaced_by: str | None = None
    kept_because: str | None = None


@dataclass(frozen=True)
class Series:
    """One series and its objects, in order."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class StudyDetail(Study):
    """A study with everything in it."""

    series: tuple[Series, ...]


async def list_studies(call: Call[StudiesQuery, None]) -> Page[Study]:
    """List studies, the newest arrivals first."""
    return await call.view(_listed, call.viewer, call.query)


async def get_study(call: Call[None, None]) -> StudyDetail:
    """Return one study with its series and objects; the trail says who looked."""
    uid = call.part("study_instance_uid")
    detail = await call.view(_opened, call.viewer, uid)
    since = call.chronicle.clock.now() - AUDITED_EVERY
    if not await call.view(_was_audited, call.viewer, uid, since):
        await call.act(_audit, call.viewer, uid, detail.institution.id)
    return detail


async def list_alike_studies(call: Call[AlikeQuery, None]) -> Page[Study]:
    """List other institutions' studies of who may be the same patient, the newest first; whether they are is not known."""
    return await call.view(_alike, call.viewer, call.query)


def _alike(db: Connection, viewer: Viewer, query: AlikeQuery) -> Page[Study]:
    theirs = index.select_studies().where(alike(viewer, query.name, query.sex, query.birth_date))
    newest = (study_table.c.first_received_at.desc(), study_table.c.id)
    rows = db.execute(theirs.order_by(*newest).limit(MOST_ALIKE)).mappings()
    return Page(_shown(db, viewer, [index.study_from(row) for row in rows]))


def _listed(db: Connection, viewer: Viewer, query: StudiesQuery) -> Page[Study]:
    wanted: list[ColumnElement[bool]] = [visible(viewer)]
    if asked := query.q.strip():
        known = index.of_persons(index.names_begin(asked) | index.ids_begin(asked))
        wanted.append(known | (study_table.c.accession_number == asked))
    if query.patient_id:
        wanted.append(index.of_persons(patient_table.c.patient_id == query.patient_id))
    if query.accession_number:
        wanted.append(study_table.c.accession_number == query.accession_number)
    if query.modality:
        of_it = and_(series_table.c.study_id == study_table.c.id, series_table.c.modality == query.modality.upper())
        wanted.append(exists().where(of_it))
    if query.cursor:
        wanted.append(_beyond(query.cursor))
    order = (study_table.c.first_received_at.desc(), study_table.c.id.desc())
    rows = db.execute(index.select_studies().where(*wanted).order_by(*order).limit(query.limit + 1)).mappings()
    found = page([index.study_from(row) for row in rows], query.limit, lambda one: (one.first_received_at.isoformat(), one.id))
    return Page(_shown(db, viewer, found.items), found.next)


def _opened(db: Connection, viewer: Viewer, study_instance_uid: str) -> StudyDetail:
    institution = may_read_study(db, viewer, study_instance_uid)
    study = index.study(db, institution, study_instance_uid)
    shown = _shown(db, viewer, [study])[0]
    gates = {gate.sop_instance_uid: gate for gate in gates_of_study(db, institution, study_instance_uid)}
    hidden = withheld_of(db, viewer, institution, study_instance_uid)
    series = (
        Series(one.series_instance_uid, one.modality, one.number, one.description, _instances(db, one.id, gates, hidden))
        for one in index.series_of(db, study.id)
    )
    return StudyDetail(**vars(shown), series=tuple(one for one in series if one.instances))


def _was_audited(db: Connection, viewer: Viewer, study_instance_uid: str, since: datetime) -> bool:
    trail = audit_table.c
    read = (trail.entity == "study") & (trail.entity_id == study_instance_uid) & (trail.action == "StudyRead")
    recent = select(trail.sequence).where(read, trail.actor == viewer.practitioner_id, trail.at > since).limit(1)
    return db.execute(recent).first() is not None


def _audit(db: Connection, chronicle: Chronicle, viewer: Viewer, study_instance_uid: str, holder: str) -> None:
    detail = {"holder": holder}
    record = AuditRecord(viewer.practitioner_id, "StudyRead", "study", study_instance_uid, viewer.institution_id, 0, detail)
    chronicle.trail.append(db, record)


def _instances(db: Connection, series_id: str, gates: Mapping[str, Gate], hidden: Collection[str]) -> tuple[Instance, ...]:
    found = (one for one in index.instances_of(db, series_id) if one.sop_instance_uid not in hidden)
    return tuple(_shown_instance(one, gates.get(one.sop_instance_uid)) for one in found)


def _shown_instance(one: index.Instance, gate: Gate | None) -> Instance:
    replaced_by, reason = (gate.replaced_by, gate.reason or None) if gate else (None, None)
    size = one.rows, one.columns, one.frames
    return Instance(one.sop_instance_uid, one.sop_class_uid, one.number, *size, one.kind, replaced_by, reason)


def _shown(db: Connection, viewer: Viewer, studies: Sequence[index.Study]) -> list[Study]:
    """Fill in institutions, tasks and reports, in a fixed number of queries however many the studies."""
    keys = [(study.institution, study.study_instance_uid) for study in studies]
    places = institutions_by_id(db, {institution for institution, _ in keys})
    tasks = tasks_of_studies(db, viewer, {uid for _, uid in keys})
    reports = newest_of_studies(db, viewer, keys)
    return [
        Study(
            study_instance_uid=study.study_instance_uid,
            institution=places[study.institution],
            patient=patient_of(study),
            accession_number=study.accession_number,
            description=study.description,
            started_at=study.started_at,
            modalities=study.examined_by,
            series_count=study.series_count,
            instance_count=study.received_count,
            first_received_at=study.first_received_at,
            last_received_at=study.last_received_at,
            settled_at=study.settled_at,
            proof=study.proof,
            missing=study.missing,
            task=tasks.get(key),
            report=reports.get(key),
        )
        for study, key in zip(studies, keys, strict=True)
    ]


def _beyond(cursor: str) -> ColumnElement[bool]:
    received, last = key_of(cursor, 2)
    try:
        at = datetime.fromisoformat(received).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("the cursor is not one that a page ended with; begin without one", code="cursor") from None
    column = study_table.c.first_received_at
    return or_(column < at, and_(column == at, study_table.c.id < last))


OPERATIONS = (
    Operation("GET", "/studies", list_studies, Permission.READ_STUDIES),
    # Before the UID, whose pattern would swallow the word.
    Operation("GET", "/studies/alike", list_alike_studies, Permission.READ_STUDIES),
    Operation("GET", "/studies/{study_instance_uid}", get_study, Permission.READ_STUDIES),
)
