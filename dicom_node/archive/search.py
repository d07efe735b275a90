"""Searching the index as QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.4.1) ask: keys, order, limit, offset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, True_, and_, exists, func, or_, select, true

from dicom_node.archive import matching
from dicom_node.archive.index import (
    Instance,
    Patient,
    Series,
    Study,
    ids_begin,
    instance_from,
    names_begin,
    of_persons,
    patient_from,
    select_studies,
    series_from,
    study_from,
)
from dicom_node.archive.matching import Query
from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table
from telemed.kernel.errors import Invalid


@dataclass(frozen=True)
class FoundPatient:
    """A patient, and how many studies, series and instances of theirs may be seen."""

    patient: Patient
    studies: int
    series: int
    instances: int


@dataclass(frozen=True)
class FoundSeries:
    """A series and the study it belongs to."""

    series: Series
    study: Study


@dataclass(frozen=True)
class FoundInstance:
    """An instance, its series and its study."""

    instance: Instance
    series: Series
    study: Study


#: A matching key's text to SQL; the flag is Query.fuzzy.
_Understood = Callable[[str, bool], ColumnElement[bool]]


def _by(understand: Callable[[str], matching.Criterion], column: ColumnElement[str]) -> _Understood:
    return lambda key, _fuzzy: understand(key).condition(column)


def _number(column: ColumnElement[Any]) -> _Understood:
    def understood(key: str, _fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
        if not key.strip("* "):
            return true()
        try:
            number = int(key)
        except ValueError:
            raise Invalid(f"the matching key {key[:40]!r} is not a whole number", code="matching-key") from None
        return column == number if abs(number) < 1 << 31 else ~true()

    return understood


def _patient_name(key: str, fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
    patient = patient_table.c
    if fuzzy and key.strip("* "):
        return names_begin(key.replace("*", " "))
    return matching.name_condition(key, patient.name_folded, patient.name_ideographic, patient.name_phonetic)


def _patient_id(key: str, _fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
    """Match an ID as any text, found by what stands before its first wildcard: by an index, however many there are."""
    condition = matching.text(key).condition(patient_table.c.patient_id)
    beginning, wildcard, _ = re.split(r"([*?]|$)", key.strip(), maxsplit=1)
    if not wildcard:
        return condition & (patient_table.c.patient_id_folded == matching.folded(beginning)) if beginning else condition
    return condition & ids_begin(beginning) if beginning else condition


def _physician(key: str, _fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
    """Match a name that is kept as one text, its groups joined by equals signs."""
    key = key.strip()
    forms = (key, f"{key}=*", f"*={key}", f"*={key}=*") if key.strip("*") else ("*",)
    return or_(*(matching.text(form).condition(study_table.c.referring_physician) for form in forms))


def _modalities(key: str, _fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
    inside = series_table.alias()
    wanted = [matching.text(part) for part in matching.text_values(key)]
    if not wanted or any(isinstance(one, matching.Universal) for one in wanted):
        return true()
    return exists().where(inside.c.study_id == study_table.c.id, or_(*(one.condition(inside.c.modality) for one in wanted)))


def _universal(key: str, _fuzzy: bool) -> ColumnElement[bool]:  # noqa: FBT001 - the shape of _Understood
    if key.strip("* "):
        raise Invalid("a count can be asked for, not matched", code="matching-key")
    return true()


_PATIENT_KEYS: Mapping[str, _Understood] = {
    "PatientName": _patient_name,
    "PatientID": _patient_id,
    "IssuerOfPatientID": _by(matching.text, patient_table.c.issuer),
    "PatientSex": _by(matching.text, patient_table.c.sex),
    "PatientBirthDate": _by(matching.date, patient_table.c.birth_date),
}
_STUDY_KEYS: Mapping[str, _Understood] = {
    **_PATIENT_KEYS,
    "StudyInstanceUID": _by(matching.uids, study_table.c.study_instance_uid),
    "StudyDate": _by(matching.date, study_table.c.study_date),
    "StudyTime": _by(matching.time, study_table.c.study_time),
    "AccessionNumber": _by(matching.text, study_table.c.accession_number),
    "StudyID": _by(matching.text, study_table.c.study_id),
    "StudyDescription": _by(matching.text, study_table.c.description),
    "ReferringPhysicianName": _physician,
    "ModalitiesInStudy": _modalities,
    "NumberOfStudyRelatedSeries": _universal,
    "NumberOfStudyRelatedInstances": _universal,
}
_SERIES_KEYS: Mapping[str, _Understood] = {
    **_STUDY_KEYS,
    "SeriesInstanceUID": _by(matching.uids, series_table.c.series_instance_uid),
    "Modality": _by(matching.text, series_table.c.modality),
    "SeriesNumber": _number(series_table.c.number),
    "SeriesDescription": _by(matching.text, series_table.c.description),
    "BodyPartExamined": _by(matching.text, series_table.c.body_part),
    "NumberOfSeriesRelatedInstances": _universal,
}
_INSTANCE_KEYS: Mapping[str, _Understood] = {
    **_SERIES_KEYS,
    "SOPInstanceUID": _by(matching.uids, instance_table.c.sop_instance_uid),
    "SOPClassUID": _by(matching.uids, instance_table.c.sop_class_uid),
    "InstanceNumber": _number(instance_table.c.number),
    "Rows": _number(instance_table.c.rows),
    "Columns": _number(instance_table.c.columns),
    "NumberOfFrames": _number(instance_table.c.frames),
}

_NEWEST = (
    study_table.c.study_date.desc(),
    study_table.c.study_time.desc(),
    study_table.c.first_received_at.desc(),
    study_table.c.id.desc(),
)
#: The colon keeps these apart from the study's own series_count and instance_count.
_SERIES_COLUMNS = [column.label(f"of_series:{column.name}") for column in series_table.c]
_INSTANCE_COLUMNS = [column.label(f"of_instance:{column.name}") for column in instance_table.c]


#: What each level can be matched by.
KEYS: Mapping[str, Mapping[str, _Understood]] = {
    "PATIENT": _PATIENT_KEYS,
    "STUDY": _STUDY_KEYS,
    "SERIES": _SERIES_KEYS,
    "IMAGE": _INSTANCE_KEYS,
}


_ROW_KEYS: Mapping[str, ColumnElement[str]] = {
    "PATIENT": patient_table.c.id,
    "STUDY": study_table.c.id,
    "SERIES": series_table.c.id,
    "IMAGE": instance_table.c.id,
}

#: So many patients may fit and still be looked up first.
FEW_PATIENTS = 200


def _of_persons(db: Connection, named: ColumnElement[bool]) -> ColumnElement[bool]:
    """Say whose studies are meant in the way that is quick for it.

    No planner knows whether a name is rare, for it does not see the name: few patients are looked up here and now.
    """
    key = func.coalesce(patient_table.c.merged_into, patient_table.c.id)
    found = db.scalars(select(key).where(named).limit(FEW_PATIENTS + 1)).all()
    return study_table.c.patient_key.in_(found) if len(found) <= FEW_PATIENTS else of_persons(named)


def _asked(
    db: Connection,
    rows: Select[Any],
    visible: ColumnElement[bool],
    query: Query,
    level: str,
    *order: ColumnElement[Any],
) -> Select[Any]:
    """Add to *rows* what is asked for at *level*, in *order*, or by its rows' keys where the query reads on from one."""
    known, key = KEYS[level], _ROW_KEYS[level]
    of_patient = []
    for keyword, text in query.keys.items():
        if keyword not in known:
            raise Invalid(f"{keyword} cannot be matched at this level", code="unsupported-key")
        condition = known[keyword](text, query.fuzzy)
        if keyword not in _PATIENT_KEYS:
            rows = rows.where(condition)
        elif not isinstance(condition, True_):
            of_patient.append(condition)
    if of_patient:
        rows = rows.where(_of_persons(db, and_(*of_patient)))
    rows = rows.where(visible).limit(query.limit).offset(query.offset)
    return rows.order_by(*order) if query.after is None else rows.where(key > query.after).order_by(key)


