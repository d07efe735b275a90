"""One scenario under one policy, event by event (SimPy)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from consult.practitioners.model import Role
from consult.queue.dispatch import Candidate, Choice, Need, choose
from consult.queue.sla import LADDER, Rung
from consult.schedule.model import availability
from telemed.simulation.policies import Asked, Policy, asked, at
from telemed.simulation.scenario import DELIVERY_S, Reader, Scenario

#: A free reader without news looks this often whether the shift is over.
_LOOK_S = 900.0
_MOVED_AT = next(share for share, rung in LADDER if rung is Rung.NEXT_HOSPITAL)


@dataclass(frozen=True)
class Answer:
    """What became of a case: T3 and T5 in seconds from the beginning, who read it, and how often it was moved."""

    asked: Asked
    claimed_s: float
    delivered_s: float
    hospital: str
    moved: int

    @property
    def took_s(self) -> float:
        """T5 - T0."""
        return self.delivered_s - self.asked.case.t0_s

    @property
    def waited_s(self) -> float:
        """T3 - T0."""
        return self.claimed_s - self.asked.case.t0_s

    @property
    def is_in_time(self) -> bool:
        """Tell whether it kept its lane's target."""
        return self.took_s <= self.asked.budget.total_seconds()


@dataclass
class _Waiting:
    asked: Asked
    hospital: str
    person: str | None
    tried: frozenset[str] = frozenset()
    moved: int = 0
    claimed: bool = False


@dataclass
class _Queue:
    """The waiting cases of one hospital and specialty; a case that was moved is stepped over."""

    news: simpy.Event
    heap: list[tuple[tuple[float, ...], int, _Waiting]] = field(default_factory=list)

    def first(self, hospital: str) -> _Waiting | None:
        while self.heap:
            waiting = heapq.heappop(self.heap)[2]
            if waiting.hospital == hospital and not waiting.claimed:
                return waiting
        return None


class House:
    """A scenario that is played under a policy; `answers` fills while it runs."""

    def __init__(self, scenario: Scenario, policy: Policy, tell: Callable[[int, int], None] | None = None) -> None:
        self.scenario, self.policy = scenario, policy
        self.answers: list[Answer] = []
        self.worked_s: Counter[str] = Counter()
        self._tell = tell
        self._clock = simpy.Environment()
        self._load: Counter[str] = Counter()
        self._readers = {reader.practitioner.id: reader for reader in scenario.readers}
        self._queues = {
            (reader.practitioner.institution.id, reader.practitioner.roles[0]): _Queue(self._clock.event())
            for reader in scenario.readers
        }
        self._crews: dict[Role, dict[str, list[Reader]]] = {}
        for reader in scenario.readers:
            who = reader.practitioner
            self._crews.setdefault(who.roles[0], {}).setdefault(who.institution.id, []).append(reader)

    def play(self) -> list[Answer]:
        """Run until every case is answered, and return the answers in the order they were given."""
        self._clock.process(self._arrivals())
        for reader in self._readers.values():
            self._clock.process(self._reading(reader))
        while len(self.answers) < len(self.scenario.cases):
            self._clock.step()
        return self.answers

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        for case in self.scenario.cases:
            yield self._clock.timeout(case.t0_s - self._clock.now)
            self._clock.process(self._consultation(asked(case)))

    def _consultation(self, one: Asked) -> Generator[simpy.Event, Any, None]:
        yield self._clock.timeout(one.case.transfer_s)
        hospital, person = self.scenario.county_of(one.case.site), None
        if self.policy.dispatches:
            choice = self._choose(one, frozenset())
            hospital, person = choice.performer_id or hospital, choice.person.id if choice.person else None
        waiting = _Waiting(one, hospital, person)
        self._line_up(waiting)
        if self.policy.dispatches:
            climbs_s = one.case.t0_s + _MOVED_AT * one.budget.total_seconds()
            yield self._clock.timeout(max(climbs_s - self._clock.now, 0))
            self._move(waiting)

    def _line_up(self, waiting: _Waiting) -> None:
        if waiting.person is not None:
            self._load[waiting.person] += 1
        queue = self._queues[waiting.hospital, waiting.asked.case.specialty]
        heapq.heappush(queue.heap, (self.policy.key(waiting.asked), waiting.asked.case.number, waiting))
        queue.news.succeed()
        queue.news = self._clock.event()

    def _move(self, waiting: _Waiting) -> None:
        """Climb the rung that takes an unclaimed case to the next hospital."""
        if waiting.claimed:
            return
        choice = self._choose(waiting.asked, waiting.tried | {waiting.hospital})
        if choice.person is None or choice.performer_id is None:
            return
        if waiting.person is not None:
            self._load[waiting.person] -= 1
        waiting.tried |= {waiting.hospital}
        waiting.hospital, waiting.person, waiting.moved = choice.performer_id, choice.person.id, waiting.moved + 1
        self._line_up(waiting)

    def _choose(self, one: Asked, tried: frozenset[str]) -> Choice:
        now, case = at(self._clock.now), one.case
        agreements = self.scenario.agreements_of(case.site)
        within = {agreement.performer_id for agreement in agreements}
        candidates = [
            Candidate(
                reader.practitioner,
                availability(reader.duties, now, one.urgency.lane),
                self._load[reader.practitioner.id],
                round(reader.takes_s(one.urgency.lane)),
            )
            for hospital in within
            for reader in self._crews[case.specialty].get(hospital, ())
        ]
        need = Need(f"site-{case.site}", case.specialty, one.urgency.lane, now, tried=tried, due_at=one.due_at)
        hospitals = [place for place in self.scenario.hospitals if place.id in within]
        return choose(need, hospitals=hospitals, agreements=agreements, candidates=candidates)

    def _reading(self, reader: Reader) -> Generator[simpy.Event, Any, None]:
        who = reader.practitioner
        queue = self._queues[who.institution.id, who.roles[0]]
        while True:
            off_s = reader.off_s(self._clock.now)
            if off_s:
                yield self._clock.timeout(off_s)
            waiting = queue.first(who.institution.id)
            if waiting is None:
                yield queue.news | self._clock.timeout(_LOOK_S)
                continue
            yield from self._read(reader, waiting)

    def _read(self, reader: Reader, waiting: _Waiting) -> Generator[simpy.Event, Any, None]:
        waiting.claimed = True
        if waiting.person is not None:
            self._load[waiting.person] -= 1
        name, one = reader.practitioner.id, waiting.asked
        self._load[name] += 1
        claimed_s, takes_s = self._clock.now, reader.takes_s(one.urgency.lane, one.case.reading)
        yield self._clock.timeout(takes_s)
        self._load[name] -= 1
        self.worked_s[name] += int(takes_s)
        self.answers.append(Answer(one, claimed_s, self._clock.now + DELIVERY_S, waiting.hospital, waiting.moved))
        if self._tell is not None:
            self._tell(len(self.answers), len(self.scenario.cases))
