"""What dispatch chooses from, as the database has it now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from statistics import median_low

from sqlalchemy import Connection, func, literal, select

from consult.consents.views import standing_of
from consult.practitioners.model import Person, Practitioner, Role
from consult.practitioners.tables import practitioner_table
from consult.practitioners.views import agreements_of, institutions_by_id, practitioners_of
from consult.queue.dispatch import READINESS, Candidate, Choice, Need, choose
from consult.queue.model import HELD, TaskStatus
from consult.queue.tables import task_table
from consult.requests.model import Lane
from consult.schedule.model import HOUR, Availability, Duty, availability
from consult.schedule.views import duties_between, keeping_rotas
from consult.triage.model import LONGEST_READING, READING
from consult.turnaround.tables import turnaround_table
from telemed.kernel.database import UtcDateTime

#: So many of a person's newest readings on a lane say how fast they are; below the fewest the lane's usual time counts.
NEWEST, FEWEST = 20, 3
#: Since when the readings of somebody count who has done no more than these.
_EVER = datetime.min.replace(tzinfo=UTC)

__all__ = ["assign", "coordinators", "readers_there"]


def assign(db: Connection, need: Need, *, within: str | None = None) -> Choice:
    """Choose for *need* from everybody its institution has an agreement with; *within* keeps to one hospital."""
    agreements = agreements_of(db, need.institution_id)
    if need.routed:
        allowed = standing_of(db, [held.id for held in agreements])
        agreements = [held for held in agreements if held.id in allowed]
    ids = {held.performer_id for held in agreements if within in (None, held.performer_id)}
    places = list(institutions_by_id(db, ids).values())
    return choose(need, hospitals=places, agreements=agreements, candidates=_candidates(db, need, ids))


def readers_there(db: Connection, hospital_id: str, specialty: Role, lane: Lane, at: datetime) -> int:
    """Count who of a hospital is there to read, on duty or called."""
    return sum(found in READINESS for _, found in _people(db, {hospital_id}, specialty, lane, at))


def _candidates(db: Connection, need: Need, hospitals: Collection[str]) -> list[Candidate]:
    people = _people(db, hospitals, need.specialty, need.lane, need.at)
    ids = [one.id for one, _ in people]
    loads, reading_s = _loads(db, ids), _reading_s(db, ids, need.lane)
    return [Candidate(one, found, loads.get(one.id, 0), reading_s[one.id]) for one, found in people]


def _people(
    db: Connection, hospitals: Collection[str], specialty: Role, lane: Lane, at: datetime
) -> list[tuple[Practitioner, Availability]]:
    """Return everybody of the hospitals with that specialty, and whether they are there."""
    duties: dict[str, list[Duty]] = {}
    for duty in duties_between(db, hospitals, at, at + HOUR):
        if duty.specialty is specialty:
            duties.setdefault(duty.practitioner_id, []).append(duty)
    planned = keeping_rotas(db, hospitals, specialty, at)
    return [
        (one, _there(one, availability(duties.get(one.id, []), at, lane), planned))
        for one in practitioners_of(db, *hospitals)
        if specialty in one.roles
    ]


def coordinators(db: Connection, hospital_id: str) -> list[Person]:
    """Return the hospital's coordinators."""
    return [Person(one.id, one.name) for one in practitioners_of(db, hospital_id) if Role.COORDINATOR in one.roles]


def _there(one: Practitioner, found: Availability, planned: Collection[str]) -> Availability:
    """Take whoever works where no rota is kept to be there."""
    return Availability.UNPLANNED if found is Availability.OFF and one.institution.id not in planned else found


def _loads(db: Connection, people: Collection[str]) -> dict[str, int]:
    """Count what each person holds, and what waits for them by name."""
    held = select(task_table.c.owner_id.label("person")).where(task_table.c.owner_id.in_(people), task_table.c.status.in_(HELD))
    waiting = select(task_table.c.assigned_id).where(
        task_table.c.assigned_id.in_(people), task_table.c.status == TaskStatus.REQUESTED
    )
    both = held.union_all(waiting).subquery()
    return {
        row.person: row.tasks for row in db.execute(select(both.c.person, func.count().label("tasks")).group_by(both.c.person))
    }


def _reading_s(db: Connection, people: Collection[str], lane: Lane) -> dict[str, int]:
    """Return how long a reading on the lane takes each person: the median of their newest, T3 to T4."""
    person, task, clock = practitioner_table.c.id, task_table.c, turnaround_table.c
    done = (task.owner_id == person) & (task.status == TaskStatus.COMPLETED) & (task.lane == lane)
    last = select(task.completed_at).where(done).order_by(task.completed_at.desc()).limit(1).offset(NEWEST - 1)
    since = func.coalesce(last.correlate(practitioner_table).scalar_subquery(), literal(_EVER, UtcDateTime))
    newest = (
        select(person.label("person"), clock.t3_at, clock.t4_at)
        .join_from(practitioner_table, task_table, done & (task.completed_at >= since))
        .join(turnaround_table, clock.task_id == task.id)
        .where(person.in_(people), clock.t3_at.is_not(None), clock.t4_at.is_not(None))
    )
    taken: dict[str, list[int]] = {one: [] for one in people}
    for row in db.execute(newest):
        taken[row.person].append(int((row.t4_at - row.t3_at).total_seconds()))
    return {one: _usual_s(of_theirs, lane) for one, of_theirs in taken.items()}


def _usual_s(taken: Sequence[int], lane: Lane) -> int:
    if len(taken) < FEWEST:
        return int(READING[lane].total_seconds())
    return min(max(1, median_low(taken)), int(LONGEST_READING.total_seconds()))
