"""Writing objects into the index: Patient, Study, Series, Instance, in the caller's transaction.

One batch at a time per institution passes here until its transaction ends: eight associations that bring one study then
count it right, without a retry. The bytes are already safe by then, so nobody waits for a disk in the queue.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from dicom_node.archive.charset import ILLEGIBLE_MARK, PersonName
from dicom_node.archive.header import Header
from dicom_node.archive.matching import folded
from dicom_node.archive.naming import words_of
from dicom_node.archive.tables import (
    WRITTEN_HERE,
    conflict_table,
    instance_table,
    patient_table,
    series_table,
    study_table,
    word_table,
)
from telemed.kernel.database import new_id, serialise

_INDEX_LOCK = 0x7E1E1000 << 32


@dataclass(frozen=True)
class Received:
    """One object on its way into the index: its header, where its bytes lie, and whence it came.

    *digest* is the sha256 of the file that is kept. *data_digest* is that of the same data set behind our own preface: equal
    for the same object, whatever preface it came with.
    """

    institution: str
    header: Header
    transfer_syntax_uid: str
    digest: str
    data_digest: str
    size: int
    source: str
    at: datetime


@dataclass(frozen=True)
class Entered:
    """What the index made of it. *digest* is the kept file's: for a re-send the first one's, not the received one's."""

    digest: str
    study_instance_uid: str
    new: bool
    conflicting: bool
    first_of_study: bool = False
    reopens_study: bool = False
    instance_count: int = 0


@dataclass(frozen=True)
class _Kept:
    """What is known of an instance that is kept already."""

    id: str
    series_id: str
    digest: str
    data_digest: str


def known(db: Connection, institution: str, header: Header, data_digest: str) -> Entered | None:
    """Return what became of these very bytes when they came before; None when they never did."""
    kept = _kept(db, institution, [header.sop_instance_uid]).get(header.sop_instance_uid)
    return None if kept is None else _again(db, kept, header, data_digest)


def kept_digests(db: Connection, objects: Sequence[Received]) -> list[str | None]:
    """Return for each object the digest of the file that keeps these very bytes; None when they never came before."""
    found = {
        institution: _kept(db, institution, {one.header.sop_instance_uid for one in objects if one.institution == institution})
        for institution in {one.institution for one in objects}
    }
    digests: list[str | None] = []
    for one in objects:
        kept = found[one.institution].get(one.header.sop_instance_uid)
        again = None if kept is None else _again(db, kept, one.header, one.data_digest)
        digests.append(None if again is None else again.digest)
    return digests


