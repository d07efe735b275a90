"""Searching the index as QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.4.1) ask: keys, order, limit, offset."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Result,
    RowMapping,
    Select,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from dicom_node.archive import attributes, matching
from dicom_node.archive.index import (
    Instance,
    Series,
    Study,
    names_begin,
    names_read,
    select_studies,
    study_from,
)
from dicom_node.archive.matching import EVERYTHING, NOTHING, Clause, Query, apart, either, every
from dicom_node.archive.naming import reading_of
from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table
from telemed.kernel.errors import Invalid


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


#: A matching key's text to SQL; the query says how names are looked for.
_Understood = Callable[[str, Query], Clause]


def _by(understand: Callable[[str], matching.Criterion], column: ColumnElement[str]) -> _Understood:
    return lambda key, _query: understand(key).condition(column)


def _number(column: ColumnElement[Any]) -> _Understood:
    def understood(key: str, _query: Query) -> Clause:
        if not key.strip("* "):
            return EVERYTHING
        try:
            number = int(key)
        except ValueError:
            raise Invalid(f"the matching key {key[:40]!r} is not a whole number", code="matching-key") from None
        return Clause("number", (number,), column.__eq__) if abs(number) < 1 << 31 else NOTHING

    return understood


def _patient_name(key: str, query: Query) -> Clause:
    patient = patient_table.c
    if query.fuzzy and key.strip("* "):
        return Clause(("fuzzy", key), write=lambda: names_begin(key.replace("*", " ")))
    written = matching.name_condition(key, patient.name_folded, patient.name_ideographic, patient.name_phonetic)
    reading = reading_of(key) if query.read else None
    return written if reading is None else apart(written, Clause(("read", key), write=lambda: names_read(reading)))


def _patient_id(key: str, _query: Query) -> Clause:
    """Match an ID as any text, found by what stands before its first wildcard: by an index, however many there are."""
    condition = matching.text(key).condition(patient_table.c.patient_id)
    beginning, wildcard, _ = re.split(r"([*?]|$)", key.strip(), maxsplit=1)
    beginning = matching.folded(beginning)
    if not beginning:
        return condition
    if wildcard:
        return every(condition, Clause("ids", (beginning, beginning + "\U0010ffff"), _ids_between))
    return every(condition, Clause("id", (beginning,), patient_table.c.patient_id_folded.__eq__))


def _ids_between(first: Any, past: Any) -> ColumnElement[bool]:  # noqa: ANN401 - texts, or blanks
    return and_(patient_table.c.patient_id_folded >= first, patient_table.c.patient_id_folded < past)


def _physician(key: str, _query: Query) -> Clause:
    """Match a name that is kept as one text, its groups joined by equals signs."""
    key = key.strip()
    forms = (key, f"{key}=*", f"*={key}", f"*={key}=*") if key.strip("*") else ("*",)
    return either(*(matching.text(form).condition(study_table.c.referring_physician) for form in forms))


def _study_time(key: str, query: Query) -> Clause:
    period = matching.period(query.keys.get("StudyDate", ""), key) if query.combined else None
    if period is not None:
        return period.condition(study_table.c.study_date, study_table.c.study_time)
    return matching.time(key).condition(study_table.c.study_time)


def _modalities(key: str, _query: Query) -> Clause:
    inside = series_table.alias()
    wanted = [matching.text(part) for part in matching.text_values(key)]
    if not wanted or any(isinstance(one, matching.Universal) for one in wanted):
        return EVERYTHING
    one_of = either(*(one.condition(inside.c.modality) for one in wanted))

    def write(*values: Any) -> ColumnElement[bool]:  # noqa: ANN401 - texts, or blanks
        return exists().where(inside.c.study_id == study_table.c.id, one_of.write(*values))

    return Clause(("modalities", one_of), one_of.values, write)


def _universal(key: str, _query: Query) -> Clause:
    if key.strip("* "):
        raise Invalid("a count can be asked for, not matched", code="matching-key")
    return EVERYTHING


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
    "StudyTime": _study_time,
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
_SERIES_COLUMNS = [series_table.c[field.name].label(f"of_series:{field.name}") for field in fields(Series)]
_INSTANCE_COLUMNS = [instance_table.c[field.name].label(f"of_instance:{field.name}") for field in fields(Instance)]
_values_of_series = itemgetter(*(column.name for column in _SERIES_COLUMNS))
_values_of_instance = itemgetter(*(column.name for column in _INSTANCE_COLUMNS))


#: What each level can be matched by.
KEYS: Mapping[str, Mapping[str, _Understood]] = {
    "PATIENT": _PATIENT_KEYS,
    "STUDY": _STUDY_KEYS,
    "SERIES": _SERIES_KEYS,
    "IMAGE": _INSTANCE_KEYS,
}


@dataclass(frozen=True)
class _Level:
    """What is selected at a level, in which order, and the rows' key."""

    rows: Select[Any]
    order: tuple[ColumnElement[Any], ...]
    key: ColumnElement[str]


