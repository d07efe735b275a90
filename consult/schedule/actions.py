"""What may be done with a rota: plan, cancel, promise hours, swap, stand in; and tell of hours that nobody covers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from consult.practitioners.model import SYSTEM, Role, Viewer
from consult.practitioners.views import institution, practitioner
from consult.requests.model import HOUSE_ZONE, Lane
from consult.schedule.model import HOUR, Change, ChangeKind, ChangeStatus, Duty, DutyKind, Promise, spans_of, uncovered
from consult.schedule.tables import duty_change_table, duty_table, promised_hours_table, uncovered_hour_table
from consult.schedule.views import SPECIALTIES, change_by_id, duties_between, duty_by_id, may_edit, overlapping, promises_of
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import new_id, serialise
from telemed.kernel.errors import Conflict, Invalid, Refused

#: Nobody is on duty for longer without a break; nobody is away for longer in one entry.
LONGEST_DUTY, LONGEST_HOLIDAY = timedelta(hours=48), timedelta(days=62)
LONGEST_REASON = 400
#: An uncovered hour is told of so long before it begins.
TOLD_BEFORE = timedelta(hours=24)
#: Rotas are written one at a time, so that nobody is planned twice at one moment.
ROTA_LOCK = 0x7E1E0005


def plan(
    db: Connection,
    chronicle: Chronicle,
    *,
    practitioner_id: str,
    specialty: Role,
    kind: DutyKind,
    starts_at: datetime,
    ends_at: datetime,
    lane: Lane | None = None,
    by: Viewer,
) -> Duty:
    """Enter a duty, a standby or a holiday into the rota of the person's hospital.

    Raises
    ------
    Invalid
        for a span that is empty or too long, or a person without the specialty.
    Conflict
        when the person is on duty or standby already in that time.
    Refused
        for whoever does not keep the rota.
    """
    person = practitioner(db, practitioner_id)
    _keeps_rota(by, person.institution.id)
    if specialty not in SPECIALTIES or specialty not in person.roles:
        raise Invalid(f"{person.name} is no {specialty}")
    longest = LONGEST_HOLIDAY if kind is DutyKind.HOLIDAY else LONGEST_DUTY
    if not timedelta() < ends_at - starts_at <= longest:
        raise Invalid(f"a {kind} ends after it begins and takes at most {longest // HOUR} hours", code="duty-span")
    serialise(db, ROTA_LOCK)
    if kind is not DutyKind.HOLIDAY:
        _free(db, practitioner_id, person.name, starts_at, ends_at)
    duty = Duty(new_id(), person.institution.id, practitioner_id, specialty, lane, kind, starts_at, ends_at)
    db.execute(insert(duty_table).values(vars(duty)))
    _enter(db, chronicle, "DutyPlanned", duty, by)
    return duty


def cancel(db: Connection, chronicle: Chronicle, duty_id: str, *, by: Viewer) -> None:
    """Strike a duty out of the rota; what was proposed about it is refused with it."""
    duty = duty_by_id(db, duty_id)
    _keeps_rota(by, duty.institution_id)
    serialise(db, ROTA_LOCK)
    db.execute(update(duty_table).where(duty_table.c.id == duty_id).values(cancelled_at=chronicle.clock.now()))
    about = (duty_change_table.c.duty_id == duty_id) | (duty_change_table.c.other_duty_id == duty_id)
    open_ = duty_change_table.c.status == ChangeStatus.PROPOSED
    db.execute(update(duty_change_table).where(about, open_).values(status=ChangeStatus.REFUSED))
    _enter(db, chronicle, "DutyCancelled", duty, by)


def promise_hours(db: Connection, chronicle: Chronicle, promise: Promise, *, by: Viewer) -> None:
    """Say which hours of the week a hospital covers for a specialty; no day at all takes the promise back."""
    _keeps_rota(by, institution(db, promise.institution_id).id)
    days_right = len(promise.days) == 7 and set(promise.days) <= {"0", "1"}
    if not days_right or not 0 <= promise.from_hour < promise.until_hour <= 24 or promise.specialty not in SPECIALTIES:
        raise Invalid("promised hours are seven days of 0 or 1 and two full hours, the first before the last", code="hours")
    serialise(db, ROTA_LOCK)
    columns = promised_hours_table.c
    mine = (columns.institution_id == promise.institution_id) & (columns.specialty == promise.specialty)
    db.execute(delete(promised_hours_table).where(mine))
    if "1" in promise.days:
        db.execute(insert(promised_hours_table).values(vars(promise)))
    data = {
        "institution": promise.institution_id,
        **{name: value for name, value in vars(promise).items() if name != "institution_id"},
    }
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "HoursPromised", promise.institution_id, data, actor=actor, institution=home, entity="Schedule")


def propose(
    db: Connection,
    chronicle: Chronicle,
    *,
    duty_id: str,
    taker_id: str,
    other_duty_id: str | None = None,
    reason: str = "",
    by: Viewer,
) -> Change:
    """Propose that *taker_id* takes a duty, and gives *other_duty_id* for it when that is named.

    Whoever of the two proposes has agreed by it; it holds once the other agrees, too. A coordinator may propose, and can
    agree for nobody.
    """
    duty = duty_by_id(db, duty_id)
    giver, taker = practitioner(db, duty.practitioner_id), practitioner(db, taker_id)
    if by.practitioner_id not in (giver.id, taker.id):
        _keeps_rota(by, duty.institution_id)
    if duty.kind is DutyKind.HOLIDAY or giver.id == taker.id:
        raise Invalid("a duty or a standby is given to somebody else", code="change")
    if taker.institution != giver.institution or duty.specialty not in taker.roles:
        raise Refused(f"{taker.name} is no {duty.specialty} of this hospital", code="specialty")
    if other_duty_id is not None and duty_by_id(db, other_duty_id).practitioner_id != taker.id:
        raise Invalid(f"the duty to swap for is not {taker.name}'s", code="change")
    now = chronicle.clock.now()
    change = Change(
        id=new_id(),
        kind=ChangeKind.STAND_IN if other_duty_id is None else ChangeKind.SWAP,
        duty_id=duty_id,
        other_duty_id=other_duty_id,
        giver_id=giver.id,
        taker_id=taker.id,
        reason=reason.strip()[:LONGEST_REASON],
        giver_agreed_at=now if by.practitioner_id == giver.id else None,
        taker_agreed_at=now if by.practitioner_id == taker.id else None,
        status=ChangeStatus.PROPOSED,
    )
    db.execute(insert(duty_change_table).values(vars(change)))
    _enter(db, chronicle, "DutyChangeProposed", duty, by, **_said(change))
    return change


def agree(db: Connection, chronicle: Chronicle, change_id: str, *, by: Viewer) -> Change:
    """Agree to a swap or stand-in one takes part in; with the second consent the rota changes.

    Raises Refused for anybody else, Conflict when it is closed, or the rota has changed under it.
    """
    serialise(db, ROTA_LOCK)
    change = _open(db, change_id)
    sides = {change.giver_id: "giver_agreed_at", change.taker_id: "taker_agreed_at"}
    if by.practitioner_id not in sides:
        raise Refused("only the two whose duties change can agree", code="not-yours")
    mine = duty_change_table.c.id == change_id
    db.execute(update(duty_change_table).where(mine).values({sides[by.practitioner_id]: chronicle.clock.now()}))
    change = change_by_id(db, change_id)
    duty = duty_by_id(db, change.duty_id)
    if change.giver_agreed_at and change.taker_agreed_at:
        _exchange(db, change, duty)
        db.execute(update(duty_change_table).where(mine).values(status=ChangeStatus.AGREED))
        change = change_by_id(db, change_id)
    _enter(db, chronicle, "DutyChangeAgreed", duty, by, **_said(change))
    return change


def refuse(db: Connection, chronicle: Chronicle, change_id: str, *, by: Viewer) -> None:
    """Refuse a proposed change, or take it back; either side may, and whoever keeps the rota."""
    serialise(db, ROTA_LOCK)
    change = _open(db, change_id)
    duty = duty_by_id(db, change.duty_id)
    if by.practitioner_id not in (change.giver_id, change.taker_id):
        _keeps_rota(by, duty.institution_id)
    db.execute(update(duty_change_table).where(duty_change_table.c.id == change_id).values(status=ChangeStatus.REFUSED))
    _enter(db, chronicle, "DutyChangeRefused", duty, by, **_said(change))


def tell_of_gaps(db: Connection, chronicle: Chronicle, now: datetime) -> int:
    """Tell of each uncovered stretch once, a day before it begins, and once more when it is covered; return how many."""
    serialise(db, ROTA_LOCK)
    columns = uncovered_hour_table.c
    told: dict[tuple[str, str], set[datetime]] = {}
    for row in db.execute(select(uncovered_hour_table)):
        told.setdefault((row.institution_id, row.specialty), set()).add(row.hour_at)
    news = 0
    promises = {(promise.institution_id, str(promise.specialty)): promise for promise in promises_of(db)}
    for key in sorted({*told, *promises}):
        found = set(_near(db, promises[key], now)) if key in promises else set()
        known = told.get(key, set())
        gone = known - found
        if gone:
            mine = (columns.institution_id == key[0]) & (columns.specialty == key[1])
            db.execute(delete(uncovered_hour_table).where(mine, columns.hour_at.in_(gone)))
        if new := found - known:
            rows = [{"institution_id": key[0], "specialty": key[1], "hour_at": hour} for hour in sorted(new)]
            db.execute(insert(uncovered_hour_table), rows)
        for type_, hours in (("DutyUncovered", new), ("DutyCovered", {hour for hour in gone if hour + HOUR > now})):
            if hours:
                _tell(db, chronicle, type_, key, hours)
                news += 1
    return news


def _near(db: Connection, promise: Promise, now: datetime) -> list[datetime]:
    """Return the uncovered hours that begin within a day, and those that follow them without a break."""
    until = now + 2 * TOLD_BEFORE
    hours = uncovered(promise, duties_between(db, {promise.institution_id}, now, until), now, until)
    near = [span for span in spans_of(hours) if span.since <= now + TOLD_BEFORE]
    return [hour for hour in hours if any(span.since <= hour < span.until for span in near)]


def _tell(db: Connection, chronicle: Chronicle, type_: str, key: tuple[str, str], hours: Iterable[datetime]) -> None:
    spans = [{"since": rfc3339(span.since), "until": rfc3339(span.until)} for span in spans_of(sorted(hours))]
    data = {"institution": key[0], "specialty": key[1], "spans": spans}
    chronicle.enter(db, type_, key[0], data, actor=SYSTEM.practitioner_id, institution=key[0], entity="Schedule")


def _exchange(db: Connection, change: Change, duty: Duty) -> None:
    other = None if change.other_duty_id is None else duty_by_id(db, change.other_duty_id)
    beside = {each.id for each in (duty, other) if each is not None}
    if duty.practitioner_id != change.giver_id or (other is not None and other.practitioner_id != change.taker_id):
        raise Conflict("the rota has changed since this was proposed: propose it anew", code="change-stale")
    moves = [(duty, change.taker_id)] + ([] if other is None else [(other, change.giver_id)])
    for moved, heir in moves:
        _free(db, heir, practitioner(db, heir).name, moved.starts_at, moved.ends_at, beside=beside)
        db.execute(update(duty_table).where(duty_table.c.id == moved.id).values(practitioner_id=heir))


def _free(
    db: Connection, practitioner_id: str, name: str, since: datetime, until: datetime, *, beside: Iterable[str] = ()
) -> None:
    taken = overlapping(db, practitioner_id, since, until, beside=set(beside))
    if taken is not None:
        begins = taken.starts_at.astimezone(HOUSE_ZONE)
        raise Conflict(f"{name} has a {taken.kind} already, from {begins:%m-%d %H:%M} ({HOUSE_ZONE})", code="duty-overlap")


def _open(db: Connection, change_id: str) -> Change:
    change = change_by_id(db, change_id)
    if change.status is not ChangeStatus.PROPOSED:
        raise Conflict(f"this change of the rota is {change.status} already", code="change-closed")
    return change


def _keeps_rota(by: Viewer, institution_id: str) -> None:
    if by != SYSTEM and not may_edit(by, institution_id):
        raise Refused("the rota is kept by the hospital's coordinator", code="rota")


def _said(change: Change) -> dict[str, str]:
    return {
        "change_id": change.id,
        "change": change.kind,
        "giver": change.giver_id,
        "taker": change.taker_id,
        "reason": change.reason,
    }


def _enter(db: Connection, chronicle: Chronicle, type_: str, duty: Duty, by: Viewer, **news: str) -> None:
    data = {
        "duty_id": duty.id,
        "institution": duty.institution_id,
        "practitioner": duty.practitioner_id,
        "specialty": duty.specialty,
        "kind": duty.kind,
        "starts_at": rfc3339(duty.starts_at),
        "ends_at": rfc3339(duty.ends_at),
        **news,
    }
    chronicle.enter(db, type_, duty.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Schedule")
