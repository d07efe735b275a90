"""Requests placed before their study is there, and the tray of what has not found its other half."""

from __future__ import annotations

import uuid
from datetime import date

from pydantic import AwareDatetime, Field

from consult import tray
from consult.practitioners.model import Expertise
from consult.requests.model import LONGEST_REASON, Examination, Kind, Lane, Order, Priority
from consult.tray import EarlyRequest, Tray
from telemed.kernel.database import new_id
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.requests import GivenConsent


class NewEarlyRequest(Given):
    """Who is to be examined by what, and what is to be asked then; an empty accession number is made up."""

    patient_id: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=200)
    sex: str = Field(default="", pattern=r"^[MFO]?$")
    birth_date: date | None = None
    modality: str = Field(min_length=1, max_length=16, pattern=r"^[A-Z0-9]+$")
    station_aet: str = Field(default="", max_length=16)
    accession_number: str = Field(default="", max_length=16)
    description: str = Field(default="", max_length=64)
    scheduled_at: AwareDatetime | None = None
    kind: Kind
    priority: Priority = Priority.ROUTINE
    lane: Lane = Lane.IMAGING
    complaint: str = Field(default="", max_length=LONGEST_REASON)
    history: str = Field(default="", max_length=LONGEST_REASON)
    reason: str = Field(min_length=1, max_length=LONGEST_REASON)
    contraindications: str = Field(default="", max_length=LONGEST_REASON)
    wanted: Expertise | None = None
    consent: GivenConsent


class Linking(Given):
    """The study that a request is about."""

    study_instance_uid: str = Field(min_length=1, max_length=64)


async def place_early_request(call: Call[None, NewEarlyRequest]) -> EarlyRequest:
    """Put an examination on the worklist with what is to be asked about its study."""
    given, now = call.body, call.request.app[keys.CLOCK].now()
    id_ = new_id()
    plan = Examination(
        id=id_,
        institution_id=call.viewer.institution_id,
        accession_number=given.accession_number or f"T{id_[:11].upper()}",
        study_instance_uid=f"2.25.{uuid.uuid4().int}",
        patient_id=given.patient_id,
        name=given.name,
        sex=given.sex,
        birth_date=given.birth_date.strftime("%Y%m%d") if given.birth_date else "",
        modality=given.modality,
        station_aet=given.station_aet,
        description=given.description,
        scheduled_at=given.scheduled_at or now,
        cancelled_at=None,
    )
    order = Order(
        study_instance_uid=plan.study_instance_uid,
        kind=given.kind,
        priority=given.priority,
        lane=given.lane,
        reason=given.reason,
        consent=given.consent.consent(),
        wanted=given.wanted,
        complaint=given.complaint,
        history=given.history,
        contraindications=given.contraindications,
    )
    return await call.act(tray.place_early, plan, order, by=call.viewer)


async def get_tray(call: Call[None, None]) -> Tray:
    """Return the requests without a study and the studies without a request of one's institution."""
    return await call.view(tray.tray, call.viewer, call.request.app[keys.CLOCK].now())


async def link_early_request(call: Call[None, Linking]) -> EarlyRequest:
    """Link a request to a study, or move it to another; the task it makes is in the queue at once."""
    return await call.act(tray.link, call.part("early_id"), call.body.study_instance_uid, by=call.viewer)


async def unlink_early_request(call: Call[None, None]) -> EarlyRequest:
    """Take a link back: both halves lie in the tray again."""
    return await call.act(tray.unlink, call.part("early_id"), by=call.viewer)


async def revoke_early_request(call: Call[None, None]) -> None:
    """Withdraw a request and its examination."""
    await call.act(tray.revoke, call.part("early_id"), by=call.viewer)


OPERATIONS = (
    Operation("GET", "/tray", get_tray, Permission.REQUEST),
    Operation("POST", "/tray/requests", place_early_request, Permission.REQUEST, status=201),
    Operation("POST", "/tray/requests/{early_id}/link", link_early_request, Permission.REQUEST),
    Operation("POST", "/tray/requests/{early_id}/unlink", unlink_early_request, Permission.REQUEST),
    Operation("POST", "/tray/requests/{early_id}/revoke", revoke_early_request, Permission.REQUEST),
)
