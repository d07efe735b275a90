"""The register of cooperation agreements, and what was seen of people's registration: what dispatch goes by."""

from __future__ import annotations

from datetime import date

from pydantic import Field
from sqlalchemy import Connection

from consult.practitioners import actions, views
from consult.practitioners.model import Agreement, Expertise, Qualification, Role, Viewer
from telemed.kernel.audit import Chronicle
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class NewAgreement(Given):
    """Who may ask whom, for what, how long, on what terms."""

    institution: str = Field(max_length=64)
    performer: str = Field(max_length=64)
    valid_from: date
    valid_until: date | None = None
    services: tuple[Role, ...] = Field(default=(), max_length=8)
    liability: str = Field(default="", max_length=actions.LONGEST_LIABILITY)
    price: str = Field(default="", max_length=100)


class AgreementEnd(Given):
    """The last day of an agreement."""

    on: date


class SeenQualification(Given):
    """What was seen of a person."""

    registration: str = Field(default="", max_length=actions.LONGEST_REGISTRATION)
    practising_since: date | None = None
    expertise: tuple[Expertise, ...] = Field(default=(), max_length=len(Expertise))
    in_training: bool = False


async def list_agreements(call: Call[None, None]) -> Page[Agreement]:
    """List the agreements of one's institution, every one for an administrator."""
    return Page(await call.view(views.register, call.viewer))


async def add_agreement(call: Call[None, NewAgreement]) -> Page[Agreement]:
    """Record an agreement, and return the register."""
    await call.act(_add, call.body, call.viewer)
    return Page(await call.view(views.register, call.viewer))


def _add(db: Connection, chronicle: Chronicle, given: NewAgreement, viewer: Viewer) -> None:
    actions.add_agreement(
        db,
        chronicle,
        institution_id=given.institution,
        performer_id=given.performer,
        valid_from=given.valid_from,
        valid_until=given.valid_until,
        services=given.services,
        liability=given.liability,
        price=given.price,
        by=viewer,
    )


async def end_agreement(call: Call[None, AgreementEnd]) -> None:
    """Let an agreement end with a day; nothing is dispatched under it from the next."""
    await call.act(actions.end_agreement, call.part("agreement_id"), on=call.body.on, by=call.viewer)


async def qualify_person(call: Call[None, SeenQualification]) -> None:
    """Record a person's registration, the beginning of their practice and their expertise."""
    given = call.body
    seen = Qualification(given.registration, given.practising_since, given.expertise, given.in_training)
    await call.act(actions.qualify, call.part("practitioner_id"), seen, by=call.viewer)


OPERATIONS = (
    Operation("GET", "/agreements", list_agreements, Permission.READ_ROTA),
    Operation("POST", "/agreements", add_agreement, Permission.MANAGE_NODE, status=201),
    Operation("POST", "/agreements/{agreement_id}/end", end_agreement, Permission.MANAGE_NODE),
    Operation("PUT", "/people/{practitioner_id}/qualification", qualify_person, Permission.MANAGE_NODE),
)
