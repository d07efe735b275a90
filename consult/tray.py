"""Requests that were placed before their study was there, and the tray of what has not found its other half.

An early request is an examination on the modality worklist with the clinic's question and the patient's consent beside
it. When a study settles, `requests.matching` says which one it answers; what it leaves open lies in the tray, where a person
links it, and may take the link back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, insert, select, update

from consult.consents.actions import record
from consult.consents.actions import settle_on as settle_consent_on
from consult.intake import ask
from consult.practitioners.model import SYSTEM, Expertise, Role, Viewer
from consult.practitioners.views import viewer_of
from consult.queue import actions as queue
from consult.queue.model import OPEN, TaskStatus
from consult.queue.tables import task_table
from consult.reports.model import ReportStatus
from consult.reports.tables import report_table
from consult.requests.actions import schedule
from consult.requests.matching import Facts, Ground, match
from consult.requests.model import Examination, Kind, Lane, Order, Patient, Priority
from consult.requests.tables import early_request_table, examination_table
from consult.requests.views import patient_of, request_by_id
from dicom_node.archive import index
from dicom_node.archive.events import STUDY_SETTLED
from dicom_node.archive.tables import instance_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import Event, Follower, Write

#: The tray reaches no further back, and holds no more of each half.
REACHES_BACK = timedelta(days=14)
MOST_SHOWN = 200

_early = early_request_table.c


@dataclass(frozen=True)
class EarlyRequest:
    """A request that waits for its study, or has found it."""

    id: str
    examination: Examination
    kind: Kind
    priority: Priority
    lane: Lane
    complaint: str
    reason: str
    placed_at: datetime
    study_instance_uid: str | None
    task_id: str | None
    ground: Ground | None


@dataclass(frozen=True)
class LooseStudy:
    """A study nobody has asked about, or whose report was cancelled."""

    study_instance_uid: str
    accession_number: str
    patient: Patient
    modalities: tuple[str, ...]
    description: str
    received_at: datetime


@dataclass(frozen=True)
class Tray:
    """Both halves of what has not found its other one."""

    requests: tuple[EarlyRequest, ...]
    studies: tuple[LooseStudy, ...]


def place_early(db: Connection, chronicle: Chronicle, plan: Examination, order: Order, *, by: Viewer) -> EarlyRequest:
    """Put an examination on the worklist together with what is to be asked about its study, and the patient's consent.

    Raises what `requests.actions.schedule` and `consents.actions.record` raise.
    """
    if order.wanted_by is not None or not order.reason.strip():
        raise Invalid("an early request needs its question, and carries no date", code="reason-missing")
    schedule(db, chronicle, plan, by=by)
    uid = plan.study_instance_uid
    consent = record(db, chronicle, order.consent, institution_id=plan.institution_id, study_instance_uid=uid, by=by)
    content = {
        "kind": order.kind,
        "priority": order.priority,
        "lane": order.lane,
        "reason": order.reason,
        "complaint": order.complaint,
        "history": order.history,
        "contraindications": order.contraindications,
        "wanted": order.wanted,
    }
    row = {"examination_id": plan.id, "content": content, "consent_id": consent.id, "placed_by": by.practitioner_id}
    db.execute(insert(early_request_table).values(placed_at=chronicle.clock.now(), **row))
    _enter(db, chronicle, "EarlyRequestPlaced", plan, by)
    return early_by_id(db, plan.institution_id, plan.id)


def link(
    db: Connection, chronicle: Chronicle, early_id: str, study_instance_uid: str, *, by: Viewer, ground: Ground = Ground.PERSON
) -> EarlyRequest:
    """Ask what an early request asks about that study; one that was linked to another study is moved.

    Raises Conflict when the study has been asked about by a person, or the other study's task is already being read.
    """
    home = _home(db, early_id, by)
    early = early_by_id(db, home, early_id)
    if early.examination.cancelled_at is not None:
        raise Conflict("this request was revoked", code="revoked")
    if early.study_instance_uid == study_instance_uid:
        return early
    _withdraw(db, chronicle, early, by)
    row = _row(db, early_id)
    settle_consent_on(db, row.consent_id, study_instance_uid)
    asker = viewer_of(db, row.placed_by)
    task_id = ask(db, chronicle, _order(row.content, study_instance_uid, row.consent_id), by=asker)
    found = {"study_instance_uid": study_instance_uid, "task_id": task_id, "ground": ground}
    db.execute(update(early_request_table).where(_early.examination_id == early_id).values(found))
    _enter(db, chronicle, "EarlyRequestLinked", early.examination, by, study=study_instance_uid, ground=ground)
    return early_by_id(db, home, early_id)


def unlink(db: Connection, chronicle: Chronicle, early_id: str, *, by: Viewer) -> EarlyRequest:
    """Take a link back: its task is withdrawn, and both lie in the tray again; Conflict when it is being read."""
    home = _home(db, early_id, by)
    early = early_by_id(db, home, early_id)
    if early.study_instance_uid is None:
        return early
    _withdraw(db, chronicle, early, by)
    nothing = {"study_instance_uid": None, "task_id": None, "ground": None}
    db.execute(update(early_request_table).where(_early.examination_id == early_id).values(nothing))
    _enter(db, chronicle, "EarlyRequestUnlinked", early.examination, by, study=early.study_instance_uid)
    return early_by_id(db, home, early_id)


def revoke(db: Connection, chronicle: Chronicle, early_id: str, *, by: Viewer) -> None:
    """Withdraw an early request with its examination; a link goes first."""
    early = unlink(db, chronicle, early_id, by=by)
    mine = (examination_table.c.id == early_id) & examination_table.c.cancelled_at.is_(None)
    if db.execute(update(examination_table).where(mine).values(cancelled_at=chronicle.clock.now())).rowcount == 0:
        raise Conflict("this request was revoked already", code="revoked")
    _enter(db, chronicle, "EarlyRequestRevoked", early.examination, by)


def tray(db: Connection, viewer: Viewer, now: datetime) -> Tray:
    """Return what of the viewer's institution has not found its other half, the newest first."""
    home = viewer.institution_id
    waiting = [early for early in _early_of(db, home, now) if early.study_instance_uid is None]
    return Tray(tuple(waiting[::-1][:MOST_SHOWN]), tuple(_loose(db, home, now)))


