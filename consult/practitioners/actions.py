"""What the administrator may do: take in institutions and people, record agreements, bind AEs."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from consult.practitioners.model import SYSTEM, Level, Qualification, Role, Viewer
from consult.practitioners.tables import (
    ae_binding_table,
    agreement_table,
    organization_table,
    practitioner_role_table,
    practitioner_table,
)
from consult.practitioners.views import institution
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

UNSEEN = Qualification()
LONGEST_REGISTRATION = 40
LONGEST_LIABILITY = 4000
#: An agreement that ends is told of so long before, that it can be renewed in time.
WARNED_BEFORE = timedelta(days=30)


def add_institution(
    db: Connection, chronicle: Chronicle, *, name: str, name_en: str, kind: Level, phone: str = "", by: Viewer
) -> str:
    """Take in an institution and return its id; Conflict when the name is taken."""
    _administrator(by)
    name, name_en = _named(name, "an institution", 200), name_en.strip()[:200]
    if db.execute(select(organization_table.c.id).where(organization_table.c.name == name)).first() is not None:
        raise Conflict(f"there is already an institution named {name}")
    id_ = new_id()
    db.execute(insert(organization_table).values(id=id_, name=name, name_en=name_en, kind=kind, phone=phone.strip()[:40]))
    data = {"institution": id_, "name": name, "kind": kind}
    chronicle.enter(
        db, "InstitutionAdded", id_, data, actor=by.practitioner_id, institution=by.institution_id, entity="Organization"
    )
    return id_


def add_practitioner(
    db: Connection,
    chronicle: Chronicle,
    *,
    name: str,
    institution_id: str,
    roles: Collection[Role],
    qualification: Qualification = UNSEEN,
    by: Viewer,
) -> str:
    """Take in a person of an institution and return their id; Invalid without a role."""
    _administrator(by)
    name = _named(name, "a practitioner", 100)
    institution(db, institution_id)
    if not roles:
        raise Invalid(f"{name} needs at least one role: {', '.join(Role)}")
    id_ = new_id()
    db.execute(insert(practitioner_table).values(id=id_, name=name, institution_id=institution_id, **_columns(qualification)))
    db.execute(insert(practitioner_role_table), [{"practitioner_id": id_, "role": role} for role in sorted(set(roles))])
    data = {"institution": institution_id, "roles": sorted(roles)}
    chronicle.enter(
        db, "PractitionerAdded", id_, data, actor=by.practitioner_id, institution=by.institution_id, entity="Practitioner"
    )
    return id_


def add_agreement(
    db: Connection,
    chronicle: Chronicle,
    *,
    institution_id: str,
    performer_id: str,
    valid_from: date,
    valid_until: date | None = None,
    services: Collection[Role] = (),
    liability: str = "",
    price: str = "",
    by: Viewer,
) -> str:
    """Record that *institution_id* may ask *performer_id* in that time, and return the agreement's id."""
    _administrator(by)
    if institution(db, institution_id) == institution(db, performer_id):
        raise Invalid("an agreement needs two institutions; these are one and the same")
    if valid_until is not None and valid_until < valid_from:
        raise Invalid(f"the agreement ends on {valid_until}, before it begins on {valid_from}")
    id_ = new_id()
    row = {"institution_id": institution_id, "performer_id": performer_id, "valid_from": valid_from, "valid_until": valid_until}
    words = {"liability": liability.strip()[:LONGEST_LIABILITY], "price": price.strip()[:100]}
    db.execute(insert(agreement_table).values(id=id_, services=sorted(services), **row, **words))
    data = {"institution": institution_id, "performer": performer_id, "valid_from": valid_from.isoformat()}
    chronicle.enter(db, "AgreementAdded", id_, data, actor=by.practitioner_id, institution=by.institution_id, entity="Agreement")
    return id_


def end_agreement(db: Connection, chronicle: Chronicle, agreement_id: str, *, on: date, by: Viewer) -> None:
    """Let an agreement end with the day *on*; from the next day nothing is dispatched under it."""
    _administrator(by)
    found = db.execute(select(agreement_table).where(agreement_table.c.id == agreement_id)).first()
    if found is None:
        raise NotFound("there is no such agreement")
    if on < found.valid_from:
        raise Invalid(f"the agreement began on {found.valid_from}: it cannot end before")
    db.execute(update(agreement_table).where(agreement_table.c.id == agreement_id).values(valid_until=on))
    data = {"institution": found.institution_id, "performer": found.performer_id, "valid_until": on.isoformat()}
    _enter(db, chronicle, "AgreementEnded", agreement_id, data, by=by, entity="Agreement")


