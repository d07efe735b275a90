"""The Modality Worklist service class, PS3.4 Annex K: what the modality is to do, so that nobody types a name twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Protocol

from dicom_node.archive import matching
from dicom_node.archive.charset import PersonName
from dicom_node.archive.index import UNSTATED_OFFSET_MINUTES
from dicom_node.archive.naming import reading_of
from dicom_node.services.encoding import Values, encoded
from dicom_node.services.exchange import CANCELLED, PENDING, Answering, Question
from dicom_node.services.identifier import Keys, read_keys
from dicom_node.services.query_retrieve import DOES_NOT_MATCH_CLASS, PENDING_WITH_UNSUPPORTED_KEYS, query_record
from dicom_node.services.status import SUCCESS
from telemed.kernel.audit import Witness
from telemed.kernel.errors import Invalid

#: PS3.4 Table K.6-2.
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
_STEP = "ScheduledProcedureStepSequence"
_STATION, _DATE, _TIME = "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
_ZONE = timezone(timedelta(minutes=UNSTATED_OFFSET_MINUTES))


@dataclass(frozen=True)
class ScheduledStep:
    """One entry, in DICOM's words. An empty *station_aet* is for any station; *starts_at* is aware.

    *identifier* serves as Requested Procedure ID and Scheduled Procedure Step ID, both SH.
    """

    identifier: str
    accession_number: str
    study_instance_uid: str
    patient_id: str
    patient_name: str
    patient_sex: str
    patient_birth_date: str
    modality: str
    station_aet: str
    description: str
    starts_at: datetime


class WorklistSource(Protocol):
    """Anything that knows what the equipment of an institution is to do."""

    def __call__(self, institution: str, /) -> Iterable[ScheduledStep]:
        """Return what is scheduled and not yet done, the earliest first."""
        ...


#: PS3.4 Table K.6-1: type 2 return keys that we never have a value for.
_ALWAYS_EMPTY = frozenset({
    "RequestedProcedurePriority", "PatientTransportArrangements", "ReferringPhysicianName", "RequestingPhysician",
    "AdmissionID", "CurrentPatientLocation", "PatientWeight", "ConfidentialityConstraintOnPatientDataDescription",
    "PatientState", "PregnancyStatus", "MedicalAlerts", "Allergies", "SpecialNeeds", "ScheduledPerformingPhysicianName",
    "ScheduledStationName", "ScheduledProcedureStepLocation", "PreMedication", "RequestedContrastAgent",
    "ReferencedStudySequence", "ReferencedPatientSequence", "RequestedProcedureCodeSequence", "ScheduledProtocolCodeSequence",
})  # fmt: skip


def _named(key: str, value: str) -> bool:
    alphabetic, ideographic, phonetic, *_ = [*value.split("="), "", ""]
    if matching.name_matches(key, (alphabetic, ideographic, phonetic)):
        return True
    reading = reading_of(key)
    return reading is not None and reading.fits(PersonName(alphabetic, ideographic, phonetic))


def _by(understand: Callable[[str], matching.Criterion]) -> Callable[[str, str], bool]:
    return lambda key, value: understand(key).matches(value)


def _station(key: str, value: str) -> bool:
    """Tell whether an entry is for the station that asks; one that names none is for all."""
    return not value or matching.text(key).matches(value)


def _station_asking(key: str, caller: str) -> str:
    """Return which station an entry for all of them is for: the one asked for, else the one that asks (a type 1 return key)."""
    return caller if not key.strip() or set(key) & set("*?\\") else key.strip()


#: How each key is matched (Table K.6-1); what is not named here is returned and matches everything.
_MATCHED: Mapping[str, Callable[[str, str], bool]] = {
    "PatientName": _named,
    "PatientID": _by(matching.text),
    "AccessionNumber": _by(matching.text),
    "RequestedProcedureID": _by(matching.text),
    "StudyInstanceUID": _by(matching.uids),
    _STATION: _station,
    _DATE: _by(matching.date),
    _TIME: _by(matching.time),
    "ScheduledProcedureStepID": _by(matching.text),
    "Modality": _by(matching.text),
}


class Worklist(Answering):
    """C-FIND of the modality worklist."""

    sop_classes: ClassVar[tuple[str, ...]] = (MODALITY_WORKLIST,)

    def __init__(self, witness: Witness, source: WorklistSource) -> None:
        self._witness = witness
        self._source = source

    def answer(self, question: Question, /) -> None:
        """Answer with every entry that matches."""
        try:
            keys = read_keys(question.received("Identifier"), question.transfer_syntax)
            step_keys = keys.sequences.get(_STEP, Keys())
            asked = {name: text for name, text in {**keys.texts, **step_keys.texts}.items() if name in _MATCHED}
            self._witness.note(query_record(question, level="", keys=asked))
            station = _station_asking(step_keys.texts.get(_STATION, ""), question.caller.aet)
            for entry in self._source(question.caller.institution):
                procedure, step = _procedure(entry), _step(entry)
                if not (_matches(keys, procedure) and _matches(step_keys, step)):
                    continue
                if question.is_cancelled:
                    question.found(CANCELLED)
                    return
                if not question.is_open:
                    return
                step[_STATION] = step[_STATION] or station
                status, identifier = _told(keys, procedure, step)
                question.found(status, encoded(identifier, keys.charset, question.transfer_syntax))
        except Invalid as error:
            question.fail(error, DOES_NOT_MATCH_CLASS)
            return
        question.found(SUCCESS)


def _procedure(entry: ScheduledStep) -> dict[str, str]:
    return {
        "AccessionNumber": entry.accession_number,
        "StudyInstanceUID": entry.study_instance_uid,
        "RequestedProcedureID": entry.identifier,
        "RequestedProcedureDescription": entry.description,
        "PatientName": entry.patient_name,
        "PatientID": entry.patient_id,
        "PatientBirthDate": entry.patient_birth_date,
        "PatientSex": entry.patient_sex,
    }


def _step(entry: ScheduledStep) -> dict[str, str]:
    starts = entry.starts_at.astimezone(_ZONE)
    return {
        "Modality": entry.modality,
        _STATION: entry.station_aet,
        _DATE: f"{starts:%Y%m%d}",
        _TIME: f"{starts:%H%M%S}",
        "ScheduledProcedureStepDescription": entry.description,
        "ScheduledProcedureStepID": entry.identifier,
    }


def _matches(keys: Keys, values: Mapping[str, str]) -> bool:
    asked = {keyword: key for keyword, key in keys.texts.items() if keyword in _MATCHED and keyword in values}
    if (period := matching.period(asked.get(_DATE, ""), asked.get(_TIME, ""))) is not None:  # Table K.6-1, on the time
        del asked[_TIME]
        if not period.matches(values[_DATE], values[_TIME]):
            return False
    return all(_MATCHED[keyword](key, values[keyword]) for keyword, key in asked.items())


def _told(keys: Keys, procedure: Mapping[str, str], step: Mapping[str, str]) -> tuple[int, Values]:
    """Return what was asked for; an empty step sequence asks for all of it."""
    answer, unsupported = _picked(keys, procedure)
    if _STEP in keys.sequences:
        asked = keys.sequences[_STEP]
        if not (asked.texts or asked.sequences):
            asked = Keys(dict.fromkeys(step, ""))
        item, missing = _picked(asked, step)
        answer[_STEP] = [item]
        unsupported += missing
    status = PENDING_WITH_UNSUPPORTED_KEYS if unsupported else PENDING
    return status, answer


def _picked(keys: Keys, values: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    answer: dict[str, Any] = {}
    unsupported = keys.unknown
    for keyword in (*keys.texts, *keys.sequences):
        if keyword in values:
            answer[keyword] = values[keyword]
        elif keyword in _ALWAYS_EMPTY:
            answer[keyword] = None
        elif keyword != _STEP:
            unsupported += 1
    return answer, unsupported
