"""The world that is assumed: sites, hospitals, readers with their rota, and the cases of some days."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np

from consult.practitioners.model import Agreement, Institution, Level, Practitioner, Qualification, Role
from consult.requests.model import HOUSE_ZONE, Lane, Priority
from consult.schedule.model import Duty, DutyKind
from consult.triage.model import READING

#: A Monday; every scenario begins at its midnight in the house's zone.
BEGINS = datetime(2026, 1, 5, tzinfo=HOUSE_ZONE)
SITES_OF_A_COUNTY = 20
COUNTIES_OF_A_CITY = 8
#: Cases of one site a day, and how unlike each other the sites are (sigma of the logarithm).
CASES_A_DAY = 15.0
SITES_DIFFER = 0.5
#: The day's course, as weights of its hours: two peaks, a quiet night.
HOURS = (1, 1, 1, 1, 1, 2, 3, 9, 22, 24, 20, 12, 8, 12, 18, 17, 12, 7, 5, 4, 3, 3, 2, 1)
#: How much faster or slower one reader is than another, and one reading than the next (sigma of the logarithm).
READERS_DIFFER, READINGS_DIFFER = 0.15, 0.3
#: A site's uplink in Mbit/s: the median, and sigma of the logarithm.
UPLINK_MBIT_S, UPLINKS_DIFFER = 20.0, 0.6
DELIVERY_S = 5.0


@dataclass(frozen=True)
class Sort:
    """A sort of case: its share of all, how it is asked for, what is sent, and how often its ECG is found critical."""

    share: float
    lane: Lane
    priority: Priority
    specialty: Role
    megabytes: float
    critical: float = 0.0


SORTS = (
    Sort(0.30, Lane.IMAGING, Priority.ROUTINE, Role.RADIOLOGIST, 12),  # DR
    Sort(0.22, Lane.IMAGING, Priority.ROUTINE, Role.RADIOLOGIST, 120),  # CT, compressed
    Sort(0.06, Lane.ULTRASOUND, Priority.ROUTINE, Role.RADIOLOGIST, 40),
    Sort(0.36, Lane.ECG, Priority.ROUTINE, Role.CARDIOLOGIST, 0.3, critical=0.03),
    Sort(0.02, Lane.STROKE, Priority.ASAP, Role.RADIOLOGIST, 60),
    Sort(0.015, Lane.TRAUMA, Priority.ASAP, Role.RADIOLOGIST, 60),
    Sort(0.02, Lane.CHEST_PAIN, Priority.ASAP, Role.CARDIOLOGIST, 0.3),
    Sort(0.005, Lane.MATERNAL, Priority.ASAP, Role.RADIOLOGIST, 40),
)


@dataclass(frozen=True)
class Case:
    """One study: when it was safe at its site (T0, seconds from the beginning), and what chance has decided about it.

    *reading* multiplies the median reading time of its lane, whoever reads.
    """

    number: int
    site: int
    t0_s: float
    lane: Lane
    priority: Priority
    specialty: Role
    transfer_s: float
    reading: float
    critical: bool


@dataclass(frozen=True)
class Reader:
    """A specialist, how long their readings take beside the median, and their rota."""

    practitioner: Practitioner
    pace: float
    duties: tuple[Duty, ...]

    def off_s(self, now_s: float) -> float:
        """Return how many seconds after *now_s* they are next on duty, 0 while they are."""
        now = BEGINS + timedelta(seconds=now_s)
        return min(
            (max((duty.starts_at - now).total_seconds(), 0) for duty in self.duties if duty.ends_at > now), default=math.inf
        )

    def takes_s(self, lane: Lane, reading: float = 1.0) -> float:
        """Return how long one case of *lane* takes them."""
        return READING[lane].total_seconds() * self.pace * reading


#: How many readers of a hospital are there by day (8 to 18) and by night, for each specialty.
Crew = Mapping[Role, tuple[int, int]]
CREWS: Mapping[Level, Crew] = {
    Level.COUNTY: {Role.RADIOLOGIST: (4, 1), Role.CARDIOLOGIST: (1, 1)},
    Level.CITY: {Role.RADIOLOGIST: (4, 2), Role.CARDIOLOGIST: (3, 1)},
    Level.PROVINCIAL: {Role.RADIOLOGIST: (6, 2), Role.CARDIOLOGIST: (4, 2)},
}
_DAY, _NIGHT = ((8, 18),), ((0, 8), (18, 24))


@dataclass(frozen=True)
class Scenario:
    """So many township sites for so many days; the same *seed* gives the same world and cases. *load* multiplies the cases."""

    sites: int = 200
    days: int = 1
    seed: int = 1
    load: float = 1.0

    @property
    def counties(self) -> int:
        """How many county hospitals the sites need."""
        return math.ceil(self.sites / SITES_OF_A_COUNTY)

    @cached_property
    def hospitals(self) -> tuple[Institution, ...]:
        """County hospitals, then city hospitals, then the provincial one for each four cities."""
        cities = math.ceil(self.counties / COUNTIES_OF_A_CITY)
        named = [
            *((f"county-{number}", Level.COUNTY) for number in range(self.counties)),
            *((f"city-{number}", Level.CITY) for number in range(cities)),
            *((f"province-{number}", Level.PROVINCIAL) for number in range(math.ceil(cities / 4))),
        ]
        return tuple(Institution(name, name, name, kind) for name, kind in named)

    def county_of(self, site: int) -> str:
        """Return the hospital that a site asks first."""
        return f"county-{site // SITES_OF_A_COUNTY}"

    def agreements_of(self, site: int) -> tuple[Agreement, ...]:
        """Return the agreements of one site: with its county, its city and its provincial hospital."""
        county = site // SITES_OF_A_COUNTY
        city = county // COUNTIES_OF_A_CITY
        asked = (f"county-{county}", f"city-{city}", f"province-{city // 4}")
        return tuple(Agreement(f"{site}-{one}", f"site-{site}", one, date(2025, 1, 1), None, ()) for one in asked)

    @cached_property
    def readers(self) -> tuple[Reader, ...]:
        """Everybody of every hospital."""
        chance = np.random.default_rng((self.seed, 1))
        return tuple(
            reader
            for place in self.hospitals
            for specialty, crew in CREWS[place.kind].items()
            for shift, count in zip((_DAY, _NIGHT), crew, strict=True)
            for reader in self._crew(place, specialty, shift, count, chance)
        )

    def _crew(
        self, place: Institution, specialty: Role, shift: tuple[tuple[int, int], ...], count: int, chance: np.random.Generator
    ) -> Iterator[Reader]:
        for number in range(count):
            name = f"{place.id}-{specialty}-{shift[0][0]}-{number}"
            known = Qualification("registered", date(2015, 1, 1))
            who = Practitioner(name, name, (specialty,), place, known)
            duties = tuple(
                Duty(
                    f"{name}-{day}-{begin}", place.id, name, specialty, None, DutyKind.DUTY,
                    BEGINS + timedelta(days=day, hours=begin), BEGINS + timedelta(days=day, hours=end),
                )
                for day in range(self.days + 2)
                for begin, end in shift
            )  # fmt: skip
            yield Reader(who, float(np.exp(chance.normal(0, READERS_DIFFER))), duties)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Every case, by its T0."""
        chance = np.random.default_rng((self.seed, 2))
        busy = np.exp(chance.normal(0, SITES_DIFFER, self.sites))
        uplinks = UPLINK_MBIT_S * np.exp(chance.normal(0, UPLINKS_DIFFER, self.sites))
        mean = CASES_A_DAY * self.load * busy / busy.mean()
        course = np.array(HOURS) / sum(HOURS)
        found: list[tuple[float, int]] = []
        for site in range(self.sites):
            for hour, count in enumerate(chance.poisson(np.tile(mean[site] * course, self.days))):
                found += [(3600 * (hour + chance.random()), site) for _ in range(count)]
        return tuple(self._case(number, site, t0_s, uplinks[site], chance) for number, (t0_s, site) in enumerate(sorted(found)))

    def _case(self, number: int, site: int, t0_s: float, uplink: float, chance: np.random.Generator) -> Case:
        sort = SORTS[chance.choice(len(SORTS), p=[each.share for each in SORTS])]
        return Case(
            number=number,
            site=site,
            t0_s=float(t0_s),
            lane=sort.lane,
            priority=sort.priority,
            specialty=sort.specialty,
            transfer_s=float(sort.megabytes * 8 / uplink),
            reading=float(np.exp(chance.normal(0, READINGS_DIFFER))),
            critical=bool(chance.random() < sort.critical),
        )
