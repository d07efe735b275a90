"""What institutions and people are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Role(StrEnum):
    """What a practitioner may act as; one person may hold several."""

    CLINIC = "clinic"
    RADIOLOGIST = "radiologist"
    CARDIOLOGIST = "cardiologist"
    COORDINATOR = "coordinator"
    REGULATOR = "regulator"
    ADMIN = "admin"


class Expertise(StrEnum):
    """What a specialist knows best, and a request may wish for."""

    NEURO = "neuro"
    CHEST = "chest"
    CARDIOVASCULAR = "cardiovascular"
    ABDOMEN = "abdomen"
    MUSCULOSKELETAL = "musculoskeletal"
    BREAST = "breast"
    OBSTETRIC = "obstetric"
    PAEDIATRIC = "paediatric"
    EMERGENCY = "emergency"


class Level(StrEnum):
    """The tier of an institution: 乡镇, 县, 市, 省, and partners beyond; in the order in which a question overflows."""

    TOWNSHIP = "township"
    COUNTY = "county"
    CITY = "city"
    PROVINCIAL = "provincial"
    PARTNER = "partner"

    @property
    def tier(self) -> int:
        """0 for the nearest."""
        return tuple(Level).index(self)


@dataclass(frozen=True)
class Viewer:
    """Who is looking or acting; handed to every action and view."""

    practitioner_id: str
    name: str
    roles: frozenset[Role]
    institution_id: str


#: The server itself, when it acts on a standing order or for the administrator at the console.
SYSTEM = Viewer("system", "system", frozenset({Role.ADMIN}), "")


@dataclass(frozen=True)
class Person:
    """A practitioner as others are shown them."""

    id: str
    name: str


@dataclass(frozen=True)
class Institution:
    """One institution as it is shown; *name* is the Chinese one, *kind* a Level."""

    id: str
    name: str
    name_en: str
    kind: Level


#: How long somebody must have practised before strangers' patients are theirs to judge (2018 telemedicine rules).
YEARS_NEEDED = 3


@dataclass(frozen=True)
class Qualification:
    """What an administrator has seen of a person: the number of their registration, and since when they practise.

    Who is *in_training* (规培、住院医师) writes reports that are preliminary until a supervising doctor has signed them.
    """

    registration: str = ""
    practising_since: date | None = None
    expertise: tuple[Expertise, ...] = ()
    in_training: bool = False

    def years_on(self, day: date) -> int | None:
        """Return the whole years of practice on *day*; None when nobody recorded since when."""
        since = self.practising_since
        if since is None:
            return None
        return day.year - since.year - ((day.month, day.day) < (since.month, since.day))


@dataclass(frozen=True)
class Practitioner:
    """One person with their roles, sorted."""

    id: str
    name: str
    roles: tuple[Role, ...]
    institution: Institution
    qualification: Qualification


@dataclass(frozen=True)
class Agreement:
    """A cooperation agreement: *institution_id* may ask *performer_id* from *valid_from* to *valid_until*, both included.

    No *valid_until* is an agreement without an end; no *services* covers every specialty. *liability* says in its own words
    who answers for what, *price* what a case costs.
    """

    id: str
    institution_id: str
    performer_id: str
    valid_from: date
    valid_until: date | None
    services: tuple[Role, ...]
    liability: str = ""
    price: str = ""

    def covers(self, on: date, service: Role | None = None) -> bool:
        """Tell whether the agreement holds on that day, and for *service* when one is named."""
        begun = self.valid_from <= on
        unended = self.valid_until is None or on <= self.valid_until
        return begun and unended and (service is None or not self.services or service in self.services)


@dataclass(frozen=True)
class Binding:
    """An AE title that is an institution's when it calls from one of *networks* (CIDR); no networks: from anywhere.

    Where *certificate_sha256* is not empty, only over TLS and with that certificate.
    """

    id: str
    ae_title: str
    networks: tuple[str, ...]
    institution_id: str
    certificate_sha256: str
