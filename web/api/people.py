"""Institutions, and the people a task can be handed to."""

from __future__ import annotations

from pydantic import Field
from sqlalchemy import Connection

from consult.practitioners import views as practitioners
from consult.practitioners.model import Institution, Practitioner, Role, Viewer
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class PeopleQuery(Given):
    """Which people; *institution* other than one's own is for administrators."""

    institution: str | None = Field(default=None, max_length=64)
    role: Role | None = None


async def list_institutions(call: Call[None, None]) -> Page[Institution]:
    """List every institution."""
    return Page(await call.view(practitioners.institutions))


async def list_people(call: Call[PeopleQuery, None]) -> Page[Practitioner]:
    """List the people of one's own institution; an administrator may name another, or none for all."""
    return Page(await call.view(_people, call.viewer, call.query))


def _people(db: Connection, viewer: Viewer, query: PeopleQuery) -> list[Practitioner]:
    if Role.ADMIN in viewer.roles:
        chosen = [query.institution] if query.institution else [one.id for one in practitioners.institutions(db)]
    else:
        chosen = [viewer.institution_id]
    found = [person for institution in chosen for person in practitioners.practitioners_of(db, institution)]
    return [person for person in found if query.role is None or query.role in person.roles]


OPERATIONS = (
    Operation("GET", "/institutions", list_institutions, Permission.READ_INSTITUTIONS),
    Operation("GET", "/people", list_people, Permission.READ_PEOPLE),
)