def present(db: Connection, objects: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of *objects*, each an institution and a SOP Instance UID, that have a row."""
    uids: dict[str, list[str]] = {}
    for institution, sop_instance_uid in objects:
        uids.setdefault(institution, []).append(sop_instance_uid)
    uid = instance_table.c.sop_instance_uid
    return {
        (institution, found)
        for institution, some in uids.items()
        for found in db.execute(select(uid).where(instance_table.c.institution == institution, uid.in_(some))).scalars()
    }


def _kept(db: Connection, institution: str, sop_instance_uids: Iterable[str]) -> dict[str, _Kept]:
    columns = instance_table.c
    query = select(columns.sop_instance_uid, columns.id, columns.series_id, columns.digest, columns.data_digest).where(
        columns.institution == institution, columns.sop_instance_uid.in_(list(sop_instance_uids))
    )
    return {uid: _Kept(*rest) for uid, *rest in db.execute(query)}


def _again(db: Connection, kept: _Kept, header: Header, data_digest: str) -> Entered | None:
    if kept.data_digest == data_digest:
        return Entered(kept.digest, header.study_instance_uid, new=False, conflicting=False)
    beside = (conflict_table.c.instance_id == kept.id) & (conflict_table.c.data_digest == data_digest)
    digest = db.execute(select(conflict_table.c.digest).where(beside)).scalar()
    return None if digest is None else Entered(digest, header.study_instance_uid, new=False, conflicting=True)


def is_referenced(db: Connection, digest: str) -> bool:
    """Tell whether any row needs the blob *digest*."""
    return any(
        db.execute(select(table.c.id).where(table.c.digest == digest).limit(1)).first() is not None
        for table in (instance_table, conflict_table)
    )


def enter(db: Connection, objects: Sequence[Received]) -> list[Entered]:
    """Write what is new of *objects*, in their order; their blobs must be durable already, or in the ingest journal."""
    entered: dict[int, Entered] = {}
    for institution in sorted(
        {received.institution for received in objects}
    ):  # in one order: two batches never wait for each other
        hold_index(db, institution)
        mine = [(number, received) for number, received in enumerate(objects) if received.institution == institution]
        batch = _Batch(db, _kept(db, institution, {received.header.sop_instance_uid for _, received in mine}))
        entered.update((number, batch.enter(received)) for number, received in mine)
        batch.write()
    return [entered[number] for number in range(len(objects))]


def hold_index(db: Connection, institution: str) -> None:
    """Let nobody else write *institution*'s index until the transaction ends."""
    serialise(db, _INDEX_LOCK | zlib.crc32(institution.encode()))


class _Batch:
    """Objects of one institution: each study and series is looked up once and updated once, instances go in together."""

    def __init__(self, db: Connection, kept: dict[str, _Kept]) -> None:
        self._db = db
        self._kept = kept
        self._studies: dict[str, dict[str, Any]] = {}
        self._series: dict[tuple[str, str], tuple[str, int]] = {}
        self._instances: list[dict[str, Any]] = []

    def enter(self, received: Received) -> Entered:
        header = received.header
        kept = self._kept.get(header.sop_instance_uid)
        if kept is not None:
            before = _again(self._db, kept, header, received.data_digest)
            if before is not None:
                return before
            self.write()  # the first of the two may be of this very batch
            return _enter_beside(self._db, received, kept.id, kept.series_id)
        uid = header.study_instance_uid
        first_of_study = False
        if uid not in self._studies:
            study, first_of_study = _study(self._db, received)
            self._studies[uid] = dict(study)
        study = self._studies[uid]
        series_id = self._series_of(received, study)
        row = _row_of(received, series_id, mismatch=_contradicts(study, header))
        self._instances.append(row)
        self._kept[header.sop_instance_uid] = _Kept(row["id"], series_id, received.digest, received.data_digest)
        study["instance_count"] += 1
        study["modalities"] = sorted({*study["modalities"], header.modality})
        study["grown"] = True
        reopens_study = False
        if received.source == WRITTEN_HERE:  # what is written about an examination is no more of it
            study["written_count"] += 1
        else:
            study["last_received_at"] = max(study["last_received_at"], received.at)
            reopens_study, study["settled_at"] = study["settled_at"] is not None, None
            study["examined"] = True
        return Entered(
            received.digest,
            uid,
            new=True,
            conflicting=False,
            first_of_study=first_of_study,
            reopens_study=reopens_study,
            instance_count=study["instance_count"],
        )

    def _series_of(self, received: Received, study: dict[str, Any]) -> str:
        key = study["id"], received.header.series_instance_uid
        if key not in self._series:
            series_id, first_of_series = _series(self._db, received, study["id"])
            study["series_count"] += first_of_series
            self._series[key] = series_id, 0
        series_id, grown = self._series[key]
        self._series[key] = series_id, grown + 1
        return series_id

    def write(self) -> None:
        """Write the instances entered since the last time, and the counts above them."""
        if not self._instances:
            return
        self._db.execute(insert(instance_table), self._instances)
        self._instances = []
        for key, (series_id, grown) in self._series.items():
            if grown:
                counted = series_table.c.instance_count + grown
                self._db.execute(update(series_table).where(series_table.c.id == series_id).values(instance_count=counted))
                self._series[key] = series_id, 0
        for study in self._studies.values():
            if study.pop("grown", False):
                changed = ("instance_count", "written_count", "series_count", "modalities", "last_received_at")
                values = {name: study[name] for name in changed}
                if study.pop("examined", False):
                    values |= {"settled_at": None, "look_at": None}
                self._db.execute(update(study_table).where(study_table.c.id == study["id"]).values(values))


def _row_of(received: Received, series_id: str, *, mismatch: bool) -> dict[str, Any]:
    header = received.header
    return {
        "id": new_id(),
        "institution": received.institution,
        "series_id": series_id,
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": received.transfer_syntax_uid,
        "number": header.instance_number,
        "rows": header.rows,
        "columns": header.columns,
        "frames": header.frames,
        "attributes": {**header.instance_attributes, **({"PatientMismatch": True} if mismatch else {})},
        "digest": received.digest,
        "data_digest": received.data_digest,
        "size": received.size,
        "source": received.source[:128],
        "received_at": received.at,
    }


def _enter_beside(db: Connection, received: Received, instance_id: str, series_id: str) -> Entered:
    db.execute(
        insert(conflict_table).values(
            id=new_id(),
            instance_id=instance_id,
            study_instance_uid=received.header.study_instance_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            digest=received.digest,
            data_digest=received.data_digest,
            size=received.size,
            source=received.source[:128],
            received_at=received.at,
        )
    )
    home = select(study_table.c.study_instance_uid).join(series_table, series_table.c.study_id == study_table.c.id)
    study_instance_uid = db.execute(home.where(series_table.c.id == series_id)).scalar_one()
    return Entered(received.digest, study_instance_uid, new=True, conflicting=True)


def _study(db: Connection, received: Received) -> tuple[Mapping[str, Any], bool]:
    """Return the study's row with its patient's identity, and whether it was made just now."""
    header = received.header
    identity = [patient_table.c[name] for name in ("patient_id", *_IDENTITY)]
    found = (
        select(*study_table.c, *identity)
        .join(patient_table, patient_table.c.id == func.coalesce(study_table.c.received_patient_key, study_table.c.patient_key))
        .where(study_table.c.institution == received.institution, study_table.c.study_instance_uid == header.study_instance_uid)
    )
    row = db.execute(found).mappings().first()
    if row is not None:
        return dict(row), False
    patient_key, merged_into = _patient(db, received.institution, header)
    db.execute(
        insert(study_table).values(
            id=new_id(),
            institution=received.institution,
            study_instance_uid=header.study_instance_uid,
            patient_key=merged_into or patient_key,
            received_patient_key=patient_key if merged_into else None,
            accession_number=header.accession_number,
            study_id=header.study_id,
            description=header.study_description,
            study_date=header.study_date,
            study_time=header.study_time,
            utc_offset_minutes=header.utc_offset_minutes,
            referring_physician=header.referring_physician,
            modalities=[],
            series_count=0,
            instance_count=0,
            attributes=dict(header.study_attributes),
            first_received_at=received.at,
            last_received_at=received.at,
        )
    )
    return dict(db.execute(found).mappings().one()), True


def _series(db: Connection, received: Received, study_id: str) -> tuple[str, bool]:
    """Return the series' key, and whether it was made just now."""
    header = received.header
    mine = (series_table.c.study_id == study_id) & (series_table.c.series_instance_uid == header.series_instance_uid)
    found = db.execute(select(series_table.c.id).where(mine)).scalar()
    if found is not None:
        return found, False
    series_id = new_id()
    db.execute(
        insert(series_table).values(
            id=series_id,
            study_id=study_id,
            series_instance_uid=header.series_instance_uid,
            modality=header.modality,
            number=header.series_number,
            description=header.series_description,
            body_part=header.body_part,
            instance_count=0,
            attributes=dict(header.series_attributes),
            first_received_at=received.at,
        )
    )
    return series_id, True


_IDENTITY = ("name", "name_folded", "name_ideographic", "sex", "birth_date", "issuer", "issuer_entity")


def _patient(db: Connection, institution: str, header: Header) -> tuple[str, str | None]:
    """Return the patient row for *header* and whom it was merged into: the row of that ID, unless plainly somebody else's.

    Two people under one ID happen (a worklist reused, "0001" on every device). They are kept apart: a wrong merge shows
    one person's images as another's, a missed merge only makes somebody search twice. Without an ID nobody is matched.
    """
    mine = (patient_table.c.institution == institution) & (patient_table.c.patient_id == header.patient_id)
    if header.patient_id:
        for row in db.execute(select(patient_table).where(mine).order_by(patient_table.c.variant)).mappings():
            if not _contradicts(dict(row), header):
                return row["id"], row["merged_into"]
    variants = db.execute(select(func.coalesce(func.max(patient_table.c.variant) + 1, 0)).where(mine)).scalar_one()
    key = new_id()
    db.execute(
        insert(patient_table).values(
            id=key,
            institution=institution,
            patient_id=header.patient_id,
            variant=variants,
            issuer=header.issuer,
            issuer_entity=header.issuer_entity,
            **name_columns(header.patient_name),
            name_raw=header.patient_name_raw,
            sex=header.sex,
            birth_date=header.birth_date,
        )
    )
    _write_words(db, key, header.patient_name)
    return key, None


def name_columns(name: PersonName) -> dict[str, str]:
    """Return the columns of patient_table that hold *name*."""
    return {
        "name": name.alphabetic,
        "name_folded": folded(name.alphabetic)[:400],
        "name_ideographic": name.ideographic,
        "name_phonetic": name.phonetic,
        "name_legibility": name.legibility.value,
    }


def rename(db: Connection, patient_key: str, name: PersonName) -> None:
    """Let a patient's row say *name*, which its bytes were found to mean."""
    db.execute(update(patient_table).where(patient_table.c.id == patient_key).values(**name_columns(name)))
    db.execute(delete(word_table).where(word_table.c.patient_key == patient_key))
    _write_words(db, patient_key, name)


def _write_words(db: Connection, patient_key: str, name: PersonName) -> None:
    if words := words_of(name):
        db.execute(insert(word_table), [{"word": word, "patient_key": patient_key} for word in words])


def _contradicts(kept: Mapping[str, Any], header: Header) -> bool:
    """Tell whether *header* states another person than the row *kept*: what either leaves open contradicts nothing."""
    if kept["patient_id"] != header.patient_id:
        return True
    stated = {"birth_date": header.birth_date, "issuer": header.issuer, "issuer_entity": header.issuer_entity}
    if any(kept[column] and value and kept[column] != value for column, value in stated.items()):
        return True
    if {kept["sex"], header.sex} == {"F", "M"}:
        return True
    name = header.patient_name
    pairs = ((kept["name_folded"], folded(name.alphabetic)[:400]), (kept["name_ideographic"], name.ideographic))
    comparable = [(ours, theirs) for ours, theirs in pairs if ours and theirs and ILLEGIBLE_MARK not in (ours, theirs)]
    return bool(comparable) and all(
        ours != theirs and _letters(ours) != _letters(theirs)  # mostly they are equal as they stand
        for ours, theirs in comparable
    )


def _letters(name: str) -> str:
    """Return a name without what devices write differently: carets, spaces, full stops and commas."""
    return "".join(character for character in name if character not in "^ .,")
