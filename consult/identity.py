"""Who may say that two patients are one person, and what they are shown to decide it.

The coordinator does so for their own institution, the administrator for any: a township clinic has nobody of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, true

from consult.practitioners.model import Institution, Role, Viewer
from consult.practitioners.views import institutions_by_id, people_by_id
from dicom_node.archive import identity, splitting
from dicom_node.archive.identity import LONGEST_REASON, Person
from dicom_node.archive.index import Patient
from dicom_node.archive.splitting import MOST_STUDIES, Split
from dicom_node.archive.tables import merge_table, patient_table, split_table
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.errors import NotFound, Refused

__all__ = ["LONGEST_REASON", "MOST_STUDIES"]


@dataclass(frozen=True)
class Identity:
    """A patient as an institution's objects name them; *birth_date* is YYYYMMDD or empty."""

    id: str
    patient_id: str
    name: str
    sex: str
    birth_date: str
    issuer: str


@dataclass(frozen=True)
class KnownPerson:
    """A person: who they are shown as, the other identities merged into that one, and how many studies all have.

    *latest_study_date* is YYYYMMDD or empty.
    """

    identity: Identity
    institution: Institution
    merged: tuple[Identity, ...]
    studies: int
    latest_study_date: str


@dataclass(frozen=True)
class Doubt:
    """Several persons under one patient ID of one institution; *differences* says in what they contradict each other."""

    institution: Institution
    patient_id: str
    persons: tuple[KnownPerson, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class ToldMerge:
    """One merge and who made it; taken back when *undone_at* is set."""

    id: str
    institution: Institution
    survivor: Identity
    absorbed: Identity
    reason: str
    merged_by: str
    merged_at: datetime
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True)
class TheirStudy:
    """A study as one tells it from a patient's others; *study_date* is YYYYMMDD or empty."""

    study_instance_uid: str
    study_date: str
    description: str
    modalities: tuple[str, ...]
    accession_number: str


@dataclass(frozen=True)
class ToldSplit:
    """One split and who made it; taken back when *undone_at* is set.

    *studies* of *source* are *target*'s; without *target* another person's under the same patient ID.
    """

    id: str
    institution: Institution
    source: Identity
    target: Identity | None
    studies: int
    reason: str
    split_by: str
    split_at: datetime
    undone_by: str | None
    undone_at: datetime | None


def merge(
    db: Connection,
    chronicle: Chronicle,
    *,
    survivor: str,
    absorbed: str,
    reason: str,
    despite_conflicts: bool,
    by: Viewer,
) -> str:
    """Say that the patient *absorbed* is *survivor* (see `identity.merge`), and return the merge's id."""
    for key in (survivor, absorbed):
        _reconciles(by, identity.patient(db, key).institution)
    return identity.merge(
        db,
        chronicle,
        survivor_key=survivor,
        absorbed_key=absorbed,
        reason=reason,
        despite_conflicts=despite_conflicts,
        actor=by.practitioner_id,
    )


def unmerge(db: Connection, chronicle: Chronicle, merge_id: str, *, by: Viewer) -> None:
    """Take a merge back (see `identity.unmerge`)."""
    _reconciles(by, identity.merge_by_id(db, merge_id).institution)
    identity.unmerge(db, chronicle, merge_id, actor=by.practitioner_id)


def split(
    db: Connection,
    chronicle: Chronicle,
    *,
    patient: str,
    to: str | None,
    studies: Collection[str],
    reason: str,
    by: Viewer,
) -> str:
    """Say that *studies* of *patient* are *to*'s, or another person's of the same ID (see `splitting.split`); return its id."""
    for key in filter(None, (patient, to)):
        _reconciles(by, identity.patient(db, key).institution)
    return splitting.split(
        db,
        chronicle,
        from_key=patient,
        to_key=to,
        study_instance_uids=studies,
        reason=reason,
        actor=by.practitioner_id,
    )


def unsplit(db: Connection, chronicle: Chronicle, split_id: str, *, by: Viewer) -> None:
    """Take a split back (see `splitting.unsplit`)."""
    _reconciles(by, splitting.split_by_id(db, split_id).institution)
    splitting.unsplit(db, chronicle, split_id, actor=by.practitioner_id)


def studies_of(db: Connection, chronicle: Chronicle, patient: str, *, by: Viewer) -> list[TheirStudy]:
    """Return the studies that are shown with *patient*, newest first; audited."""
    _reconciles(by, identity.patient(db, patient).institution)
    record = AuditRecord(by.practitioner_id, "PatientQuery", "Query", "patients", by.institution_id, 0, {"patient": patient})
    chronicle.trail.append(db, record)
    return [
        TheirStudy(one.study_instance_uid, one.study_date, one.description, one.modalities, one.accession_number)
        for one in splitting.studies_shown_with(db, patient)
    ]