def _only(rows: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
    return rows.with_only_columns(*columns, maintain_column_froms=True)


_PATIENTS = select(patient_table).join(study_table, study_table.c.patient_key == patient_table.c.id).group_by(patient_table.c.id)
_SERIES = select_studies().add_columns(*_SERIES_COLUMNS).join(series_table, series_table.c.study_id == study_table.c.id)
_INSTANCES = _SERIES.add_columns(*_INSTANCE_COLUMNS).join(instance_table, instance_table.c.series_id == series_table.c.id)
_BY_SERIES = (*_NEWEST, series_table.c.number, series_table.c.id)
_BY_INSTANCE = (*_BY_SERIES, instance_table.c.number, instance_table.c.id)
_UIDS_ABOVE = (series_table.c.series_instance_uid, study_table.c.study_instance_uid)
_LEVELS: Mapping[str, _Level] = {
    "PATIENT": _Level(_PATIENTS, (patient_table.c.id,), patient_table.c.id),
    "STUDY": _Level(select_studies(), _NEWEST, study_table.c.id),
    "SERIES": _Level(_SERIES, _BY_SERIES, series_table.c.id),
    "IMAGE": _Level(_INSTANCES, _BY_INSTANCE, instance_table.c.id),
}
#: The same rows with less in them: no more of what is above than its UIDs.
_ALONE: Mapping[str, Select[Any]] = {
    "SERIES": _only(_SERIES, *_SERIES_COLUMNS, study_table.c.study_instance_uid),
    "IMAGE": _only(_INSTANCES, *_INSTANCE_COLUMNS, *_UIDS_ABOVE),
}


@lru_cache(maxsize=256)
def _described(name: str, keywords: tuple[str, ...], *, further: bool) -> Select[Any]:
    """Return the rows of a level as their key, the columns of *keywords*, and if *further* all that is kept beside columns."""
    known, beside = attributes.COLUMNS[name], attributes.BESIDE[name] if further else ()
    return _only(_LEVELS[name].rows, _LEVELS[name].key, *(known[keyword].label(keyword) for keyword in keywords), *beside)


#: So many patients may fit and still be looked up first; where more than so many fit, the newest studies soon meet some.
FEW_PATIENTS, MANY_PATIENTS = 200, 1000

#: What more than MANY_PATIENTS were found to fit, by the database's address: it is not counted again, for an archive only grows.
#: Were they fewer, only the time that a search takes would be another.
_common: deque[tuple[Any, ...]] = deque(maxlen=256)

#: Each key that is matched, with its clause.
_Clauses = tuple[tuple[str, Clause], ...]
_PERSON = func.coalesce(patient_table.c.merged_into, patient_table.c.id)


class _Persons(Enum):
    """How a statement says whose studies are meant."""

    ANYBODY, ONE, FEW, MANY, MOST = range(5)


def _values(keyword: str, clause: Clause) -> dict[str, Any]:
    """Return the clause's values by the names of their blanks."""
    return {f"{keyword}_{number}": value for number, value in enumerate(clause.values)}


def _blanks(keyword: str, clause: Clause) -> list[BindParameter[Any]]:
    return [_blank(name, value) for name, value in _values(keyword, clause).items()]


def _written(clauses: _Clauses) -> list[ColumnElement[bool]]:
    return [clause.write(*_blanks(keyword, clause)) for keyword, clause in clauses]


def _blank(name: str, value: Any) -> BindParameter[Any]:  # noqa: ANN401 - a text, a number or several texts
    kind = Integer() if isinstance(value, int) else String()
    return bindparam(name, type_=kind, expanding=isinstance(value, tuple))


def _fitting(clauses: _Clauses, told: ColumnElement[Any]) -> CompoundSelect[Any]:
    """Return what is *told* of whoever fits, of some perhaps twice: each way to fit is looked up by itself.

    Of several ways in one condition the databases list all who fit before they tell of the first, or look at every patient.
    """
    ways = product(*(clause.ways(*_blanks(keyword, clause)) for keyword, clause in clauses))
    return union_all(*(select(told).select_from(patient_table).where(*way) for way in ways))


# Making a statement takes ten times as long as asking it: those below are made once for all values.


@lru_cache(maxsize=256)
def _who_fits(clauses: _Clauses) -> CompoundSelect[Any]:
    return _fitting(clauses, _PERSON).limit(FEW_PATIENTS + 1)


@lru_cache(maxsize=256)
def _how_many_fit(clauses: _Clauses) -> Select[int]:
    fitting = _fitting(clauses, literal(1)).limit(MANY_PATIENTS + 1)
    return select(func.count()).select_from(fitting.subquery())


def _beside(fits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition of `of_persons` as one on the patient beside each study, for a walk over the studies in their order.

    Those who were merged into that patient are few and looked up: by that, for a case is found by no index, and not by the name
    that so many have, which SQLite takes for the rarer thing.
    """
    merged = patient_table.c.merged_into.is_not(None), case((fits, 1), else_=0) == 1
    absorbed = select(patient_table.c.merged_into).where(*merged).correlate(None)
    return or_(fits, study_table.c.patient_key.in_(absorbed))


@lru_cache(maxsize=1024)
def _what_fits(
    name: str,
    described: Select[Any],
    visible: ColumnElement[bool],
    clauses: _Clauses,
    persons: _Persons,
    *,
    of_person: _Clauses,
    limited: bool,
    reads_on: bool,
) -> Select[Any]:
    level = _LEVELS[name]
    rows = described.where(*_written(clauses), visible).offset(bindparam("offset", type_=Integer()))
    if persons is _Persons.ONE:
        rows = rows.where(study_table.c.patient_key == bindparam("person"))
    elif persons is _Persons.FEW:
        rows = rows.where(study_table.c.patient_key.in_(bindparam("person", expanding=True)))
    elif persons in (_Persons.MANY, _Persons.MOST):
        looked_up = study_table.c.patient_key.in_(_fitting(of_person, _PERSON))
        rows = rows.where(looked_up if persons is _Persons.MANY else _beside(and_(*_written(of_person))))
    if limited:
        rows = rows.limit(bindparam("limit", type_=Integer()))
    return rows.where(level.key > bindparam("after")).order_by(level.key) if reads_on else rows.order_by(*level.order)


def _found(
    db: Connection, name: str, visible: ColumnElement[bool], query: Query, rows: Select[Any] | None = None
) -> Result[Any] | None:
    """Return what is asked for at a level, in its order, or by the rows' keys where the query reads on from one; None of nobody.

    *rows* says what is told of each, if not everything.

    No planner knows whether a name is rare, for it does not see the name: how many fit is looked up here, unless it is known.
    """
    known = KEYS[name]
    clauses: list[tuple[str, Clause]] = []
    of_person: list[tuple[str, Clause]] = []
    values: dict[str, Any] = {"offset": query.offset, "limit": query.limit, "after": query.after}
    for keyword, text in query.keys.items():
        if keyword not in known:
            raise Invalid(f"{keyword} cannot be matched at this level", code="unsupported-key")
        if not text:  # universal matching, of most keys in most queries
            continue
        clause = known[keyword](text, query)
        if clause != EVERYTHING:
            (of_person if keyword in _PATIENT_KEYS else clauses).append((keyword, clause))
            values.update(_values(keyword, clause))
    persons = _Persons.ANYBODY
    asked = db.engine.url, *((keyword, clause.form, clause.values) for keyword, clause in of_person)
    if asked in _common:
        persons = _Persons.MOST
    elif of_person:
        found = db.scalars(_who_fits(tuple(of_person)), values).all()
        if not found:
            return None
        persons = _Persons.FEW if len(found) > 1 else _Persons.ONE
        values["person"] = found if len(found) > 1 else found[0]
        if len(found) > FEW_PATIENTS:
            most = db.scalars(_how_many_fit(tuple(of_person)), values).one() > MANY_PATIENTS
            persons = _Persons.MOST if most else _Persons.MANY
            if most:
                _common.append(asked)
    who = tuple(of_person) if persons in (_Persons.MANY, _Persons.MOST) else ()
    how = {"of_person": who, "limited": query.limit is not None, "reads_on": query.after is not None}
    return db.execute(
        _what_fits(name, _LEVELS[name].rows if rows is None else rows, visible, tuple(clauses), persons, **how), values
    )


def _mapped(found: Result[Any] | None) -> Iterable[RowMapping]:
    return () if found is None else found.mappings()


def search_attributes(
    db: Connection, level: str, visible: ColumnElement[bool], query: Query, wanted: frozenset[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Return each match at *level* (of KEYS) as its row's key, and by keyword what is known of the *wanted* attributes.

    Everything is in the result but what nothing is kept of. Patients are those of whom a study is under *visible*.
    """
    known = attributes.COLUMNS[level]
    keywords = tuple(keyword for keyword in known if keyword in wanted)
    others = wanted - known.keys()
    found = _found(db, level, visible, query, _described(level, keywords, further=bool(others)))
    answers = []
    for row in found or ():
        key, told, beside = row[0], row[1 : 1 + len(keywords)], row[1 + len(keywords) :]
        said = dict(zip(keywords, told, strict=True))
        for kept in beside:
            said.update((keyword, value) for keyword, value in kept.items() if keyword in others)
        answers.append((key, said))
    return answers


def search_studies(db: Connection, visible: ColumnElement[bool], query: Query) -> list[Study]:
    """Return the studies under *visible* (a condition over study_table) that match, newest first."""
    return [study_from(row) for row in _mapped(_found(db, "STUDY", visible, query))]


def search_series(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundSeries]:
    """Return the matching series, by study (newest first), then by number; study-level keys match too."""
    found = _mapped(_found(db, "SERIES", visible, query))
    return [FoundSeries(Series(*_values_of_series(row)), study_from(row)) for row in found]


def search_series_alone(db: Connection, visible: ColumnElement[bool], query: Query) -> list[tuple[Series, str]]:
    """Return what `search_series` does, each with no more of its study than the Study Instance UID."""
    found = _mapped(_found(db, "SERIES", visible, query, _ALONE["SERIES"]))
    return [(Series(*_values_of_series(row)), row["study_instance_uid"]) for row in found]


def search_instances(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundInstance]:
    """Return the matching instances, by study, series and number; study- and series-level keys match too."""
    above: dict[str, tuple[Series, Study]] = {}  # of many instances the same
    answers = []
    for row in _mapped(_found(db, "IMAGE", visible, query)):
        series, study = above.get(row["of_series:id"]) or (Series(*_values_of_series(row)), study_from(row))
        above[series.id] = series, study
        answers.append(FoundInstance(Instance(*_values_of_instance(row)), series, study))
    return answers


def search_instances_alone(db: Connection, visible: ColumnElement[bool], query: Query) -> list[tuple[Instance, str, str]]:
    """Return what `search_instances` does, each with no more of what is above than Series and Study Instance UID."""
    found = _mapped(_found(db, "IMAGE", visible, query, _ALONE["IMAGE"]))
    uids = itemgetter("series_instance_uid", "study_instance_uid")
    return [(Instance(*_values_of_instance(row)), *uids(row)) for row in found]
