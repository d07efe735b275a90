"""What the rows say: Patient, Study, Series, Instance, as read-only values, and how to look one up.

All of it works on a connection the caller opened. Nothing here asks who is looking: the caller passes the institution,
or (in `search`) a condition over `study_table` that says what may be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select

from dicom_node.archive.charset import display_name
from dicom_node.archive.completeness import Missing
from dicom_node.archive.matching import folded
from dicom_node.archive.naming import Reading, asked_for
from dicom_node.archive.tables import WRITTEN_HERE, instance_table, patient_table, series_table, study_table, word_table
from telemed.kernel.errors import NotFound

#: Where a data set does not say its offset (0008,0201), its times are Chinese standard time: the whole country has one zone.
UNSTATED_OFFSET_MINUTES = 8 * 60

#: PS3.6 A: 12-lead, general, ambulatory and the newer 32-bit and resting ECG waveforms share this prefix.
_ECG_CLASSES = "1.2.840.10008.5.1.4.1.1.9.1."
_DOCUMENT_CLASSES = "1.2.840.10008.5.1.4.1.1.104."
#: Modalities (0008,0060) of what is written about an examination: reports, documents, key images, ways to show its images.
_WRITTEN = frozenset({"SR", "DOC", "KO", "PR"})


@dataclass(frozen=True)
class Patient:
    """One person as an institution named them.

    *variant* is above 0 when another person already has the same patient ID there: they are kept apart, never merged.
    *name* is the alphabetic group as in the data set ("WANG^Fang"), *name_legibility* one of charset.Legibility;
    *name_raw* holds the received bytes of the name. *birth_date* is YYYYMMDD or empty. *issuer_entity* is the Universal
    Entity ID of the issuer. *merged_into* is the key of the patient that a person said this one is.
    """

    id: str
    institution: str
    patient_id: str
    variant: int
    issuer: str
    name: str
    name_ideographic: str
    name_phonetic: str
    name_raw: bytes
    name_legibility: str
    sex: str
    birth_date: str
    issuer_entity: str = ""
    merged_into: str | None = None

    @property
    def display_name(self) -> str:
        """The name for people: the ideographic one if there is one, else "WANG Fang"; a neutral mark when illegible."""
        return display_name(self.name, self.name_ideographic, self.name_phonetic)


@dataclass(frozen=True)
class Study:
    """One study. Dates are YYYYMMDD and times HHMMSS.FFFFFF as in the data set, empty when absent.

    *settled_at* is None while more may come; *proof* says how the last settling knew (`completeness.Proof`), *missing* what
    seemed not to have come. *attributes* holds further values by DICOM keyword. *received_patient_key* is the patient that
    the objects themselves name, where a merge shows the study with another one; else None.
    """

    id: str
    institution: str
    study_instance_uid: str
    patient_key: str
    accession_number: str
    study_id: str
    description: str
    study_date: str
    study_time: str
    utc_offset_minutes: int | None
    referring_physician: str
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    attributes: Mapping[str, Any]
    first_received_at: datetime
    last_received_at: datetime
    settled_at: datetime | None
    proof: str | None
    missing: tuple[Missing, ...]
    received_patient_key: str | None
    written_count: int
    patient: Patient

    @property
    def received_count(self) -> int:
        """How many instances came from outside: without what was written here about the study."""
        return self.instance_count - self.written_count

    @property
    def examined_by(self) -> tuple[str, ...]:
        """The modalities of the examination itself, without those of what was written about it."""
        return tuple(one for one in self.modalities if one not in _WRITTEN)

    @property
    def started_at(self) -> datetime | None:
        """The study's own date and time in UTC, None when it states no readable date."""
        digits = (self.study_time.partition(".")[0] + "000000")[:6]
        offset = UNSTATED_OFFSET_MINUTES if self.utc_offset_minutes is None else self.utc_offset_minutes
        try:
            stated = datetime.strptime(self.study_date + digits, "%Y%m%d%H%M%S").replace(
                tzinfo=timezone(timedelta(minutes=offset))
            )
            return stated.astimezone(UTC)
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class Series:
    """One series; *study_id* is the row's key, not a UID. *attributes* holds further values by DICOM keyword."""

    id: str
    study_id: str
    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instance_count: int
    attributes: Mapping[str, Any]
    first_received_at: datetime


