"""Who is whom: one person under two patient IDs, two people under one. Only people say so, and every word can be taken back.

A merge moves the studies of one patient to another in the index; the objects and the IDs in them stay. What is shown
follows from the merges that stand: taking one back, in whatever order, leaves what would be there had it never been made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, or_, select, tuple_, update

from dicom_node.archive import events
from dicom_node.archive.index import Patient, ids_begin, names_begin, patient_from
from dicom_node.archive.indexing import hold_index
from dicom_node.archive.tables import merge_table, patient_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound

LONGEST_REASON = 400
MOST_FOUND = 100
#: What two patients may contradict each other in; the last two make a merge doubtful.
_COMPARED = ("name", "issuer", "sex", "birth_date")
GRAVE = frozenset({"sex", "birth_date"})


@dataclass(frozen=True)
class Person:
    """A patient as shown, the other patients that were merged into them, and how many studies all have.

    *latest_study_date* is YYYYMMDD, or empty.
    """

    patient: Patient
    merged: tuple[Patient, ...]
    studies: int
    latest_study_date: str


@dataclass(frozen=True)
class Merge:
    """What a person said: *absorbed_key* is *survivor_key*; taken back when *undone_at* is not None."""

    id: str
    institution: str
    survivor_key: str
    absorbed_key: str
    reason: str
    merged_by: str
    merged_at: datetime
    undone_by: str | None
    undone_at: datetime | None


def merge(
    db: Connection,
    chronicle: Chronicle,
    *,
    survivor_key: str,
    absorbed_key: str,
    reason: str,
    despite_conflicts: bool,
    actor: str,
) -> str:
    """Show the studies of one patient as the other's from now on, and return the merge's id.

    Raises
    ------
    NotFound
        when one of them does not exist.
    Invalid
        for two institutions' patients, which are never merged, one and the same patient, or no reason.
    Conflict
        when one of them is part of another person already, or (code "demographics", unless *despite_conflicts*) when
        sex or birth date differ.
    """
    survivor, absorbed = (patient(db, key) for key in (survivor_key, absorbed_key))
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise Invalid(f"say in 1 to {LONGEST_REASON} characters why these are one person", code="reason")
    if survivor.institution != absorbed.institution:
        raise Invalid("patients of two institutions are never merged", code="institutions")
    if survivor_key == absorbed_key:
        raise Invalid("choose two patients: these are one and the same", code="same")
    hold_index(db, survivor.institution)
    survivor, absorbed = (patient(db, key) for key in (survivor_key, absorbed_key))
    if survivor.merged_into or absorbed.merged_into:
        raise Conflict("one of them was merged with somebody else already; look again", code="merged")
    differing = GRAVE.intersection(differences(survivor, absorbed))
    if differing and not despite_conflicts:
        raise Conflict(f"they differ in {' and '.join(sorted(differing))}: be sure, then merge despite it", code="demographics")
    made = {"id": new_id(), "institution": survivor.institution, "survivor_key": survivor_key, "absorbed_key": absorbed_key}
    at = chronicle.clock.now()
    db.execute(insert(merge_table).values(**made, reason=reason, merged_by=actor, merged_at=at))
    joined = (patient_table.c.id == absorbed_key) | (patient_table.c.merged_into == absorbed_key)
    db.execute(update(patient_table).where(joined).values(merged_into=survivor_key))
    named = func.coalesce(study_table.c.received_patient_key, study_table.c.patient_key)
    moved = update(study_table).where(study_table.c.patient_key == absorbed_key)
    db.execute(moved.values(received_patient_key=named, patient_key=survivor_key))
    told = {**made, "reason": reason, "despite": sorted(differing)}
    chronicle.enter(
        db, events.PATIENTS_MERGED, survivor_key, told, actor=actor, institution=survivor.institution, entity="Patient"
    )
    return made["id"]


def unmerge(db: Connection, chronicle: Chronicle, merge_id: str, *, actor: str) -> None:
    """Take a merge back: the absorbed patient, with whoever was merged into it before, is a person of its own again.

    Raises
    ------
    NotFound
        when there is no such merge.
    Conflict
        when it was taken back already.
    """
    hold_index(db, merge_by_id(db, merge_id).institution)
    undone = merge_by_id(db, merge_id)
    if undone.undone_at is not None:
        raise Conflict("this merge was taken back already", code="undone")
    mark = {"undone_by": actor, "undone_at": chronicle.clock.now()}
    db.execute(update(merge_table).where(merge_table.c.id == merge_id).values(**mark))
    freed = undone.absorbed_key
    root, theirs = patient(db, freed).merged_into, _merged_with(db, freed)
    patients, studies = patient_table.c, study_table.c
    shown_as = case((patients.id == freed, None), else_=freed)
    db.execute(update(patient_table).where(patients.id.in_(theirs)).values(merged_into=shown_as))
    named = case((studies.received_patient_key == freed, None), else_=studies.received_patient_key)
    moved = (studies.patient_key == root) & studies.received_patient_key.in_(theirs)
    db.execute(update(study_table).where(moved).values(patient_key=freed, received_patient_key=named))
    told = {"id": merge_id, "institution": undone.institution, "survivor_key": undone.survivor_key, "absorbed_key": freed}
    chronicle.enter(db, events.PATIENTS_UNMERGED, freed, told, actor=actor, institution=undone.institution, entity="Patient")


def tell_apart(db: Connection, chronicle: Chronicle, institution: str, patient_id: str, *, actor: str) -> None:
    """Record that a person looked: those who share *patient_id* now are different people. One more is doubtful again."""
    looked_at = (patient_table.c.institution == institution) & (patient_table.c.patient_id == patient_id)
    marked = db.execute(update(patient_table).where(looked_at).values(distinct_at=chronicle.clock.now()))
    if marked.rowcount < 2:
        raise NotFound("no two patients share this patient ID here", code="patient")
    told = {"institution": institution, "patient_id": patient_id, "patients": marked.rowcount}
    chronicle.enter(db, events.PATIENTS_TOLD_APART, patient_id, told, actor=actor, institution=institution, entity="Patient")


def patient(db: Connection, key: str) -> Patient:
    """Return one patient; NotFound when there is none."""
    row = db.execute(select(patient_table).where(patient_table.c.id == key)).mappings().first()
    if row is None:
        raise NotFound("there is no such patient", code="patient")
    return patient_from(row)


def merge_by_id(db: Connection, merge_id: str) -> Merge:
    """Return one merge; NotFound when there is none."""
    row = db.execute(select(merge_table).where(merge_table.c.id == merge_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such merge", code="merge")
    return Merge(**row)


def merges(db: Connection, where: ColumnElement[bool]) -> list[Merge]:
    """Return the newest merges of *where*, a condition over merge_table; those taken back are among them."""
    rows = select(merge_table).where(where).order_by(merge_table.c.merged_at.desc(), merge_table.c.id).limit(MOST_FOUND)
    return [Merge(**row) for row in db.execute(rows).mappings()]


def differences(one: Patient, other: Patient) -> tuple[str, ...]:
    """Return in what two patients contradict each other; what either leaves open contradicts nothing."""
    pairs = {field: (getattr(one, field), getattr(other, field)) for field in _COMPARED}
    pairs["name"] = (one.display_name.casefold(), other.display_name.casefold())
    return tuple(field for field, (ours, theirs) in pairs.items() if ours and theirs and ours != theirs)


def found(db: Connection, where: ColumnElement[bool], text: str) -> list[Person]:
    """Return the persons of *where* (over patient_table) whose name or patient ID begins with *text*, by name."""
    text = text.strip()
    if not text:
        return []
    fits = names_begin(text) | ids_begin(text)
    known = select(func.coalesce(patient_table.c.merged_into, patient_table.c.id)).where(where, fits).limit(MOST_FOUND)
    keys = set(db.scalars(known))
    return sorted(persons(db, keys).values(), key=lambda one: (one.patient.display_name, one.patient.patient_id, one.patient.id))


def doubtful(db: Connection, where: ColumnElement[bool]) -> list[list[Person]]:
    """Return, for each patient ID of *where* (over patient_table) that several persons share and nobody has looked at, them."""
    column = patient_table.c
    unseen = (column.variant > 0) & column.distinct_at.is_(None) & column.merged_into.is_(None) & (column.patient_id != "")
    shared = select(column.institution, column.patient_id).where(where, unseen).distinct().limit(MOST_FOUND)
    ids = [tuple(row) for row in db.execute(shared)]
    if not ids:
        return []
    rows = select(column.id).where(tuple_(column.institution, column.patient_id).in_(ids), column.merged_into.is_(None))
    groups: dict[tuple[str, str], list[Person]] = {}
    for person in persons(db, set(db.scalars(rows))).values():
        groups.setdefault((person.patient.institution, person.patient.patient_id), []).append(person)
    return [sorted(group, key=lambda one: one.patient.variant) for _, group in sorted(groups.items()) if len(group) > 1]


def persons(db: Connection, keys: set[str]) -> dict[str, Person]:
    """Return each of *keys* as a person; none of them merged into another."""
    column = patient_table.c
    rows = db.execute(select(patient_table).where(or_(column.id.in_(keys), column.merged_into.in_(keys)))).mappings()
    patients = [patient_from(row) for row in rows]
    of = study_table.c
    counts = (
        select(of.patient_key, func.count(), func.max(of.study_date)).where(of.patient_key.in_(keys)).group_by(of.patient_key)
    )
    counted: dict[str, Row[Any]] = {row[0]: row for row in db.execute(counts)}
    merged: dict[str, list[Patient]] = {}
    for one in patients:
        if one.merged_into:
            merged.setdefault(one.merged_into, []).append(one)
    return {
        one.id: Person(one, tuple(merged.get(one.id, ())), *(counted[one.id][1:] if one.id in counted else (0, "")))
        for one in patients
        if one.id in keys
    }


def _merged_with(db: Connection, key: str) -> Sequence[str]:
    """Return *key* and every patient that standing merges have brought to it."""
    theirs, new = [key], [key]
    while new:
        standing = merge_table.c.survivor_key.in_(new) & merge_table.c.undone_at.is_(None)
        new = list(db.scalars(select(merge_table.c.absorbed_key).where(standing)))
        theirs += new
    return theirs
