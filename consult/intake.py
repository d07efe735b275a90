"""From an arrived study to a task: follow the archive's events, triage, ask, open the clock.

What an event gives is written together with the follower's cursor, so that a repeated one finds its work done and changes
nothing. Nothing slow is waited for: what the analysis of an ECG says is taken as far as it is known (`consult.recordings`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from consult.consents import actions as consents
from consult.consents.model import KeptConsent
from consult.consents.views import standing_for
from consult.practitioners.model import SYSTEM, Level, Role, Viewer
from consult.practitioners.views import institutions_by_id
from consult.queue import actions as queue
from consult.queue.candidates import assign
from consult.queue.dispatch import Need
from consult.queue.model import OPEN, TaskEvent, TaskStatus
from consult.queue.sla import deadline_of
from consult.queue.tables import task_table
from consult.requests.actions import place
from consult.requests.model import HOUSE_ZONE, Kind, Lane, Order, Priority
from consult.requests.views import patient_of, request_by_id, requests_on_consent
from consult.triage.model import TARGETS, Urgency, Why, urgency
from consult.triage.views import analyses_of_study
from consult.turnaround.actions import stamp
from consult.turnaround.model import Point
from consult.turnaround.views import reached
from dicom_node.archive import index
from dicom_node.archive.events import STUDY_SETTLED
from ecg.analysis import Text
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, serialise
from telemed.kernel.errors import Conflict
from telemed.kernel.events import Event, Follower, Write

log = logging.getLogger(__name__)

#: One task after the other is asked for, or thought of anew: what is known of a study's ECGs is in its task, whichever was first.
TRIAGE_LOCK = 0x7E1E0011

LATE_IMAGES = Why("late-images", Text("影像有补传", "images came late"))


@dataclass(frozen=True)
class Rule:
    """Studies with one of *modalities* (DICOM 0008,0060) go to *specialty* on *lane*."""

    modalities: frozenset[str]
    specialty: Role
    lane: Lane


@dataclass(frozen=True)
class Routing:
    """Which studies are asked about without anybody asking; the first rule that fits decides."""

    rules: tuple[Rule, ...]
    levels: frozenset[Level] = frozenset({Level.TOWNSHIP})
    kind: Kind = Kind.DIAGNOSIS
    priority: Priority = Priority.ROUTINE

    def rule_for(self, modalities: tuple[str, ...]) -> Rule | None:
        """Return the rule for a study of these modalities, None when it is not routed."""
        return next((rule for rule in self.rules if rule.modalities & set(modalities)), None)


IMAGES = frozenset({"CT", "MR", "CR", "DX", "MG", "XA", "RF", "NM", "PT", "IO", "PX", "BMD"})

#: What a clinic of the demonstration sends is asked about at once: 基层检查、上级诊断.
DEMO_ROUTING = Routing(
    (
        Rule(IMAGES, Role.RADIOLOGIST, Lane.IMAGING),
        Rule(frozenset({"US"}), Role.RADIOLOGIST, Lane.ULTRASOUND),
        Rule(frozenset({"ECG"}), Role.CARDIOLOGIST, Lane.ECG),
    )
)


def ask(db: Connection, chronicle: Chronicle, order: Order, *, by: Viewer, targets: Mapping[Lane, timedelta] = TARGETS) -> str:
    """Place *order* for a study of the asker's institution, triage it, and return the id of the task that answers it.

    A study that a routing rule already asked about keeps its task, which now answers the person's own request. Raises
    what `requests.actions.place` raises, NotFound for an unknown study, Conflict when a person has asked already.
    """
    institution, now = by.institution_id, chronicle.clock.now()
    study = index.study(db, institution, order.study_instance_uid)
    existing = _newest_task(db, institution, order.study_instance_uid)
    is_open = existing is not None and existing.status in OPEN
    if existing is not None and is_open and not request_by_id(db, existing.request_id).is_automatic:
        raise Conflict("somebody has already asked about this study: see its task", code="task-open")
    specialty = Role.CARDIOLOGIST if set(study.examined_by) == {"ECG"} else Role.RADIOLOGIST
    urgent = _urgency(db, study, order.priority, order.lane, targets)
    t0 = max(now, study.last_received_at)
    due_at = deadline_of(urgent.lane, t0, wanted_by=order.wanted_by, targets=targets)
    asked = existing.performer_id if existing is not None and is_open else None
    choice = assign(db, Need(institution, specialty, urgent.lane, now, order.wanted, due_at=due_at), within=asked)
    performer = choice.performer_id
    request = place(
        db, chronicle, order, institution_id=institution, performer_id=performer, service=specialty, placed_at=now, by=by
    )
    if existing is not None and is_open:
        began = existing.due_at - timedelta(seconds=existing.budget_s)
        due_at = deadline_of(urgent.lane, began, wanted_by=order.wanted_by, targets=targets)
        queue.readdress(db, chronicle, existing.id, request, urgent, choice=choice, due_at=due_at, by=by)
        return str(existing.id)
    count = study.received_count
    task_id = queue.create(
        db, chronicle, request, urgent, specialty=specialty, choice=choice, t0=t0, due_at=due_at, instance_count=count, by=by
    )
    stamp(db, task_id, Point.T1, t0)
    if study.settled_at is not None:
        stamp(db, task_id, Point.T2, max(t0, study.settled_at))
    return task_id


def revoke_consent(db: Connection, chronicle: Chronicle, consent_id: str, *, reason: str, by: Viewer) -> KeptConsent:
    """Revoke a consent; what was asked on it and is not answered yet is withdrawn, and the other side sees the study no more."""
    revoked = consents.revoke(db, chronicle, consent_id, reason=reason, by=by)
    for request in requests_on_consent(db, consent_id):
        of_it = (task_table.c.request_id == request.id) & task_table.c.status.in_(OPEN)
        for task_id in db.scalars(select(task_table.c.id).where(of_it)).all():
            queue.cancel(db, chronicle, task_id, reason=reason, by=by, event=TaskEvent.REVOKE)
    return revoked


class Intake(Follower):
    """The worker that answers each settled study once."""

    def __init__(
        self,
        database: Database,
        chronicle: Chronicle,
        *,
        routing: Routing | None = None,
        targets: Mapping[Lane, timedelta] = TARGETS,
    ) -> None:
        """Prepare to follow; without a *routing* nothing is asked by itself."""
        self._chronicle = chronicle
        self._routing = routing
        self._targets = targets
        super().__init__("intake", database, chronicle.events, (STUDY_SETTLED,), self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Return what is to be written of the settled study."""
        with self._database.reading() as db:
            study = index.study(db, event.data["institution"], event.data["study_instance_uid"])

        def write(db: Connection) -> None:
            serialise(db, TRIAGE_LOCK)
            self._route(db, study, settled_at=event.at)

        return write

    def _route(self, db: Connection, study: index.Study, *, settled_at: datetime) -> None:
        existing = _newest_task(db, study.institution, study.study_instance_uid)
        if existing is not None:
            self._arrived(db, study, existing, settled_at)
            return
        rule = self._routing.rule_for(study.modalities) if self._routing is not None else None
        home = institutions_by_id(db, {study.institution}).get(study.institution)
        if self._routing is None or rule is None or home is None or home.kind not in self._routing.levels:
            return
        placed_at = study.last_received_at
        routing = self._routing
        urgent = _urgency(db, study, routing.priority, rule.lane, self._targets)
        due_at = deadline_of(urgent.lane, placed_at, targets=self._targets)
        choice = assign(db, Need(home.id, rule.specialty, urgent.lane, placed_at, due_at=due_at, routed=True))
        day = placed_at.astimezone(HOUSE_ZONE).date()
        hospital = choice.performer_id
        standing = standing_for(db, home.id, hospital, day, rule.specialty) if hospital else None
        if standing is None:
            log.warning(
                "a study of institution %s is not routed: no agreement for a %s with a standing consent is valid",
                home.id,
                rule.specialty,
            )
            return
        order = Order(study.study_instance_uid, routing.kind, routing.priority, rule.lane, "", None)
        request = place(
            db,
            self._chronicle,
            order,
            institution_id=home.id,
            performer_id=hospital,
            service=rule.specialty,
            placed_at=placed_at,
            standing=standing,
            by=SYSTEM,
        )
        task_id = queue.create(
            db,
            self._chronicle,
            request,
            urgent,
            specialty=rule.specialty,
            choice=choice,
            t0=placed_at,
            due_at=due_at,
            instance_count=study.instance_count,
            by=SYSTEM,
        )
        stamp(db, task_id, Point.T1, placed_at)  # whatever came before T0 could be shown before it
        stamp(db, task_id, Point.T2, max(placed_at, settled_at))

    def _arrived(self, db: Connection, study: index.Study, task: Row[Any], settled_at: datetime) -> None:
        """More of a study that has a task: either the rest of what was asked about, or late images."""
        if task.status == TaskStatus.CANCELLED:
            return
        was_complete = reached(db, task.id, Point.T2) is not None
        if not was_complete:
            queue.restart_clock(db, self._chronicle, task.id, study.last_received_at)
        stamp(db, task.id, Point.T2, settled_at)
        count = study.received_count
        if count > task.instance_count:
            urgent = _urgency(db, study, Priority(task.priority), Lane(task.lane), self._targets)
            budget = self._targets[urgent.lane] if urgent.lane != task.lane else None
            why = (_late(db, study, task),) if was_complete else ()
            queue.arrive(db, self._chronicle, task.id, instance_count=count, urgency=urgent, why=why, budget=budget)


