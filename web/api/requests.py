"""Asking for an answer: a request by a person, beside those that routing places by itself."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from consult import intake
from consult.queue.views import Task
from consult.queue.views import task as task_of
from consult.requests.actions import LONGEST_REASON
from consult.requests.model import Consent, ConsentKind, Kind, Lane, Order, Priority
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation


class GivenConsent(Given):
    """How the patient agreed; an emergency needs its reason in the note."""

    kind: ConsentKind
    note: str = Field(default="", max_length=LONGEST_REASON)


class NewRequest(Given):
    """What is asked for; *wanted_by* belongs to the lanes that carry a date."""

    study_instance_uid: str = Field(min_length=1, max_length=64)
    kind: Kind
    priority: Priority = Priority.ROUTINE
    lane: Lane = Lane.IMAGING
    reason: str = Field(default="", max_length=LONGEST_REASON)
    consent: GivenConsent | None = None
    wanted_by: AwareDatetime | None = None


async def place_request(call: Call[None, NewRequest]) -> Task:
    """Ask for a consultation or a diagnosis on a study; the task it became is answered."""
    given = call.body
    consent = None if given.consent is None else Consent(given.consent.kind, given.consent.note)
    order = Order(given.study_instance_uid, given.kind, given.priority, given.lane, given.reason, consent, given.wanted_by)
    task_id = await call.act(intake.ask, order, by=call.viewer)
    return await call.view(task_of, call.viewer, task_id)


OPERATIONS = (Operation("POST", "/requests", place_request, Permission.REQUEST, status=201),)
