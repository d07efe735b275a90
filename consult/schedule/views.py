"""The rota as a week shows it, and who is there now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, select, true

from consult.practitioners.model import Institution, Practitioner, Role, Viewer
from consult.practitioners.views import institutions_by_id, practitioners_of
from consult.requests.model import Lane
from consult.schedule.model import Change, ChangeKind, ChangeStatus, Duty, DutyKind, Promise, Span, spans_of, uncovered
from consult.schedule.tables import duty_change_table, duty_table, promised_hours_table, uncovered_hour_table
from telemed.kernel.errors import NotFound, Refused

#: The specialties a rota is kept for.
SPECIALTIES = (Role.RADIOLOGIST, Role.CARDIOLOGIST)
#: A hospital whose last duty ended longer ago no longer keeps a rota.
ROTA_LIVES = timedelta(days=14)


@dataclass(frozen=True)
class Gap:
    """A promised stretch that nobody covers."""

    institution: Institution
    specialty: Role
    span: Span


@dataclass(frozen=True)
class Week:
    """What a week shows of one institution; *people* are those a duty can be given to."""

    institution: Institution
    since: datetime
    until: datetime
    people: tuple[Practitioner, ...]
    duties: tuple[Duty, ...]
    promises: tuple[Promise, ...]
    uncovered: tuple[Gap, ...]
    changes: tuple[Change, ...]
    may_edit: bool


def week(db: Connection, viewer: Viewer, institution_id: str, since: datetime, until: datetime) -> Week:
    """Return the rota of one's own institution, of any for an administrator; Refused for another's."""
    if institution_id != viewer.institution_id and Role.ADMIN not in viewer.roles:
        raise Refused("the rota of another institution is for administrators")
    place = institutions_by_id(db, {institution_id}).get(institution_id)
    if place is None:
        raise NotFound("there is no such institution")
    people = tuple(one for one in practitioners_of(db, institution_id) if set(SPECIALTIES) & set(one.roles))
    duties = duties_between(db, {institution_id}, since, until)
    promises = promises_of(db, institution_id)
    gaps = tuple(
        Gap(place, promise.specialty, span) for promise in promises for span in spans_of(uncovered(promise, duties, since, until))
    )
    shown = {duty.id for duty in duties}
    changes = tuple(change for change in _open_changes(db, institution_id) if change.duty_id in shown)
    return Week(place, since, until, people, duties, promises, gaps, changes, may_edit(viewer, institution_id))


def may_edit(viewer: Viewer, institution_id: str) -> bool:
    """Tell whether the viewer keeps this institution's rota."""
    return Role.ADMIN in viewer.roles or (Role.COORDINATOR in viewer.roles and viewer.institution_id == institution_id)


def gaps(db: Connection, viewer: Viewer) -> list[Gap]:
    """Return the uncovered hours that were told of and lie ahead: of every institution to an administrator, else one's own."""
    mine = uncovered_hour_table.c.institution_id == viewer.institution_id
    wanted = true() if Role.ADMIN in viewer.roles else mine
    order = (uncovered_hour_table.c.institution_id, uncovered_hour_table.c.specialty, uncovered_hour_table.c.hour_at)
    hours: dict[tuple[str, str], list[datetime]] = {}
    for row in db.execute(select(uncovered_hour_table).where(wanted).order_by(*order)):
        hours.setdefault((row.institution_id, row.specialty), []).append(row.hour_at)
    places = institutions_by_id(db, {institution for institution, _ in hours})
    return [
        Gap(places[institution], Role(specialty), span)
        for (institution, specialty), found in hours.items()
        for span in spans_of(found)
    ]


def duties_between(db: Connection, institution_ids: Collection[str], since: datetime, until: datetime) -> tuple[Duty, ...]:
    """Return the duties of some institutions that touch a stretch of time, in order."""
    within = (duty_table.c.ends_at > since) & (duty_table.c.starts_at < until)
    return _duties(db, duty_table.c.institution_id.in_(institution_ids) & within)


def keeping_rotas(db: Connection, institution_ids: Collection[str], specialty: Role, at: datetime) -> frozenset[str]:
    """Return which of the institutions keep a rota for *specialty*: they promise hours, or their last duty is not long past."""
    promised = select(promised_hours_table.c.institution_id).where(promised_hours_table.c.specialty == specialty)
    planned = select(duty_table.c.institution_id).where(
        duty_table.c.specialty == specialty,
        duty_table.c.cancelled_at.is_(None),
        duty_table.c.kind != DutyKind.HOLIDAY,
        duty_table.c.ends_at > at - ROTA_LIVES,
    )
    return frozenset(db.scalars(promised.union(planned))) & frozenset(institution_ids)


def duty_by_id(db: Connection, duty_id: str) -> Duty:
    """Return one duty that was not cancelled; NotFound when there is none."""
    found = _duties(db, duty_table.c.id == duty_id)
    if not found:
        raise NotFound("there is no such duty")
    return found[0]


def change_by_id(db: Connection, change_id: str) -> Change:
    """Return one swap or stand-in; NotFound when there is none."""
    row = db.execute(select(duty_change_table).where(duty_change_table.c.id == change_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such change of the rota")
    return _change(row)


def promises_of(db: Connection, institution_id: str | None = None) -> tuple[Promise, ...]:
    """Return the promised hours of one institution, of all when none is named."""
    columns = promised_hours_table.c
    mine = true() if institution_id is None else columns.institution_id == institution_id
    rows = db.execute(select(promised_hours_table).where(mine).order_by(columns.institution_id, columns.specialty)).mappings()
    return tuple(Promise(**{**row, "specialty": Role(row["specialty"])}) for row in rows)


def _open_changes(db: Connection, institution_id: str) -> list[Change]:
    joined = duty_change_table.join(duty_table, duty_table.c.id == duty_change_table.c.duty_id)
    open_ = (duty_table.c.institution_id == institution_id) & (duty_change_table.c.status == ChangeStatus.PROPOSED)
    query = select(duty_change_table).select_from(joined).where(open_).order_by(duty_change_table.c.id)
    return [_change(row) for row in db.execute(query).mappings()]


def _duties(db: Connection, wanted: ColumnElement[bool]) -> tuple[Duty, ...]:
    columns = [column for column in duty_table.c if column.name != "cancelled_at"]
    query = select(*columns).where(wanted, duty_table.c.cancelled_at.is_(None))
    rows = db.execute(query.order_by(duty_table.c.starts_at, duty_table.c.id)).mappings()
    return tuple(
        Duty(
            **{
                **row,
                "specialty": Role(row["specialty"]),
                "lane": Lane(row["lane"]) if row["lane"] else None,
                "kind": DutyKind(row["kind"]),
            }
        )
        for row in rows
    )


def overlapping(
    db: Connection, practitioner_id: str, since: datetime, until: datetime, *, beside: Collection[str] = ()
) -> Duty | None:
    """Return a duty or standby of the person in that time, None when they are free; those *beside* do not count."""
    mine = (duty_table.c.practitioner_id == practitioner_id) & (duty_table.c.kind != DutyKind.HOLIDAY)
    within = (duty_table.c.ends_at > since) & (duty_table.c.starts_at < until)
    return next((duty for duty in _duties(db, mine & within) if duty.id not in beside), None)


def _change(row: RowMapping) -> Change:
    return Change(**{**row, "kind": ChangeKind(row["kind"]), "status": ChangeStatus(row["status"])})