def search_patients(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundPatient]:
    """Return the matching patients of whom a study is under *visible*, in the order of their keys."""
    counts = func.count(study_table.c.id), func.sum(study_table.c.series_count), func.sum(study_table.c.instance_count)
    key = patient_table.c.id
    rows = select(patient_table, *(count.label(f"count_{number}") for number, count in enumerate(counts)))
    rows = rows.join(study_table, study_table.c.patient_key == key).group_by(key)
    found = db.execute(_asked(db, rows, visible, query, "PATIENT", key)).mappings()
    return [FoundPatient(patient_from(row), *(int(row[f"count_{number}"]) for number in range(3))) for row in found]


def search_studies(db: Connection, visible: ColumnElement[bool], query: Query) -> list[Study]:
    """Return the studies under *visible* (a condition over study_table) that match, newest first."""
    rows = _asked(db, select_studies(), visible, query, "STUDY", *_NEWEST)
    return [study_from(row) for row in db.execute(rows).mappings()]


def search_series(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundSeries]:
    """Return the matching series, by study (newest first), then by number; study-level keys match too."""
    rows = select_studies().add_columns(*_SERIES_COLUMNS).join(series_table, series_table.c.study_id == study_table.c.id)
    order = (*_NEWEST, series_table.c.number, series_table.c.id)
    found = db.execute(_asked(db, rows, visible, query, "SERIES", *order)).mappings()
    return [FoundSeries(series_from(_part(row, "of_series:")), study_from(row)) for row in found]


def search_instances(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundInstance]:
    """Return the matching instances, by study, series and number; study- and series-level keys match too."""
    rows = (
        select_studies()
        .add_columns(*_SERIES_COLUMNS, *_INSTANCE_COLUMNS)
        .join(series_table, series_table.c.study_id == study_table.c.id)
        .join(instance_table, instance_table.c.series_id == series_table.c.id)
    )
    order = (*_NEWEST, series_table.c.number, series_table.c.id, instance_table.c.number, instance_table.c.id)
    found = db.execute(_asked(db, rows, visible, query, "IMAGE", *order)).mappings()
    return [
        FoundInstance(instance_from(_part(row, "of_instance:")), series_from(_part(row, "of_series:")), study_from(row))
        for row in found
    ]


def _part(row: Mapping[Any, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