@dataclass(frozen=True)
class Instance:
    """One SOP Instance; *digest* is the sha256 of the stored Part 10 file, *size* its bytes, *frames* at least 1.

    *attributes* holds further values by DICOM keyword: numbers and strings, lists where there are several.
    """

    id: str
    institution: str
    series_id: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    attributes: Mapping[str, Any]
    digest: str
    data_digest: str
    size: int
    source: str
    received_at: datetime

    @property
    def kind(self) -> str:
        """What a screen can do with it: "image", "ecg", "document" or "other"."""
        if self.sop_class_uid.startswith(_ECG_CLASSES):
            return "ecg"
        if self.sop_class_uid.startswith(_DOCUMENT_CLASSES):
            return "document"
        return "image" if self.rows and self.columns and self.attributes.get("PixelData") else "other"


_STUDY_FIELDS = [field.name for field in fields(Study) if field.name != "patient"]
_SHOWN = tuple(one.name for one in fields(Patient))
_MODALITIES, _MISSING = map(_STUDY_FIELDS.index, ("modalities", "missing"))
# A page of studies is hundreds of rows: what is to be taken from each is said once.
_values_of_study = itemgetter(*_STUDY_FIELDS)
_values_of_patient = itemgetter(*(f"of_patient:{name}" for name in _SHOWN))
_values_of_series = itemgetter(*(field.name for field in fields(Series)))
_values_of_instance = itemgetter(*(field.name for field in fields(Instance)))
_PATIENT_COLUMNS = [patient_table.c[name].label(f"of_patient:{name}") for name in _SHOWN]


_SELECT_STUDIES = select(*study_table.c, *_PATIENT_COLUMNS).join(patient_table, patient_table.c.id == study_table.c.patient_key)


def select_studies() -> Select[Any]:
    """Return the query whose rows `study_from` understands: every study with its patient."""
    return _SELECT_STUDIES


def study_from(row: Mapping[Any, Any]) -> Study:
    """Build a Study from a row of `select_studies()`."""
    values = list(_values_of_study(row))
    values[_MODALITIES] = tuple(values[_MODALITIES])
    values[_MISSING] = tuple(Missing(**one) for one in values[_MISSING] or ())
    values.append(Patient(*_values_of_patient(row)))
    return Study(*values)


def patient_from(row: Mapping[Any, Any]) -> Patient:
    """Build a Patient from a row that holds every column of patient_table under its own name."""
    return Patient(**{name: row[name] for name in _SHOWN})


def series_from(row: Mapping[Any, Any]) -> Series:
    """Build a Series from a row that holds every column of series_table under its own name."""
    return Series(*_values_of_series(row))


def instance_from(row: Mapping[Any, Any]) -> Instance:
    """Build an Instance from a row that holds every column of instance_table under its own name."""
    return Instance(*_values_of_instance(row))


def study(db: Connection, institution: str, study_instance_uid: str) -> Study:
    """Return *institution*'s study, or raise NotFound."""
    mine = (study_table.c.institution == institution) & (study_table.c.study_instance_uid == study_instance_uid)
    row = db.execute(select_studies().where(mine)).mappings().first()
    if row is None:
        raise NotFound("there is no such study here", code="study")
    return study_from(row)


def studies(db: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Study]:
    """Return the studies of many (institution, StudyInstanceUID) pairs at once; absent ones are left out."""
    wanted = set(keys)
    query = select_studies().where(study_table.c.study_instance_uid.in_({uid for _, uid in wanted}))
    found = (study_from(row) for row in db.execute(query).mappings())
    return {
        (one.institution, one.study_instance_uid): one for one in found if (one.institution, one.study_instance_uid) in wanted
    }


def studies_of_patient(db: Connection, institution: str, patient_id: str) -> list[Study]:
    """Return every study *institution* holds under *patient_id*, newest first; an empty ID has none.

    Those of patients that a person said to be the same are among them.
    """
    if not patient_id:
        return []
    mine = (patient_table.c.institution == institution) & (patient_table.c.patient_id == patient_id)
    newest = (study_table.c.study_date.desc(), study_table.c.study_time.desc(), study_table.c.id)
    return [study_from(row) for row in db.execute(select_studies().where(of_persons(mine)).order_by(*newest)).mappings()]


