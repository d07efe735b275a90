"""What the DICOM objects of a report have in common: whose they are, which study, who wrote them (PS3.3 C.7, C.12).

Everything follows from the signed version: made again, an object is the same to the byte.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby

from pydicom import config, dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from consult.reports.model import Report
from consult.requests.model import Kind
from dicom_node.archive.index import UNSTATED_OFFSET_MINUTES, Patient, Study

#: Code Value, Coding Scheme Designator, Code Meaning.
Code = tuple[str, str, str]

#: The longest value of a LO and of one group of a PN (PS3.5 6.2).
LONGEST_TEXT = 64
#: Value representations that (0008,0005) says the script of, as far as they are used here (PS3.5 6.1.2.3).
_ANY_SCRIPT = frozenset({"LO", "PN", "SH"})
ENHANCED_SR = UID("1.2.840.10008.5.1.4.1.1.88.22")
ENCAPSULATED_PDF = UID("1.2.840.10008.5.1.4.1.1.104.1")


@dataclass(frozen=True)
class Source:
    """An object that the report was signed over."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Context:
    """What the archive knows of a report's study: *patient* as its objects name them, and *sources*, what was signed over."""

    study: Study
    patient: Patient
    sources: Sequence[Source]

    @property
    def zone(self) -> timezone:
        """The one zone that all times of an object are in: that of the study's own."""
        stated = self.study.utc_offset_minutes
        return timezone(timedelta(minutes=UNSTATED_OFFSET_MINUTES if stated is None else stated))


def uid_of(kind: UID, report_id: str) -> str:
    """Return the SOP Instance UID of a version's object of SOP class *kind*."""
    return _derived(report_id, kind)


def series_of(kind: UID, task_id: str) -> str:
    """Return the Series Instance UID that the objects of *kind* of all versions share."""
    return _derived(task_id, kind)


def header(report: Report, context: Context, kind: UID, *, modality: str, number: int, description: str) -> Dataset:
    """Return the attributes of patient, study, series, equipment and SOP; all versions of a report share a series."""
    study, patient, at = context.study, context.patient, report.signed_at.astimezone(context.zone)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = kind, UID(uid_of(kind, report.id))
    made.TimezoneOffsetFromUTC = f"{at:%z}"
    made.InstanceCreationDate, made.InstanceCreationTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    put(
        made,
        PatientName=f"{patient.name}={patient.name_ideographic}={patient.name_phonetic}".rstrip("="),
        PatientID=patient.patient_id,
        PatientBirthDate=patient.birth_date,
        PatientSex=patient.sex,
        StudyInstanceUID=study.study_instance_uid,
        StudyID=study.study_id,
        StudyDate=study.study_date,
        StudyTime=study.study_time,
        AccessionNumber=study.accession_number,
        ReferringPhysicianName=study.referring_physician,
    )
    known = {"IssuerOfPatientID": patient.issuer, "StudyDescription": study.description}
    put(made, **{keyword: value for keyword, value in known.items() if value})
    made.Modality, made.SeriesInstanceUID = modality, UID(series_of(kind, report.task_id))
    made.SeriesNumber, made.SeriesDescription = number, description
    made.Manufacturer, made.InstitutionName = "telemed", long_text(report.performer.name)
    made.InstanceNumber = report.version
    made.ContentDate, made.ContentTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    return made


def put(made: Dataset, **values: str) -> None:
    """Set what comes from a stranger's objects by keyword, right or wrong: a receiver matches it with what those say.

    Only what cannot be written at all is left empty: another script in a value that a character set does not reach.
    """
    for keyword, value in values.items():
        kind = dictionary_VR(keyword)
        kept = value if value.isascii() or kind in _ANY_SCRIPT else ""
        made.add(DataElement(keyword, kind, kept, validation_mode=config.IGNORE))


def written(made: Dataset) -> bytes:
    """Return the object as a Part 10 file."""
    out = io.BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def title_of(report: Report) -> Code:
    """Return the document's title; of CID 7000 for a diagnosis, while advice is a consultation note and never a report."""
    if report.kind is Kind.CONSULTATION:
        return ("11488-4", "LN", "Consultation note")
    if set(report.modalities) == {"ECG"}:
        return ("11524-0", "LN", "ECG Report")
    return ("18748-4", "LN", "Diagnostic Imaging Report")


def coded(code: Code) -> Dataset:
    """Return *code* as the item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def referenced(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return the item of a sequence that refers to an object (PS3.3 10.8)."""
    item = Dataset()
    put(item, ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)
    return item


def in_their_series(study_instance_uid: str, sources: Iterable[Source]) -> Dataset:
    """Return *sources* of one study by series (PS3.3 C.17.2.1, Hierarchical SOP Instance Reference)."""
    item = Dataset()
    put(item, StudyInstanceUID=study_instance_uid)
    item.ReferencedSeriesSequence = []

    def series(one: Source) -> str:
        return one.series_instance_uid

    for uid, members in groupby(sorted(sources, key=series), key=series):
        entry = Dataset()
        put(entry, SeriesInstanceUID=uid)
        entry.ReferencedSOPSequence = [referenced(one.sop_class_uid, one.sop_instance_uid) for one in members]
        item.ReferencedSeriesSequence.append(entry)
    return item


def person(name: str) -> str:
    """Return *name* as one group of a PN, without the characters that part its components."""
    return long_text("".join(" " if character in "\\^=" else character for character in name))


def long_text(text: str) -> str:
    """Return *text* as a LO."""
    return text.replace("\\", " ")[:LONGEST_TEXT].strip()


def moment(at: datetime, context: Context) -> str:
    """Say *at* as a DT in the object's zone."""
    return f"{at.astimezone(context.zone):%Y%m%d%H%M%S}"


def _derived(key: str, kind: UID) -> str:
    return f"2.25.{uuid.uuid5(uuid.UUID(hex=key), kind).int}"
