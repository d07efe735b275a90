"""Who is who, who works where, who may ask whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, bindparam, or_, select, true

from consult.practitioners.model import (
    Agreement,
    Binding,
    Expertise,
    Institution,
    Level,
    Person,
    Practitioner,
    Qualification,
    Role,
    Viewer,
)
from consult.practitioners.tables import (
    ae_binding_table,
    agreement_table,
    organization_table,
    practitioner_role_table,
    practitioner_table,
)
from telemed.kernel.errors import NotFound

#: A row for each role, one where there is none.
_WITH_ROLES = select(practitioner_table, practitioner_role_table.c.role).join(
    practitioner_role_table, practitioner_role_table.c.practitioner_id == practitioner_table.c.id, isouter=True
)
#: Asked before every request: made once.
_ONE_WITH_ROLES = _WITH_ROLES.where(practitioner_table.c.id == bindparam("id"))


def viewer_of(db: Connection, practitioner_id: str) -> Viewer:
    """Return who acts when this practitioner does; NotFound when there is none."""
    found = db.execute(_ONE_WITH_ROLES, {"id": practitioner_id}).all()
    if not found:
        raise NotFound("there is no such practitioner")
    first = found[0]
    return Viewer(first.id, first.name, frozenset(Role(row.role) for row in found if row.role), first.institution_id)


def institution(db: Connection, institution_id: str) -> Institution:
    """Return one institution; NotFound when there is none."""
    found = db.execute(select(organization_table).where(organization_table.c.id == institution_id)).mappings().first()
    if found is None:
        raise NotFound("there is no such institution")
    return _institution(found)


def institutions(db: Connection) -> list[Institution]:
    """Return every institution, ordered by name."""
    rows = db.execute(select(organization_table).order_by(organization_table.c.name)).mappings()
    return [_institution(row) for row in rows]


def institutions_by_id(db: Connection, ids: Collection[str]) -> dict[str, Institution]:
    """Return those of *ids* that exist."""
    rows = db.execute(select(organization_table).where(organization_table.c.id.in_(ids))).mappings()
    return {row["id"]: _institution(row) for row in rows}


def practitioner(db: Connection, practitioner_id: str) -> Practitioner:
    """Return one person with roles and institution; NotFound when there is none."""
    found = db.execute(select(practitioner_table).where(practitioner_table.c.id == practitioner_id)).first()
    if found is None:
        raise NotFound("there is no such practitioner")
    return Practitioner(found.id, found.name, _roles(db, found.id), institution(db, found.institution_id), _qualification(found))


def practitioners_of(db: Connection, *institution_ids: str) -> list[Practitioner]:
    """Return the people of some institutions, ordered by name: those a task can be handed to."""
    order = (practitioner_table.c.name, practitioner_table.c.id, practitioner_role_table.c.role)
    rows = db.execute(_WITH_ROLES.where(practitioner_table.c.institution_id.in_(institution_ids)).order_by(*order)).all()
    places = institutions_by_id(db, institution_ids)
    roles: dict[str, list[Role]] = {}
    for row in rows:
        held = roles.setdefault(row.id, [])
        if row.role is not None:
            held.append(Role(row.role))
    people = {row.id: row for row in rows}
    return [
        Practitioner(row.id, row.name, tuple(roles[row.id]), places[row.institution_id], _qualification(row))
        for row in people.values()
    ]


def people_by_id(db: Connection, ids: Collection[str]) -> dict[str, Person]:
    """Return those of *ids* that exist."""
    rows = db.execute(select(practitioner_table.c.id, practitioner_table.c.name).where(practitioner_table.c.id.in_(ids)))
    return {id_: Person(id_, name) for id_, name in rows}


def duty_phone(db: Connection, institution_id: str) -> str:
    """Return the number that is answered day and night, empty where none is known."""
    number: str | None = db.scalar(select(organization_table.c.phone).where(organization_table.c.id == institution_id))
    return number or ""


def agreements_of(db: Connection, institution_id: str) -> list[Agreement]:
    """Return every agreement under which *institution_id* asks others, the oldest first."""
    return _agreements(db, agreement_table.c.institution_id == institution_id)


def register(db: Connection, viewer: Viewer) -> list[Agreement]:
    """Return the agreements an administrator sees, all, and others, those of their institution; the oldest first."""
    home = viewer.institution_id
    mine = or_(agreement_table.c.institution_id == home, agreement_table.c.performer_id == home)
    return _agreements(db, true() if Role.ADMIN in viewer.roles else mine)


def may_ask(db: Connection, institution_id: str, performer_id: str, on: date, service: Role) -> bool:
    """Tell whether an agreement between the two covers *service* on that day."""
    return any(held.performer_id == performer_id and held.covers(on, service) for held in agreements_of(db, institution_id))


def bindings(db: Connection) -> list[Binding]:
    """Return every AE title that speaks for an institution, by title."""
    rows = db.execute(select(ae_binding_table).order_by(ae_binding_table.c.ae_title, ae_binding_table.c.id)).mappings()
    return [Binding(**{**row, "networks": tuple(row["networks"])}) for row in rows]


def institution_of_ae(db: Connection, ae_title: str, address: str, fingerprint: str = "") -> str | None:
    """Return whose AE calls by *ae_title* from the IP *address*; None when it is nobody's we know.

    *fingerprint* is the SHA-256 of the certificate it shows, empty when it shows none: what is bound to a certificate is
    nobody's without it. The narrowest network that holds the address wins, so that a van with a fixed address may share a
    title; before it, what is bound to the certificate.
    """
    caller = ipaddress.ip_address(address)
    best: tuple[bool, int, str] | None = None
    titled = (ae_binding_table.c.ae_title == ae_title.strip()) & ae_binding_table.c.certificate_sha256.in_(("", fingerprint))
    for row in db.execute(select(ae_binding_table).where(titled).order_by(ae_binding_table.c.id)):
        widths = [network.prefixlen for network in map(ipaddress.ip_network, row.networks) if caller in network]
        width = max(widths, default=-1 if row.networks else 0)
        rank = bool(row.certificate_sha256), width
        if width >= 0 and (best is None or rank > best[:2]):
            best = (*rank, row.institution_id)
    return best[2] if best else None


def _agreements(db: Connection, wanted: ColumnElement[bool]) -> list[Agreement]:
    columns = [column for column in agreement_table.c if column.name != "warned_of"]
    rows = db.execute(select(*columns).where(wanted).order_by(agreement_table.c.valid_from, agreement_table.c.id)).mappings()
    return [Agreement(**{**row, "services": tuple(Role(name) for name in row["services"])}) for row in rows]


def _qualification(row: Row[Any]) -> Qualification:
    expertise = tuple(Expertise(each) for each in row.expertise)
    return Qualification(row.registration, row.practising_since, expertise, row.in_training)


def _institution(row: RowMapping) -> Institution:
    return Institution(row["id"], row["name"], row["name_en"], Level(row["kind"]))


def _roles(db: Connection, practitioner_id: str) -> tuple[Role, ...]:
    mine = practitioner_role_table.c.practitioner_id == practitioner_id
    query = select(practitioner_role_table.c.role).where(mine).order_by(practitioner_role_table.c.role)
    return tuple(Role(name) for name in db.scalars(query))