def of_persons(named: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition over study_table for the studies of whoever fits *named*, a condition over patient_table.

    A patient that was merged into another still leads to that person.
    """
    known = select(func.coalesce(patient_table.c.merged_into, patient_table.c.id)).where(named).correlate(None)
    return study_table.c.patient_key.in_(known)


def names_begin(text: str) -> ColumnElement[bool]:
    """Return the condition over patient_table for names with words that begin as *text* does (see `naming`)."""
    return or_(false(), *(and_(*(_begins(word) for word in words)) for words in asked_for(text)))


def names_read(reading: Reading) -> ColumnElement[bool]:
    """Return the condition over patient_table for names that are read so: `Reading.fits`, as SQL."""
    alphabetic, ideographic = patient_table.c.name_folded, patient_table.c.name_ideographic
    whole = ["".join(words) for words in asked_for(reading.text)]
    spelt = names_begin(reading.text) if reading.begins else _with_word(word_table.c.word.in_(whole))
    return and_(or_(ideographic != "", func.upper(alphabetic) == func.lower(alphabetic)), spelt)


def ids_begin(text: str) -> ColumnElement[bool]:
    """Return the condition over patient_table for patient IDs that begin as *text* does, whatever the case."""
    return _between(patient_table.c.patient_id_folded, folded(text))


def _begins(word: str) -> ColumnElement[bool]:
    return _with_word(_between(word_table.c.word, word))


def _with_word(wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    return patient_table.c.id.in_(select(word_table.c.patient_key).where(wanted))


def _between(column: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    """Return the condition for texts that begin so, as a range: what a LIKE finds by an index only here and there."""
    return (column >= beginning) & (column < beginning + "\U0010ffff")


def digests_of(db: Connection, institution: str, study_instance_uid: str) -> dict[str, str]:
    """Return the SHA-256 of the stored file of each instance a study was received with, by SOP Instance UID; of no study none."""
    query = (
        select(instance_table.c.sop_instance_uid, instance_table.c.digest)
        .join(series_table, series_table.c.id == instance_table.c.series_id)
        .join(study_table, study_table.c.id == series_table.c.study_id)
        .where(study_table.c.institution == institution, study_table.c.study_instance_uid == study_instance_uid)
        .where(instance_table.c.source != WRITTEN_HERE)
    )
    return {row.sop_instance_uid: row.digest for row in db.execute(query)}


def series_of(db: Connection, study_id: str) -> list[Series]:
    """Return the series of the study row *study_id*, by number."""
    query = select(series_table).where(series_table.c.study_id == study_id)
    found = [series_from(row) for row in db.execute(query).mappings()]
    return sorted(found, key=lambda one: (one.number is None, one.number or 0, one.series_instance_uid))


def instances_of(db: Connection, series_id: str) -> list[Instance]:
    """Return the instances of the series row *series_id*, by number."""
    query = select(instance_table).where(instance_table.c.series_id == series_id)
    found = [instance_from(row) for row in db.execute(query).mappings()]
    return sorted(found, key=lambda one: (one.number is None, one.number or 0, one.sop_instance_uid))


def instance(db: Connection, institution: str, sop_instance_uid: str) -> Instance:
    """Return *institution*'s instance, or raise NotFound."""
    mine = (instance_table.c.institution == institution) & (instance_table.c.sop_instance_uid == sop_instance_uid)
    row = db.execute(select(instance_table).where(mine)).mappings().first()
    if row is None:
        raise NotFound("there is no such object here", code="instance")
    return instance_from(row)


def study_of_instance(db: Connection, institution: str, sop_instance_uid: str) -> Study:
    """Return the study that holds *institution*'s instance, or raise NotFound."""
    kept = instance(db, institution, sop_instance_uid)
    query = select_studies().join(series_table, series_table.c.study_id == study_table.c.id)
    return study_from(db.execute(query.where(series_table.c.id == kept.series_id)).mappings().one())


def arrived_since(db: Connection, study_id: str, at: datetime) -> int:
    """Count the instances of the study row *study_id* that were received after *at*; what was written here was not."""
    query = select(func.count()).select_from(instance_table).join(series_table, series_table.c.id == instance_table.c.series_id)
    after = (instance_table.c.received_at > at) & (instance_table.c.source != WRITTEN_HERE)
    return db.execute(query.where(series_table.c.study_id == study_id, after)).scalar_one()


def patient_as_received(db: Connection, study: Study) -> Patient:
    """Return the patient whom the study's objects name, or were said to mean, whatever merge it is shown under."""
    if study.received_patient_key is None:
        return study.patient
    mine = patient_table.c.id == study.received_patient_key
    return patient_from(db.execute(select(patient_table).where(mine)).mappings().one())


def holders_of(db: Connection, study_instance_uid: str) -> list[str]:
    """Return the institutions that hold a study of this UID, sorted; usually one."""
    query = select(study_table.c.institution).where(study_table.c.study_instance_uid == study_instance_uid)
    return sorted(db.execute(query).scalars())
