"""Asking for an answer: a request by a person, beside those that routing places by itself."""

from __future__ import annotations

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from consult import intake
from consult.consents.model import LONGEST_NAME, Consent, ConsentKind, Scope
from consult.practitioners.model import Expertise, Viewer
from consult.queue.views import Task
from consult.queue.views import task as task_of
from consult.requests.model import LONGEST_REASON, Kind, Lane, Order, Priority, ServiceRequest
from consult.requests.views import request_by_id
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation


class GivenConsent(Given):
    """How the patient agreed, and to what; an emergency needs its reason in the note, a guardian name and relation."""

    kind: ConsentKind
    note: str = Field(default="", max_length=LONGEST_REASON)
    guardian: str = Field(default="", max_length=LONGEST_NAME)
    relation: str = Field(default="", max_length=LONGEST_NAME)
    scopes: tuple[Scope, ...] = Field(default=(Scope.TRANSFER,), max_length=len(Scope))

    def consent(self) -> Consent:
        """Return it in consult's words."""
        return Consent(self.kind, self.note, self.guardian, self.relation, frozenset(self.scopes))


class NewRequest(Given):
    """What is asked for; *reason* is the question, *wanted_by* belongs to the lanes that carry a date.

    The consent is given with it, or was recorded before as *consent_id*.
    """

    study_instance_uid: str = Field(min_length=1, max_length=64)
    kind: Kind
    priority: Priority = Priority.ROUTINE
    lane: Lane = Lane.IMAGING
    complaint: str = Field(default="", max_length=LONGEST_REASON)
    history: str = Field(default="", max_length=LONGEST_REASON)
    reason: str = Field(default="", max_length=LONGEST_REASON)
    contraindications: str = Field(default="", max_length=LONGEST_REASON)
    wanted: Expertise | None = None
    consent: GivenConsent | None = None
    consent_id: str | None = Field(default=None, max_length=64)
    wanted_by: AwareDatetime | None = None


async def place_request(call: Call[None, NewRequest]) -> Task:
    """Ask for a consultation or a diagnosis on a study; the task it became is answered."""
    given = call.body
    order = Order(
        study_instance_uid=given.study_instance_uid,
        kind=given.kind,
        priority=given.priority,
        lane=given.lane,
        reason=given.reason,
        consent=None if given.consent is None else given.consent.consent(),
        wanted_by=given.wanted_by,
        wanted=given.wanted,
        complaint=given.complaint,
        history=given.history,
        contraindications=given.contraindications,
        consent_id=given.consent_id,
    )
    task_id = await call.act(intake.ask, order, by=call.viewer)
    return await call.view(task_of, call.viewer, task_id)


async def task_request(call: Call[None, None]) -> ServiceRequest:
    """Return the whole request that a task answers."""
    return await call.view(_request_of, call.viewer, call.part("task_id"))


def _request_of(db: Connection, viewer: Viewer, task_id: str) -> ServiceRequest:
    return request_by_id(db, task_of(db, viewer, task_id).request_id)


OPERATIONS = (
    Operation("POST", "/requests", place_request, Permission.REQUEST, status=201),
    Operation("GET", "/tasks/{task_id}/request", task_request, Permission.READ_TASKS),
)
