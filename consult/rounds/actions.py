"""What may be done with a round."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, insert, select, update

from consult.practitioners.model import Role, Viewer
from consult.rounds.model import MOST_PARTICIPANTS, Round, RoundEvent, RoundStatus
from consult.rounds.tables import load, round_institution_table, round_participant_table, round_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, Refused

#: Who may gather others; anybody of an invited institution may join.
CONVENERS = frozenset({Role.COORDINATOR, Role.RADIOLOGIST, Role.CARDIOLOGIST})


def open_round(
    db: Connection,
    chronicle: Chronicle,
    *,
    title: str,
    institution_id: str,
    study_instance_uid: str,
    invited: Collection[str],
    by: Viewer,
) -> Round:
    """Open a round over a study that *by* may read and *institution_id* holds; the *invited* institutions may join.

    The clinic that holds the study and the convener's own institution are always among the invited.
    """
    if not by.roles & CONVENERS:
        raise Refused("only a coordinator or a specialist opens a round")
    if not 1 <= len(title.strip()) <= 200:
        raise Invalid("give the round a title of at most 200 characters")
    opened = Round(
        new_id(),
        title.strip(),
        institution_id,
        study_instance_uid,
        RoundStatus.OPEN,
        chronicle.clock.now(),
        by.practitioner_id,
        None,
    )
    values = {name: getattr(opened, name) for name in round_table.c.keys()}  # noqa: SIM118 - columns, not a dict
    db.execute(insert(round_table).values(values))
    for invitee in sorted({institution_id, by.institution_id, *invited}):
        db.execute(insert(round_institution_table).values(round_id=opened.id, institution_id=invitee))
    _enter(db, chronicle, "RoundOpened", opened, by)
    return opened


def join(db: Connection, chronicle: Chronicle, round_id: str, *, by: Viewer) -> str:
    """Let *by* in and return the id of this participation; somebody already in keeps theirs."""
    joined = load(db, round_id, by.institution_id).after(RoundEvent.JOIN, chronicle.clock.now())
    # The row is locked by writing it, so that two newcomers cannot both take the last chair.
    db.execute(update(round_table).where(round_table.c.id == round_id).values(status=joined.status))
    here = (round_participant_table.c.round_id == round_id) & round_participant_table.c.left_at.is_(None)
    mine = round_participant_table.c.practitioner_id == by.practitioner_id
    present = db.execute(select(round_participant_table.c.id).where(here, mine)).scalar()
    if present is not None:
        return str(present)
    if db.execute(select(func.count()).select_from(round_participant_table).where(here)).scalar_one() >= MOST_PARTICIPANTS:
        raise Conflict(f"the round is full: {MOST_PARTICIPANTS} people are in it", code="round-full")
    participant = new_id()
    row = {"id": participant, "round_id": round_id, "practitioner_id": by.practitioner_id, "joined_at": chronicle.clock.now()}
    db.execute(insert(round_participant_table).values(row))
    _enter(db, chronicle, "RoundJoined", joined, by)
    return participant


def leave(db: Connection, chronicle: Chronicle, round_id: str, *, by: Viewer) -> None:
    """Mark *by* as gone; leaving twice is leaving once."""
    left = load(db, round_id, by.institution_id)
    mine = (
        (round_participant_table.c.round_id == round_id)
        & (round_participant_table.c.practitioner_id == by.practitioner_id)
        & round_participant_table.c.left_at.is_(None)
    )
    gone = db.execute(update(round_participant_table).where(mine).values(left_at=chronicle.clock.now()))
    if gone.rowcount:
        _enter(db, chronicle, "RoundLeft", left, by)


def close(db: Connection, chronicle: Chronicle, round_id: str, *, by: Viewer) -> Round:
    """End the round for everybody; only who opened it, or a coordinator of the same institution."""
    before = load(db, round_id, by.institution_id)

    if by.practitioner_id != before.opened_by and Role.COORDINATOR not in by.roles:
        raise Refused("only who opened the round, or a coordinator, ends it")
    now = chronicle.clock.now()
    closed = before.after(RoundEvent.CLOSE, now)
    still_open = (round_table.c.id == round_id) & (round_table.c.status == before.status)
    if db.execute(update(round_table).where(still_open).values(status=closed.status, closed_at=now)).rowcount != 1:
        raise Conflict("this round was just closed by somebody else", code="round-closed")
    here = (round_participant_table.c.round_id == round_id) & round_participant_table.c.left_at.is_(None)
    db.execute(update(round_participant_table).where(here).values(left_at=now))
    _enter(db, chronicle, "RoundClosed", closed, by)
    return closed


def _enter(db: Connection, chronicle: Chronicle, type_: str, what: Round, by: Viewer) -> None:
    invited = select(round_institution_table.c.institution_id).where(round_institution_table.c.round_id == what.id)
    data = {
        "round_id": what.id,
        "title": what.title,
        "study_instance_uid": what.study_instance_uid,
        "institution": what.institution_id,
        "invited": sorted(db.execute(invited).scalars()),
        "by": by.name,
    }
    chronicle.enter(db, type_, what.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Round")
