"""Which order an arrived study answers: a pure decision that would rather leave both in the tray than join the wrong two.

A link is made by itself only where one order and one study name each other without a contradiction and without a rival.
Everything else waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: How long before and after its hour an order's study may come, when only patient, machine and time tell.
EARLY, LATE = timedelta(hours=2), timedelta(hours=24)


class Ground(StrEnum):
    """What told that two belong together."""

    STUDY_UID = "study-uid"
    ACCESSION = "accession-number"
    PATIENT = "patient-and-time"
    PERSON = "person"  # somebody said so


@dataclass(frozen=True)
class Facts:
    """What is known of an order or a study; what is empty is unknown and contradicts nothing.

    *modalities* of an order is the one it asks for; *stations* are AE titles; *at* is when it was due, or made.
    """

    id: str
    study_instance_uid: str
    accession_number: str
    patient_id: str
    sex: str
    birth_date: str
    modalities: frozenset[str]
    stations: frozenset[str]
    at: datetime


def match(study: Facts, orders: Iterable[Facts], *, others: Sequence[Facts] = ()) -> tuple[str, Ground] | None:
    """Return the id of the order that *study* answers and what told it, None when a person has to say.

    *others* are studies that wait for an order too: where one of them fits the same order by the same ground, neither is
    linked.
    """
    waiting = list(orders)
    for ground, fits in _GROUNDS:
        found = [order for order in waiting if fits(study, order)]
        if not found:
            continue
        if len(found) > 1 or contradictions(study, found[0]):
            return None
        rivals = [other for other in others if other.id != study.id and fits(other, found[0])]
        return None if rivals else (found[0].id, ground)
    return None


def contradictions(study: Facts, order: Facts) -> tuple[str, ...]:
    """Return in what the two contradict each other: patient ID, sex, birth date, modality."""
    told = [(name, getattr(study, name), getattr(order, name)) for name in ("patient_id", "sex", "birth_date")]
    found = [name for name, mine, theirs in told if mine and theirs and mine != theirs]
    if study.modalities and order.modalities and not study.modalities & order.modalities:
        found.append("modality")
    return tuple(found)


def _by_uid(study: Facts, order: Facts) -> bool:
    return bool(order.study_instance_uid) and study.study_instance_uid == order.study_instance_uid


def _by_accession(study: Facts, order: Facts) -> bool:
    return bool(order.accession_number) and study.accession_number == order.accession_number


def _by_patient(study: Facts, order: Facts) -> bool:
    """Tell whether patient, kind of machine, machine and hour agree, and no accession number says otherwise."""
    same = bool(order.patient_id) and study.patient_id == order.patient_id and not contradictions(study, order)
    kind = bool(study.modalities & order.modalities)
    machine = not (study.stations and order.stations) or bool(study.stations & order.stations)
    numbered = bool(study.accession_number and order.accession_number)
    return same and kind and machine and not numbered and order.at - EARLY <= study.at <= order.at + LATE


#: The grounds, the surest first; the first that finds anything decides.
_GROUNDS = ((Ground.STUDY_UID, _by_uid), (Ground.ACCESSION, _by_accession), (Ground.PATIENT, _by_patient))
