"""What each destination is still to get, and what may be done about it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update

from dicom_node.archive.events import INSTANCE_STORED
from dicom_node.archive.tables import WRITTEN_HERE, instance_table
from dicom_node.forwarding.rules import FOLLOWER, Rule, rules
from dicom_node.services.commitment_request import Report
from dicom_node.tables import forwarded_table, forwarding_table, peer_table
from dicom_node.tables import forwarding_destination_table as destination_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.errors import NotFound
from telemed.kernel.events import Event

#: News taken in one transaction, and objects sent over one association before the queue is looked at again.
MOST_NEWS, MOST_AT_ONCE = 500, 200
#: A destination that was asked to commit is asked again after so long without a report.
UNTIL_ASKED_AGAIN = timedelta(minutes=10)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
#: A destination that refuses an object so often will refuse it always: a person decides.
MOST_REFUSALS = 8


@dataclass(frozen=True)
class Placed:
    """An object in a queue."""

    place: int
    institution: str
    study_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Waiting(Placed):
    """An object in a queue, with what is needed to send it."""

    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str


@dataclass(frozen=True)
class Fate:
    """What became of an object that was written here, at one destination.

    *sent_at*: it was acknowledged; else it waits since *queued_at*, or was refused too often (*given_up_at*). *error* is what
    went wrong with it the last time.
    """

    ae_title: str
    sop_instance_uid: str
    sent_at: datetime | None = None
    queued_at: datetime | None = None
    given_up_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True)
class Destination:
    """A peer, what goes to it, and how it goes.

    *waiting* objects are still to be sent, *given_up* ones were refused too often; *oldest_at* is when the first of either
    was queued. *error* says what is wrong now, empty when nothing is; *next_try_at* is set while it is left in peace.
    """

    ae_title: str
    address: str
    institution: str
    rules: tuple[Rule, ...]
    waiting: int
    given_up: int
    oldest_at: datetime | None
    sent: int
    last_sent_at: datetime | None
    error: str
    next_try_at: datetime | None


def take(db: Connection, chronicle: Chronicle, news: Sequence[Event]) -> None:
    """Queue what the rules say of *news* (`InstanceStored` events), and move the cursor past it.

    Of what was written here is told that it waits: somebody looks at its `fates`.
    """
    held, now = rules(db), chronicle.clock.now()
    columns = instance_table.c
    came = select(columns.institution, columns.sop_instance_uid, columns.source)
    uids = [event.data["sop_instance_uid"] for event in news]
    sources = {
        (row.institution, row.sop_instance_uid): row.source for row in db.execute(came.where(columns.sop_instance_uid.in_(uids)))
    }
    rows = []
    written: Counter[tuple[str, str, str]] = Counter()
    for event in news:
        data = event.data
        row = {name: data[name] for name in ("institution", "study_instance_uid", "sop_instance_uid")}
        source = sources.get((data["institution"], data["sop_instance_uid"]), "")
        goes_to = {rule.ae_title for rule in held if rule.fits(data["institution"], data["modality"], source)}
        goes_to.discard(source)  # nobody is sent what it has sent us
        rows += [{"ae_title": title, **row, "queued_at": now, "try_at": now} for title in sorted(goes_to)]
        if source == WRITTEN_HERE:
            written.update((row["institution"], row["study_instance_uid"], title) for title in goes_to)
    if rows:
        db.execute(insert(forwarding_table).values(refusals=0, interruptions=0, error=""), rows)
    for (institution, uid, title), count in written.items():
        told = {"institution": institution, "study_instance_uid": uid, "destination": title, "instances": count}
        _enter(db, chronicle, "ForwardingQueued", uid, told, entity="Study")
    chronicle.events.advance(db, FOLLOWER, news[-1].position)


def news(chronicle: Chronicle) -> list[Event]:
    """Return what has arrived and was not taken yet, oldest first, at most MOST_NEWS."""
    return chronicle.events.after(chronicle.events.position_of(FOLLOWER), types=(INSTANCE_STORED,), limit=MOST_NEWS)


def busy(db: Connection, now: datetime) -> list[str]:
    """Return the destinations to which something can be sent now."""
    waits = exists().where(forwarding_table.c.ae_title == destination_table.c.ae_title, _due(now))
    return list(db.execute(select(destination_table.c.ae_title).where(destination_table.c.try_at <= now, waits)).scalars())


def due(db: Connection, ae_title: str, now: datetime, *, is_sent: bool = False) -> list[Waiting]:
    """Return what *ae_title* is to get next: the oldest first, what ended connections last.

    With *is_sent* what it has got and is to be asked to commit to.
    """
    columns, kept = forwarding_table.c, instance_table.c
    described = (columns.place, columns.institution, columns.study_instance_uid, columns.sop_instance_uid)
    same = (kept.institution == columns.institution) & (kept.sop_instance_uid == columns.sop_instance_uid)
    query = (
        select(*described, kept.sop_class_uid, kept.transfer_syntax_uid, kept.digest)
        .join(instance_table, same)
        .join(destination_table, destination_table.c.ae_title == columns.ae_title)
        .where(columns.ae_title == ae_title, destination_table.c.try_at <= now, _due(now))
        .where(columns.sent_at.is_not(None) if is_sent else columns.sent_at.is_(None))
        .order_by(columns.interruptions, columns.place)
    )
    return [Waiting(*row) for row in db.execute(query.limit(MOST_AT_ONCE))]


def _due(now: datetime) -> ColumnElement[bool]:
    return forwarding_table.c.given_up_at.is_(None) & (forwarding_table.c.try_at <= now)


def acknowledged(db: Connection, chronicle: Chronicle, ae_title: str, done: Sequence[Waiting]) -> None:
    """Keep *done* in the queue until *ae_title*, which has got it, commits to it, too."""
    now = chronicle.clock.now()
    got = update(forwarding_table).where(forwarding_table.c.place.in_([one.place for one in done]))
    db.execute(got.values(sent_at=now, try_at=now, error="it has not committed to it yet"))
    _reached(db, chronicle, ae_title)


def sent(db: Connection, chronicle: Chronicle, ae_title: str, done: Sequence[Placed]) -> None:
    """Take *done* out of the queue: *ae_title* has acknowledged it. Told and audited study by study (PS3.15 A.5.3.7).

    Of what was written here the news says which objects they are, and whose node has them now.
    """
    written = _remember_written(db, chronicle, ae_title, done)
    owner = db.scalar(select(peer_table.c.institution).where(peer_table.c.ae_title == ae_title)) or ""
    db.execute(delete(forwarding_table).where(forwarding_table.c.place.in_([one.place for one in done])))
    _reached(db, chronicle, ae_title, sent=destination_table.c.sent + len(done))

    def study(one: Placed) -> tuple[str, str]:
        return one.institution, one.study_instance_uid

    for (institution, uid), objects in groupby(sorted(done, key=study), key=study):
        told: dict[str, Any] = {"institution": institution, "study_instance_uid": uid, "destination": ae_title}
        uids = [one.sop_instance_uid for one in objects]
        if ours := sorted(uid for uid in uids if (institution, uid) in written):
            told |= {"written_here": ours, "destination_institution": owner}
        _enter(db, chronicle, "StudyForwarded", uid, told | {"instances": len(uids)}, entity="Study")


def _remember_written(db: Connection, chronicle: Chronicle, ae_title: str, done: Sequence[Placed]) -> set[tuple[str, str]]:
    """Keep when *ae_title* got what was written here, for `fates`; return its (institution, SOP Instance UID)."""
    columns = instance_table.c
    written = select(columns.institution, columns.sop_instance_uid).where(columns.source == WRITTEN_HERE)
    found = db.execute(written.where(columns.sop_instance_uid.in_([one.sop_instance_uid for one in done]))).all()
    mine = {tuple(row) for row in found} & {(one.institution, one.sop_instance_uid) for one in done}
    if mine:
        row = {"ae_title": ae_title, "sent_at": chronicle.clock.now()}
        db.execute(
            insert(forwarded_table), [row | dict(zip(("institution", "sop_instance_uid"), each, strict=True)) for each in mine]
        )
    return mine


def _reached(db: Connection, chronicle: Chronicle, ae_title: str, **further: Any) -> None:  # noqa: ANN401 - columns
    reached = {"failures": 0, "error": "", "last_sent_at": chronicle.clock.now(), **further}
    db.execute(update(destination_table).where(destination_table.c.ae_title == ae_title).values(reached))


def asked(db: Connection, chronicle: Chronicle, ae_title: str, waiting: Sequence[Waiting]) -> None:
    """Leave what *ae_title* was asked to commit to in peace until it is time to ask again; give up what was asked too often."""
    columns = forwarding_table.c
    unanswered = columns.place.in_([one.place for one in waiting]) & columns.sent_at.is_not(None)
    left = set(db.scalars(select(columns.place).where(unanswered)))
    for one in waiting:
        if one.place in left:
            refused(db, chronicle, ae_title, one, "it was asked to commit to it and has not")
    db.execute(update(forwarding_table).where(unanswered).values(try_at=chronicle.clock.now() + UNTIL_ASKED_AGAIN))


def reported(db: Connection, chronicle: Chronicle, report: Report) -> bool:
    """Take what was committed to out of the queue and let the rest be sent again; tell whether any of it was waited for."""
    columns, named = forwarding_table.c, sorted({*report.committed, *report.failed})
    awaited: list[Placed] = []
    for begin in range(0, len(named), MOST_NEWS):
        mine = (columns.ae_title == report.ae_title) & columns.sent_at.is_not(None)
        held = select(columns.place, columns.institution, columns.study_instance_uid, columns.sop_instance_uid)
        rows = db.execute(held.where(mine, columns.sop_instance_uid.in_(named[begin : begin + MOST_NEWS])))
        awaited += [Placed(*row) for row in rows]
    if done := [one for one in awaited if one.sop_instance_uid in report.committed]:
        sent(db, chronicle, report.ae_title, done)
    for one in awaited:
        if one.sop_instance_uid in report.failed:
            db.execute(update(forwarding_table).where(columns.place == one.place).values(sent_at=None))
            reason = f"it does not commit to it (failure reason {report.failed[one.sop_instance_uid]})"
            refused(db, chronicle, report.ae_title, one, reason)
    return bool(awaited)


def refused(db: Connection, chronicle: Chronicle, ae_title: str, one: Placed, reason: str) -> None:
    """Try *one* again later, or give it up: the destination was there and did not take it."""
    now, mine = chronicle.clock.now(), forwarding_table.c.place == one.place
    refusals = db.scalar(select(forwarding_table.c.refusals).where(mine))
    if refusals is None:  # cancelled meanwhile
        return
    is_given_up = refusals + 1 >= MOST_REFUSALS
    again = {"refusals": refusals + 1, "error": reason[:400], "try_at": now + _pause(refusals)}
    db.execute(update(forwarding_table).where(mine).values(again | ({"given_up_at": now} if is_given_up else {})))
    if is_given_up:
        told = {"institution": one.institution, "study_instance_uid": one.study_instance_uid, "destination": ae_title}
        told |= {"sop_instance_uid": one.sop_instance_uid, "reason": reason[:400]}
        _enter(db, chronicle, "ForwardingGivenUp", one.study_instance_uid, told, entity="Study")


def unreached(db: Connection, chronicle: Chronicle, ae_title: str, reason: str, one: Waiting | None = None) -> None:
    """Leave *ae_title* in peace for a while; *one*, over which the connection ended, comes last the next time."""
    mine = destination_table.c.ae_title == ae_title
    failures = int(db.scalar(select(destination_table.c.failures).where(mine)) or 0)
    try_at = chronicle.clock.now() + _pause(failures)
    db.execute(update(destination_table).where(mine).values(failures=failures + 1, try_at=try_at, error=reason[:400]))
    if one is not None:
        lost = forwarding_table.c.interruptions + 1
        db.execute(update(forwarding_table).where(forwarding_table.c.place == one.place).values(interruptions=lost))


def _pause(before: int) -> timedelta:
    """Return how long to wait after so many failures: doubling, and a little different for everybody."""
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(before, 10), LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def retry(db: Connection, chronicle: Chronicle, ae_title: str, *, actor: str) -> int:
    """Send what waits for *ae_title* now, what was given up, too; return how many objects. NotFound when it is none."""
    now = chronicle.clock.now()
    mine = destination_table.c.ae_title == ae_title
    if db.execute(update(destination_table).where(mine).values(try_at=now, failures=0)).rowcount == 0:
        raise _no_destination(ae_title)
    anew = {"try_at": now, "given_up_at": None, "refusals": 0}
    count = db.execute(update(forwarding_table).where(forwarding_table.c.ae_title == ae_title).values(anew)).rowcount
    _enter(db, chronicle, "ForwardingRetried", ae_title, {"ae_title": ae_title, "instances": count}, entity="Device", actor=actor)
    return count


def cancel(db: Connection, chronicle: Chronicle, ae_title: str, *, actor: str) -> int:
    """Forget what waits for *ae_title*; return how many objects that were. NotFound when it is no destination."""
    if db.execute(select(destination_table.c.ae_title).where(destination_table.c.ae_title == ae_title)).first() is None:
        raise _no_destination(ae_title)
    count = db.execute(delete(forwarding_table).where(forwarding_table.c.ae_title == ae_title)).rowcount
    told = {"ae_title": ae_title, "instances": count}
    _enter(db, chronicle, "ForwardingCancelled", ae_title, told, entity="Device", actor=actor)
    return count


def destinations(db: Connection, now: datetime) -> list[Destination]:
    """Return every peer by AE title, with what is forwarded to it."""
    held = rules(db)
    columns = forwarding_table.c
    counts = select(
        columns.ae_title,
        func.count().label("all"),
        func.count(columns.given_up_at).label("given_up"),
        func.min(columns.queued_at).label("oldest_at"),
        func.max(columns.error).label("error"),
    )
    queues = {row.ae_title: row for row in db.execute(counts.group_by(columns.ae_title))}
    reached = {row.ae_title: row for row in db.execute(select(destination_table))}
    found = []
    for peer in db.execute(select(peer_table).order_by(peer_table.c.ae_title)):
        title = peer.ae_title
        queue, state = queues.get(title), reached.get(title)
        found.append(
            Destination(
                ae_title=title,
                address=f"{peer.host}:{peer.port}",
                institution=peer.institution,
                rules=tuple(rule for rule in held if rule.ae_title == title),
                waiting=queue.all - queue.given_up if queue else 0,
                given_up=queue.given_up if queue else 0,
                oldest_at=queue.oldest_at if queue else None,
                sent=state.sent if state else 0,
                last_sent_at=state.last_sent_at if state else None,
                error=(state.error if state else "") or (queue.error if queue else ""),
                next_try_at=state.try_at if state and state.try_at > now else None,
            )
        )
    return found


def fates(db: Connection, institution: str, sop_instance_uids: Sequence[str]) -> list[Fate]:
    """Return what became of objects that were written here, at each destination they go or went to, by its AE title."""
    got, waits, reached = forwarded_table.c, forwarding_table.c, destination_table.c
    sent = select(got.ae_title, got.sop_instance_uid, got.sent_at).where(
        got.institution == institution, got.sop_instance_uid.in_(sop_instance_uids)
    )
    kept = select(waits.ae_title, waits.sop_instance_uid, waits.queued_at, waits.given_up_at, waits.error, reached.error).join(
        destination_table, reached.ae_title == waits.ae_title
    )
    kept = kept.where(waits.institution == institution, waits.sop_instance_uid.in_(sop_instance_uids))
    found = [Fate(*row) for row in db.execute(sent)]
    found += [
        Fate(title, uid, None, queued, given_up, own or wrong) for title, uid, queued, given_up, own, wrong in db.execute(kept)
    ]
    return sorted(found, key=lambda one: (one.ae_title, one.sop_instance_uid))


def _no_destination(ae_title: str) -> NotFound:
    return NotFound(f"nothing is forwarded to {ae_title!r}; `telemed forward list` names the destinations", code="destination")


def _enter(
    db: Connection,
    chronicle: Chronicle,
    type_: str,
    subject: str,
    data: dict[str, Any],
    *,
    entity: str,
    actor: str = "forwarding",
) -> None:
    chronicle.enter(db, type_, subject, data, actor=actor, institution=data.get("institution", ""), entity=entity)