def _late(db: Connection, study: index.Study, task: Row[Any]) -> Why:
    """Say that images came late; how many, once somebody reads without them."""
    count = 0 if task.claimed_at is None else index.arrived_since(db, study.id, task.claimed_at)
    if not count:
        return LATE_IMAGES
    english = f"{count} image{'s' if count > 1 else ''} arrived after reading began"
    return Why(LATE_IMAGES.code, Text(f"阅片开始后又收到 {count} 幅影像", english))


def reconsider(db: Connection, chronicle: Chronicle, study: index.Study) -> None:
    """Let the open task of *study* be as urgent as what is known of its ECGs by now."""
    serialise(db, TRIAGE_LOCK)
    task = _newest_task(db, study.institution, study.study_instance_uid)
    if task is not None and task.status in OPEN:
        urgent = _urgency(db, study, Priority(task.priority), Lane(task.lane), TARGETS)
        budget = TARGETS[urgent.lane] if urgent.lane != task.lane else None
        queue.reconsider(db, chronicle, task.id, urgency=urgent, budget=budget)


def _urgency(db: Connection, study: index.Study, priority: Priority, lane: Lane, targets: Mapping[Lane, timedelta]) -> Urgency:
    analyses = analyses_of_study(db, study.institution, study.study_instance_uid)
    return urgency(priority, lane, analyses=analyses, age_years=patient_of(study).age, targets=targets)


def _newest_task(db: Connection, institution: str, study_instance_uid: str) -> Row[Any] | None:
    """Return the open task of a study where there is one, else the newest of its closed ones; its row is held till the end."""
    mine = (task_table.c.institution_id == institution) & (task_table.c.study_instance_uid == study_instance_uid)
    order = (task_table.c.open_key.is_(None), task_table.c.placed_at.desc(), task_table.c.id)
    return db.execute(select(task_table).where(mine).order_by(*order).limit(1).with_for_update()).first()
