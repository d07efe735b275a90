"""Who is to answer: a pure choice over frozen inputs, with one sentence about every candidate.

The law comes first: without a cooperation agreement that is valid on the day nothing is assigned, and nobody without a
recorded registration and three years of practice is chosen. What remains is decided by who is there, how far away they
are, what was wished for, and how soon they would come to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consult.practitioners.model import YEARS_NEEDED, Agreement, Expertise, Institution, Person, Practitioner, Role
from consult.requests.model import HOUSE_ZONE, Lane
from consult.schedule.model import Availability
from ecg.analysis import Text

#: A task keeps no more verdicts than these; a province has more doctors than anybody reads about.
MOST_VERDICTS = 40

#: Who is asked first of those who are there.
READINESS = {Availability.DUTY: 0, Availability.UNPLANNED: 0, Availability.STANDBY: 1}


@dataclass(frozen=True)
class Need:
    """What has to be answered, until *due_at* where a deadline is set.

    *tried* are hospitals that had their chance, *beside* people not to be chosen again.
    What is *routed* by itself goes only where a standing consent lets it.
    """

    institution_id: str
    specialty: Role
    lane: Lane
    at: datetime
    wanted: Expertise | None = None
    tried: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    due_at: datetime | None = None
    routed: bool = False

    def is_late(self, one: Candidate) -> bool:
        """Tell whether *one* would be done after the deadline."""
        return self.due_at is not None and self.at + timedelta(seconds=one.wait_s) > self.due_at


@dataclass(frozen=True)
class Candidate:
    """Somebody who might answer; *load* counts what they hold or were assigned, *reading_s* is how long one takes them."""

    practitioner: Practitioner
    availability: Availability
    load: int
    reading_s: int

    @property
    def wait_s(self) -> int:
        """When they would be done with one more."""
        return (self.load + 1) * self.reading_s


@dataclass(frozen=True)
class Verdict:
    """Why somebody was chosen or not; without a person it is about the hospital."""

    code: str
    text: Text
    institution: str
    person: Person | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Verdict:
        """Read back what was stored as JSON."""
        person = stored["person"]
        return cls(stored["code"], Text(**stored["text"]), stored["institution"], None if person is None else Person(**person))


@dataclass(frozen=True)
class Choice:
    """Where a question goes, to whom, how long reading takes them, and what was thought of everybody.

    No *performer_id*: nobody may be asked; no *person*: it waits for whoever comes.
    """

    performer_id: str | None
    person: Person | None = None
    reading_s: int | None = None
    verdicts: tuple[Verdict, ...] = field(default=())


def choose(
    need: Need, *, hospitals: Sequence[Institution], agreements: Sequence[Agreement], candidates: Sequence[Candidate]
) -> Choice:
    """Return who is to answer *need*; the same inputs, in whatever order, give the same choice.

    The nearest hospital is asked that has somebody qualified there who would be done in time: clinic, county, city, province,
    partner; of two equally near the one whose agreement is older. In it duty comes before standby, a wished expertise before
    none, then who would be done soonest. Where nobody would be done in time, it is whoever is done soonest. Where nobody
    qualified is there in any hospital, the question waits in the queue of the nearest.
    """
    day = need.at.astimezone(HOUSE_ZONE).date()
    since = {
        held.performer_id: (held.valid_from, held.id)
        for held in sorted(agreements, key=lambda each: (each.valid_from, each.id), reverse=True)
        if held.institution_id == need.institution_id and held.covers(day, need.specialty)
    }
    allowed = [place for place in hospitals if place.id in since and place.id not in need.tried]
    allowed.sort(key=lambda place: (place.kind.tier, since[place.id]))
    objections = {one.practitioner.id: _objection(need, one, since.keys()) for one in candidates}
    able = [one for one in candidates if not objections[one.practitioner.id]]
    if able:
        near = {place.id: number for number, place in enumerate(allowed)}
        ranks = {one.practitioner.id: _rank(need, one, near[one.practitioner.institution.id]) for one in able}
        chosen = min(able, key=lambda one: ranks[one.practitioner.id])
        against = objections | {id_: _behind(rank, ranks[chosen.practitioner.id]) for id_, rank in ranks.items()}
        return Choice(chosen.practitioner.institution.id, _person(chosen), chosen.reading_s, _verdicts(candidates, against))
    verdicts = _verdicts(candidates, objections)
    if not allowed:
        return Choice(None, verdicts=verdicts)
    nearest = allowed[0]
    return Choice(nearest.id, verdicts=(_verdict("nobody", nearest, None), *verdicts)[:MOST_VERDICTS])


#: Too late or not, for how long if so, how far; standby or not, without the wish or not, until done, in hand; and the person.
_Rank = tuple[bool, int, int, int, bool, int, int, str]
#: What is said of somebody who is behind the chosen one by the place of their rank at which they differ.
_BEHIND = ("too-late", "later", "farther", "standby", "other-expertise", "later", "busier", "equal")


#: Where each stands in the list of verdicts; whoever has something against them comes last.
_PLACES = {"chosen": 0, **dict.fromkeys(_BEHIND, 1)}


def _rank(need: Need, one: Candidate, distance: int) -> _Rank:
    late = need.is_late(one)
    lacks = need.wanted is not None and need.wanted not in one.practitioner.qualification.expertise
    who = one.practitioner.id
    return (late, one.wait_s if late else 0, distance, READINESS[one.availability], lacks, one.wait_s, one.load, who)


def _behind(mine: _Rank, best: _Rank) -> str:
    """Return why somebody who could have been chosen was not; "chosen" of the one who was."""
    return next((code for code, own, other in zip(_BEHIND, mine, best, strict=True) if own != other), "chosen")


def _objection(need: Need, one: Candidate, agreed: Collection[str]) -> str:
    """Return the code of what stands against a candidate, "" when nothing does."""
    person, years = one.practitioner, one.practitioner.qualification.years_on(need.at.astimezone(HOUSE_ZONE).date())
    against = (
        ("no-agreement", person.institution.id not in agreed),
        ("hospital-tried", person.institution.id in need.tried),
        ("specialty", need.specialty not in person.roles),
        ("unregistered", not person.qualification.registration),
        ("years-unknown", years is None),
        ("too-junior", years is not None and years < YEARS_NEEDED),
        ("in-training", person.qualification.in_training),
        ("person-tried", person.id in need.beside),
        ("away", one.availability is Availability.AWAY),
        ("off-duty", one.availability is Availability.OFF),
    )
    return next((code for code, holds in against if holds), "")


def _verdicts(candidates: Sequence[Candidate], said: Mapping[str, str]) -> tuple[Verdict, ...]:
    """Say what was thought of everybody, the chosen one first, then those who could have been."""
    order = sorted(candidates, key=lambda one: (_PLACES.get(said[one.practitioner.id], len(_PLACES)), one.practitioner.id))
    return tuple(_verdict(said[one.practitioner.id], one.practitioner.institution, one) for one in order[:MOST_VERDICTS])


def _person(one: Candidate) -> Person:
    return Person(one.practitioner.id, one.practitioner.name)


#: What is said for each code; {minutes} until done, {load} in hand, {each} minutes a reading, {years} needed.
SENTENCES: Mapping[str, tuple[str, str]] = {
    "chosen": (
        "{there}，手上 {load} 例、平均每例 {each} 分钟：预计 {minutes} 分钟内完成",
        "{there_en}, {load} in hand at {each} min each: done within {minutes} min",
    ),
    "nobody": ("没有合格人员在岗：在该院队列等待", "nobody qualified is there: it waits in the hospital's queue"),
    "no-agreement": ("当日没有有效的合作协议", "no cooperation agreement is valid that day"),
    "hospital-tried": ("该院已退回或未及时接诊", "the hospital has declined or let it pass"),
    "specialty": ("不是所需专业", "not of the specialty"),
    "unregistered": ("未登记执业证书", "no registration is recorded"),
    "years-unknown": ("未登记执业年限", "the years of practice are not recorded"),
    "too-junior": ("执业不足 {years} 年", "has practised for less than {years} years"),
    "in-training": ("规培或住院医师，不能独立签发", "is in training and signs nothing alone"),
    "person-tried": ("已经分派过或正在处理", "was asked before, or holds it"),
    "away": ("休假", "is on holiday"),
    "off-duty": ("此刻不值班", "is not on duty now"),
    "too-late": ("预计 {minutes} 分钟才能完成，赶不上时限", "would be done in {minutes} min: after the deadline"),
    "farther": ("有更近的医院可接诊", "a nearer hospital can answer"),
    "standby": ("备班，值班人员优先", "is on standby: duty comes first"),
    "other-expertise": ("不是申请的专长", "has not the expertise that was wished for"),
    "later": ("预计 {minutes} 分钟才能完成", "would be done in {minutes} min only"),
    "busier": ("手上任务更多（{load} 例）", "has more in hand ({load})"),
    "equal": ("条件相同，按编号取先", "equal in everything: the first by number was taken"),
}
_THERE = {
    Availability.DUTY: ("值班中", "on duty"),
    Availability.STANDBY: ("备班中", "on standby"),
    Availability.UNPLANNED: ("该院未建值班表，视为在岗", "the hospital keeps no rota: taken to be there"),
}


def _verdict(code: str, place: Institution, one: Candidate | None) -> Verdict:
    there, there_en = _THERE.get(one.availability, ("", "")) if one else ("", "")
    words: dict[str, object] = {"years": YEARS_NEEDED, "there": there, "there_en": there_en}
    if one is not None:
        words |= {"load": one.load, "each": round(one.reading_s / 60, 1), "minutes": -(-one.wait_s // 60)}
    zh, en = SENTENCES[code]
    return Verdict(code, Text(zh.format(**words), en.format(**words)), place.name, None if one is None else _person(one))
