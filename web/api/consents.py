"""Consents: recorded, shown by photograph and signature, revoked; and the standing ones under which studies are routed."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from consult import intake
from consult.access import may_read_study
from consult.consents import actions, views
from consult.consents.model import LONGEST_NOTE, EvidenceKind, KeptConsent, Standing
from consult.consents.views import Content
from consult.practitioners.model import Viewer
from consult.practitioners.views import register
from telemed.kernel.errors import Invalid
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page
from web.api.requests import GivenConsent
from web.deadlines import BODY_WITHIN_S, in_time


class NewConsent(GivenConsent):
    """A consent for a study of one's own institution."""

    study_instance_uid: str = Field(min_length=1, max_length=64)


class ConsentsQuery(Given):
    """Of which study."""

    study_instance_uid: str = Field(min_length=1, max_length=64)


class Revoking(Given):
    """How the patient revoked it."""

    reason: str = Field(max_length=LONGEST_NOTE)


class Routing(Given):
    """Who at the clinic keeps the patients' papers."""

    keeper: str = Field(max_length=64)
    note: str = Field(default="", max_length=LONGEST_NOTE)


async def record_consent(call: Call[None, NewConsent]) -> KeptConsent:
    """Record how a patient agreed, and to what."""
    study, home = call.body.study_instance_uid, call.viewer.institution_id
    return await call.act(actions.record, call.body.consent(), institution_id=home, study_instance_uid=study, by=call.viewer)


async def list_consents(call: Call[ConsentsQuery, None]) -> Page[KeptConsent]:
    """List the consents of a study one may see, the newest first."""
    return Page(await call.view(_of_study, call.viewer, call.query.study_instance_uid))


def _of_study(db: Connection, viewer: Viewer, study_instance_uid: str) -> list[KeptConsent]:
    return list(views.consents_of_study(db, may_read_study(db, viewer, study_instance_uid), study_instance_uid))


async def show_consent(call: Call[None, None]) -> KeptConsent:
    """Keep a photograph of the paper, or the drawn signature: JPEG or PNG, once."""
    kind = _kind(call.part("kind"))
    content = await in_time(call.request.read(), BODY_WITHIN_S)
    media_type = call.request.content_type
    return await call.act(actions.show, call.part("consent_id"), kind, media_type=media_type, content=content, by=call.viewer)


async def consent_evidence(call: Call[None, None]) -> web.Response:
    """Return a photograph or signature as it came."""
    found = await call.view(_evidence, call.viewer, call.part("consent_id"), _kind(call.part("kind")))
    return web.Response(body=found.content, content_type=found.media_type, headers={"Cache-Control": "private, max-age=3600"})


def _evidence(db: Connection, viewer: Viewer, consent_id: str, kind: EvidenceKind) -> Content:
    may_read_study(db, viewer, views.consent_by_id(db, consent_id).study_instance_uid)
    return views.evidence_content(db, consent_id, kind)


async def revoke_consent(call: Call[None, Revoking]) -> KeptConsent:
    """Revoke a consent; what is not answered yet is withdrawn."""
    return await call.act(intake.revoke_consent, call.part("consent_id"), reason=call.body.reason, by=call.viewer)


async def list_routing(call: Call[None, None]) -> Page[Standing]:
    """List the standing consents of the agreements one sees."""
    return Page(await call.view(_standing, call.viewer))


def _standing(db: Connection, viewer: Viewer) -> list[Standing]:
    return list(views.standing_of(db, [held.id for held in register(db, viewer)]).values())


async def allow_routing(call: Call[None, Routing]) -> Standing:
    """Let a clinic's studies be routed under an agreement, and say who keeps the patients' papers."""
    given = call.body
    return await call.act(actions.let_route, call.part("agreement_id"), keeper_id=given.keeper, note=given.note, by=call.viewer)


async def end_routing(call: Call[None, None]) -> None:
    """Let nothing be routed under an agreement any more."""
    await call.act(actions.end_routing, call.part("agreement_id"), by=call.viewer)


def _kind(word: str) -> EvidenceKind:
    try:
        return EvidenceKind(word)
    except ValueError:
        raise Invalid(f"evidence is {' or '.join(EvidenceKind)}", code="evidence") from None


OPERATIONS = (
    Operation("POST", "/consents", record_consent, Permission.REQUEST, status=201),
    Operation("GET", "/consents", list_consents, Permission.READ_STUDIES),
    Operation(
        "PUT",
        "/consents/{consent_id}/evidence/{kind}",
        show_consent,
        Permission.REQUEST,
        consumes=("image/jpeg", "image/png"),
    ),
    Operation("GET", "/consents/{consent_id}/evidence/{kind}", consent_evidence, Permission.READ_STUDIES, produces="image/*"),
    Operation("POST", "/consents/{consent_id}/revoke", revoke_consent, Permission.REQUEST),
    Operation("GET", "/agreements/routing", list_routing, Permission.READ_ROTA),
    Operation("POST", "/agreements/{agreement_id}/routing", allow_routing, Permission.MANAGE_NODE, status=201),
    Operation("DELETE", "/agreements/{agreement_id}/routing", end_routing, Permission.MANAGE_NODE),
)