class Matching(Follower):
    """The worker that looks, for each settled study, for the early request it answers."""

    def __init__(self, database: Database, chronicle: Chronicle) -> None:
        """Prepare to follow."""
        self._chronicle = chronicle
        super().__init__("matching", database, chronicle.events, (STUDY_SETTLED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Say how the settled study is linked, None when nothing fits it."""
        institution, uid = event.data["institution"], event.data["study_instance_uid"]
        with self._database.reading() as db:
            if self._found(db, institution, uid, event.at) is None:
                return None

        def write(db: Connection) -> None:
            found = self._found(db, institution, uid, event.at)
            if found is not None:
                link(db, self._chronicle, found[0], uid, by=SYSTEM, ground=found[1])

        return write

    def _found(self, db: Connection, institution: str, uid: str, at: datetime) -> tuple[str, Ground] | None:
        waiting = [early for early in _early_of(db, institution, at) if early.study_instance_uid is None]
        if not waiting or _asked_by_person(db, institution, uid):
            return None
        study = index.study(db, institution, uid)
        others = [_facts_of_study(db, one) for one in _loose_rows(db, institution, at) if one.study_instance_uid != uid]
        return match(_facts_of_study(db, study), [_facts_of_order(early.examination) for early in waiting], others=others)


def early_by_id(db: Connection, institution_id: str, early_id: str) -> EarlyRequest:
    """Return one early request of an institution; NotFound when there is none."""
    mine = (_early.examination_id == early_id) & (examination_table.c.institution_id == institution_id)
    found = _select(db, mine)
    if not found:
        raise NotFound("there is no such request", code="request")
    return found[0]


def _select(db: Connection, wanted: ColumnElement[bool]) -> list[EarlyRequest]:
    joined = early_request_table.join(examination_table, examination_table.c.id == _early.examination_id)
    query = select(early_request_table, examination_table).select_from(joined).where(wanted).order_by(_early.placed_at)
    names = [column.name for column in examination_table.c]
    found = []
    for row in db.execute(query).mappings():
        plan = Examination(**{name: row[examination_table.c[name]] for name in names})
        content = row["content"]
        found.append(
            EarlyRequest(
                id=plan.id,
                examination=plan,
                kind=Kind(content["kind"]),
                priority=Priority(content["priority"]),
                lane=Lane(content["lane"]),
                complaint=content["complaint"],
                reason=content["reason"],
                placed_at=row["placed_at"],
                study_instance_uid=row[_early.study_instance_uid],
                task_id=row["task_id"],
                ground=Ground(row["ground"]) if row["ground"] else None,
            )
        )
    return found


def _early_of(db: Connection, institution_id: str, now: datetime) -> list[EarlyRequest]:
    of_exam = examination_table.c
    recent = of_exam.scheduled_at > now - REACHES_BACK
    return _select(db, (of_exam.institution_id == institution_id) & of_exam.cancelled_at.is_(None) & recent)


def _loose_rows(db: Connection, institution: str, now: datetime) -> list[index.Study]:
    of_it = (task_table.c.institution_id == study_table.c.institution) & (
        task_table.c.study_instance_uid == study_table.c.study_instance_uid
    )
    asked = exists().where(of_it, _holds())
    mine = (study_table.c.institution == institution) & (study_table.c.last_received_at > now - REACHES_BACK)
    query = index.select_studies().where(mine, ~asked, study_table.c.settled_at.is_not(None))
    rows = db.execute(query.order_by(study_table.c.last_received_at.desc()).limit(MOST_SHOWN)).mappings()
    return [index.study_from(row) for row in rows]


def _loose(db: Connection, institution: str, now: datetime) -> list[LooseStudy]:
    return [
        LooseStudy(
            study_instance_uid=study.study_instance_uid,
            accession_number=study.accession_number,
            patient=patient_of(study),
            modalities=study.modalities,
            description=study.description,
            received_at=study.last_received_at,
        )
        for study in _loose_rows(db, institution, now)
    ]


def _asked_by_person(db: Connection, institution: str, uid: str) -> bool:
    of_it = (task_table.c.institution_id == institution) & (task_table.c.study_instance_uid == uid)
    requests = db.scalars(select(task_table.c.request_id).where(of_it, _holds())).all()
    return any(not request_by_id(db, request).is_automatic for request in requests)


def _holds() -> ColumnElement[bool]:
    """Return the condition over task_table for a question that is open or answered; a cancelled report is no answer."""
    cancelled = exists().where(report_table.c.task_id == task_table.c.id, report_table.c.status == ReportStatus.CANCELLED)
    return task_table.c.status.in_(OPEN) | ((task_table.c.status == TaskStatus.COMPLETED) & ~cancelled)


def _facts_of_order(plan: Examination) -> Facts:
    return Facts(
        id=plan.id,
        study_instance_uid=plan.study_instance_uid,
        accession_number=plan.accession_number,
        patient_id=plan.patient_id,
        sex=plan.sex,
        birth_date=plan.birth_date,
        modalities=frozenset({plan.modality} if plan.modality else ()),
        stations=frozenset({plan.station_aet} if plan.station_aet else ()),
        at=plan.scheduled_at,
    )


def _facts_of_study(db: Connection, study: index.Study) -> Facts:
    sources = (
        select(instance_table.c.source)
        .join(series_table, series_table.c.id == instance_table.c.series_id)
        .where(series_table.c.study_id == study.id)
        .distinct()
        .limit(8)
    )
    return Facts(
        id=study.id,
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        patient_id=study.patient.patient_id,
        sex=study.patient.sex,
        birth_date=study.patient.birth_date,
        modalities=frozenset(study.modalities),
        stations=frozenset(source.partition("@")[0] for source in db.scalars(sources) if source),
        at=study.first_received_at,
    )


def _order(content: Mapping[str, Any], study_instance_uid: str, consent_id: str) -> Order:
    words = {
        "kind": Kind(content["kind"]),
        "priority": Priority(content["priority"]),
        "lane": Lane(content["lane"]),
        "wanted": Expertise(content["wanted"]) if content["wanted"] else None,
    }
    return Order(**{**content, **words}, study_instance_uid=study_instance_uid, consent=None, consent_id=consent_id)


def _withdraw(db: Connection, chronicle: Chronicle, early: EarlyRequest, by: Viewer) -> None:
    """Cancel the task that a link has made, while nobody reads it."""
    if early.task_id is None:
        return
    asker = viewer_of(db, _row(db, early.id).placed_by) if by == SYSTEM else by
    found = db.execute(select(task_table.c.status).where(task_table.c.id == early.task_id)).scalar_one()
    if found in OPEN:
        queue.cancel(db, chronicle, early.task_id, reason="linked to the wrong study", by=asker)
    elif found == TaskStatus.COMPLETED:
        raise Conflict("this request is answered already: it is not moved any more", code="answered")


def _row(db: Connection, early_id: str) -> Row[Any]:
    return db.execute(select(early_request_table).where(_early.examination_id == early_id).with_for_update()).one()


def _home(db: Connection, early_id: str, by: Viewer) -> str:
    """Return whose request it is; NotFound for anybody else's."""
    mine = examination_table.c.id == early_id
    home = db.scalar(select(examination_table.c.institution_id).where(mine))
    if home is None or (by != SYSTEM and by.institution_id != home):
        raise NotFound("there is no such request", code="request")
    if by != SYSTEM and not by.roles & {Role.CLINIC, Role.COORDINATOR}:
        raise Refused("only the clinic that asks links its requests")
    return str(home)


def _enter(db: Connection, chronicle: Chronicle, type_: str, plan: Examination, by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    data = {"institution": plan.institution_id, "request_id": plan.id, "accession_number": plan.accession_number, **news}
    chronicle.enter(db, type_, plan.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="ServiceRequest")