def warn_of_ends(db: Connection, chronicle: Chronicle, today: date) -> int:
    """Tell of each agreement that ends within WARNED_BEFORE, once for each end; return of how many."""
    ends, warned_of = agreement_table.c.valid_until, agreement_table.c.warned_of
    near = ends.between(today, today + WARNED_BEFORE) & (warned_of.is_(None) | (warned_of != ends))
    found = db.execute(select(agreement_table).where(near)).all()
    for row in found:
        db.execute(update(agreement_table).where(agreement_table.c.id == row.id).values(warned_of=row.valid_until))
        data = {"institution": row.institution_id, "performer": row.performer_id, "valid_until": row.valid_until.isoformat()}
        _enter(db, chronicle, "AgreementEnding", row.id, data, by=SYSTEM, entity="Agreement")
    return len(found)


def qualify(db: Connection, chronicle: Chronicle, practitioner_id: str, qualification: Qualification, *, by: Viewer) -> None:
    """Record what was seen of a person's registration, years and expertise: dispatch chooses nobody without."""
    _administrator(by)
    if len(qualification.registration) > LONGEST_REGISTRATION:
        raise Invalid(f"a registration number has at most {LONGEST_REGISTRATION} characters")
    mine = practitioner_table.c.id == practitioner_id
    home = db.scalar(select(practitioner_table.c.institution_id).where(mine))
    if home is None:
        raise NotFound("there is no such practitioner")
    db.execute(update(practitioner_table).where(mine).values(_columns(qualification)))
    since = qualification.practising_since
    data = {"institution": home, "registration": qualification.registration, "since": since and since.isoformat()}
    data |= {"in_training": qualification.in_training}
    _enter(db, chronicle, "PractitionerQualified", practitioner_id, data, by=by, entity="Practitioner")


def bind_ae(
    db: Connection,
    chronicle: Chronicle,
    *,
    ae_title: str,
    networks: Collection[str] = (),
    certificate_sha256: str = "",
    institution_id: str,
    by: Viewer,
) -> str:
    """Let *ae_title* from *networks* (CIDR) speak for an institution, and return the binding's id.

    With *certificate_sha256* (64 hexadecimal digits) it does so over TLS only, and with that certificate only. An AE title
    is 1 to 16 characters of the default repertoire without backslash (PS3.5 section 6.2, AE).
    """
    _administrator(by)
    title = ae_title.strip(" ")
    if not 0 < len(title) <= 16 or not (title.isascii() and title.isprintable()) or "\\" in title:
        raise Invalid(f"{ae_title!r} is no AE title: use 1 to 16 plain characters without backslash")
    institution(db, institution_id)
    try:
        ranges = sorted(str(ipaddress.ip_network(network)) for network in networks)
    except ValueError as error:
        raise Invalid(f"{error}: write an address range as 10.20.0.0/16") from None
    id_ = new_id()
    bound = {"ae_title": title, "networks": ranges, "certificate_sha256": certificate_sha256}
    db.execute(insert(ae_binding_table).values(id=id_, institution_id=institution_id, **bound))
    data = {"institution": institution_id, **bound}
    chronicle.enter(db, "AeBound", id_, data, actor=by.practitioner_id, institution=by.institution_id, entity="Device")
    return id_


def unbind_ae(db: Connection, chronicle: Chronicle, *, ae_title: str, institution_id: str, by: Viewer) -> None:
    """Let *ae_title* speak for an institution no more, wherever from; NotFound when it does not."""
    _administrator(by)
    bound = (ae_binding_table.c.ae_title == ae_title) & (ae_binding_table.c.institution_id == institution_id)
    if db.execute(delete(ae_binding_table).where(bound)).rowcount == 0:
        raise NotFound(f"{ae_title!r} does not speak for this institution; `telemed device list` names what does", code="device")
    data = {"institution": institution_id, "ae_title": ae_title}
    chronicle.enter(db, "AeUnbound", ae_title, data, actor=by.practitioner_id, institution=by.institution_id, entity="Device")


def _columns(qualification: Qualification) -> dict[str, Any]:
    return {
        "registration": qualification.registration.strip(),
        "practising_since": qualification.practising_since,
        "expertise": sorted(set(qualification.expertise)),
        "in_training": qualification.in_training,
    }


def _enter(db: Connection, chronicle: Chronicle, type_: str, id_: str, data: dict[str, Any], *, by: Viewer, entity: str) -> None:
    chronicle.enter(db, type_, id_, data, actor=by.practitioner_id, institution=by.institution_id, entity=entity)


def _administrator(by: Viewer) -> None:
    if Role.ADMIN not in by.roles:
        raise Refused("only an administrator may do this")


def _named(name: str, what: str, longest: int) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= longest:
        raise Invalid(f"{what} needs a name of 1 to {longest} characters")
    return name