def splits(db: Connection, viewer: Viewer) -> list[ToldSplit]:
    """Return the newest splits, those taken back among them."""
    rows = splitting.splits(db, _theirs(viewer, split_table.c.institution))
    places = institutions_by_id(db, {one.institution for one in rows})
    names = {id_: person.name for id_, person in people_by_id(db, {key for one in rows for key in _who_split(one)}).items()}
    return [
        ToldSplit(
            one.id,
            places[one.institution],
            _identity(identity.patient(db, one.from_key)),
            None if one.made else _identity(identity.patient(db, one.to_key)),
            len(one.studies),
            one.reason,
            names.get(one.split_by, one.split_by),
            one.split_at,
            names.get(one.undone_by, one.undone_by) if one.undone_by else None,
            one.undone_at,
        )
        for one in rows
    ]


def tell_apart(db: Connection, chronicle: Chronicle, institution: str, patient_id: str, *, by: Viewer) -> None:
    """Say that those who share *patient_id* are different people (see `identity.tell_apart`)."""
    _reconciles(by, institution)
    identity.tell_apart(db, chronicle, institution, patient_id, actor=by.practitioner_id)


def found(db: Connection, chronicle: Chronicle, text: str, *, by: Viewer) -> list[KnownPerson]:
    """Return the persons whose name (in characters, pinyin or initials) or patient ID begins with *text*; audited."""
    detail = {"asked": text[:80]}
    chronicle.trail.append(db, AuditRecord(by.practitioner_id, "PatientQuery", "Query", "patients", by.institution_id, 0, detail))
    return _shown(db, identity.found(db, _theirs(by, patient_table.c.institution), text))


def doubtful(db: Connection, viewer: Viewer) -> list[Doubt]:
    """Return the patient IDs that several persons share and nobody has looked at yet."""
    groups = identity.doubtful(db, _theirs(viewer, patient_table.c.institution))
    shown = {one.identity.id: one for one in _shown(db, [person for group in groups for person in group])}
    doubts = []
    for group in groups:
        patients = [person.patient for person in group]
        told = tuple(shown[one.id] for one in patients)
        fields = {field: None for one in patients for other in patients for field in identity.differences(one, other)}
        doubts.append(Doubt(told[0].institution, patients[0].patient_id, told, tuple(fields)))
    return doubts


def merges(db: Connection, viewer: Viewer) -> list[ToldMerge]:
    """Return the newest merges, those taken back among them."""
    rows = identity.merges(db, _theirs(viewer, merge_table.c.institution))
    places = institutions_by_id(db, {one.institution for one in rows})
    names = {id_: person.name for id_, person in people_by_id(db, {key for one in rows for key in _actors(one)}).items()}
    return [
        ToldMerge(
            one.id,
            places[one.institution],
            _identity(identity.patient(db, one.survivor_key)),
            _identity(identity.patient(db, one.absorbed_key)),
            one.reason,
            names.get(one.merged_by, one.merged_by),
            one.merged_at,
            names.get(one.undone_by, one.undone_by) if one.undone_by else None,
            one.undone_at,
        )
        for one in rows
    ]


def _actors(one: identity.Merge) -> Collection[str]:
    return [actor for actor in (one.merged_by, one.undone_by) if actor]


def _who_split(one: Split) -> Collection[str]:
    return [actor for actor in (one.split_by, one.undone_by) if actor]


def _reconciles(by: Viewer, institution: str) -> None:
    """Return when *by* may reconcile the patients of *institution*; what is elsewhere looks as if it were not there."""
    if Role.ADMIN in by.roles:
        return
    if Role.COORDINATOR not in by.roles:
        raise Refused("only a coordinator or an administrator may say who is whom", code="role")
    if by.institution_id != institution:
        raise NotFound("there is no such patient", code="patient")


def _theirs(viewer: Viewer, column: ColumnElement[str]) -> ColumnElement[bool]:
    if Role.ADMIN in viewer.roles:
        return true()
    _reconciles(viewer, viewer.institution_id)
    return column == viewer.institution_id


def _shown(db: Connection, persons: Collection[Person]) -> list[KnownPerson]:
    places = institutions_by_id(db, {one.patient.institution for one in persons})
    return [
        KnownPerson(
            _identity(one.patient),
            places[one.patient.institution],
            tuple(map(_identity, one.merged)),
            one.studies,
            one.latest_study_date,
        )
        for one in persons
    ]


def _identity(patient: Patient) -> Identity:
    issuer = patient.issuer or patient.issuer_entity
    return Identity(patient.id, patient.patient_id, patient.display_name, patient.sex, patient.birth_date, issuer)
