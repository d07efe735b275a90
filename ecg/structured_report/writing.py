"""An analysis in, a DICOM ECG Report out."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian

from ecg.analysis import Analysis, Statement
from ecg.errors import EcgError
from ecg.leads import TWELVE, lead_named
from ecg.recording import Recording
from ecg.structured_report import codes, items
from ecg.structured_report.codes import Code

DEVICE_UID = "2.25.336208537315608290660816688783543063335"
COMPREHENSIVE_SR = UID("1.2.840.10008.5.1.4.1.1.88.33")

#: What a report has of its recording word for word: whose it is, and which study.
INHERITED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "InstitutionName",
)
#: Of these the standard wants at least an empty one.
WANTED = frozenset({"PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"})
HINT = "自动分析，提示，非诊断；未经医师审核。 Automatic analysis: a hint, not a diagnosis; not reviewed by a physician."


@dataclass(frozen=True)
class Device:
    """What made the report: this program, wherever it runs."""

    uid: str = DEVICE_UID
    name: str = "telemed"
    manufacturer: str = "telemed"
    version: str = ""


def write(
    analysis: Analysis,
    recording: Recording,
    waveform: bytes,
    *,
    series_instance_uid: str,
    sop_instance_uid: str,
    device: Device,
    written_at: datetime,
) -> bytes:
    """Return the report of *analysis* as a Part 10 file: Comprehensive SR, Explicit VR Little Endian, UTF-8.

    *waveform* is the DICOM object that was analysed: its patient and study become the report's, and the report names it as
    its evidence. *written_at* must be aware. The same arguments give the same bytes. `EcgError` when *waveform* is not DICOM.
    """
    try:
        source = pydicom.dcmread(io.BytesIO(waveform), stop_before_pixels=True, specific_tags=[*INHERITED, *_NAMING])
        source.decode()
    except (InvalidDicomError, LookupError, ValueError) as error:
        raise EcgError("The recording is not readable as DICOM; a report can only be written about a DICOM recording.") from error
    dataset = _header(source, written_at)
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID = UID(series_instance_uid), UID(sop_instance_uid)
    dataset.Manufacturer, dataset.SoftwareVersions = device.manufacturer, device.version or "unknown"
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(source)]
    root = items.container(codes.REPORT, _content(analysis, recording, source, device), template="3700", relation="")
    dataset.update(root)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


_NAMING = ("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


def _header(source: Dataset, at: datetime) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = COMPREHENSIVE_SR
    for keyword in INHERITED:
        if keyword in source or keyword in WANTED:
            setattr(dataset, keyword, source.get(keyword, ""))
    for keyword in ("AccessionNumber", "ReferringPhysicianName"):
        setattr(dataset, keyword, source.get(keyword, ""))
    written = at.astimezone(UTC)
    dataset.InstanceCreationDate = dataset.ContentDate = dataset.SeriesDate = f"{written:%Y%m%d}"
    dataset.InstanceCreationTime = dataset.ContentTime = dataset.SeriesTime = f"{written:%H%M%S}"
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "SR", 900, 1
    dataset.SeriesDescription = "ECG Report"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _evidence(source: Dataset) -> Dataset:
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = source.SeriesInstanceUID, [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = source.StudyInstanceUID, [series]
    return study


def _content(analysis: Analysis, recording: Recording, source: Dataset, device: Device) -> Iterator[Dataset]:
    """Yield the sections of TID 3700 in their order."""
    whole = all(lead in recording.leads for lead in TWELVE)
    yield items.code(codes.LANGUAGE, codes.CHINESE, relation="HAS CONCEPT MOD")
    observer = "HAS OBS CONTEXT"
    yield items.code(codes.OBSERVER_TYPE, codes.DEVICE, relation=observer)
    yield items.uid(codes.DEVICE_UID, device.uid, relation=observer)
    yield items.text(codes.DEVICE_NAME, device.name, relation=observer)
    yield items.text(codes.DEVICE_MANUFACTURER, device.manufacturer, relation=observer)
    if whole:
        yield items.code(codes.PROCEDURE_REPORTED, codes.TWELVE_LEAD, relation="HAS CONCEPT MOD")
    yield items.container(codes.PROCEDURE, _procedure(recording, source, device, whole=whole), template="3708")
    if characteristics := list(_patient(recording)):
        yield items.container(codes.PATIENT, characteristics, template="3704")
    yield items.container(codes.QUANTITATIVE, _quantities(analysis))
    yield items.container(codes.QUALITATIVE, map(_finding, analysis.statements), template="3717")
    yield items.container(codes.SUMMARY, _summary(analysis), template="3719")


def _procedure(recording: Recording, source: Dataset, device: Device, *, whole: bool) -> Iterator[Dataset]:
    if recording.started_at is not None:
        yield items.moment(codes.PROCEDURE_AT, recording.started_at)
    yield items.waveform(source.SOPClassUID, source.SOPInstanceUID)
    if whole:
        yield items.code(codes.LEAD_SYSTEM, codes.UNSPECIFIED_TWELVE)
    if recording.equipment:
        yield items.text(codes.EQUIPMENT, recording.equipment)
    yield items.text(codes.ALGORITHM_NAME, device.name)
    yield items.text(codes.ALGORITHM_VERSION, device.version or "unknown")


def _patient(recording: Recording) -> Iterator[Dataset]:
    patient = recording.patient
    age = patient.age_at(recording.started_at) if patient else None
    if age is not None:
        yield items.number(codes.AGE, int(age), codes.YEARS)
    if patient and patient.sex in codes.SEXES:
        yield items.code(codes.SEX, codes.SEXES[patient.sex])


def _quantities(analysis: Analysis) -> Iterator[Dataset]:
    yield items.container(codes.GLOBAL, _global(analysis), template="3713")
    for lead, millivolts in (analysis.measurements.st_j_mv or {}).items():
        number = lead_named(lead).mdc_code
        name: Code = (number or lead, "MDC" if number else "99TELEMED", f"Lead {lead}")
        measured = items.number(codes.J_POINT, round(millivolts, 4), codes.MILLIVOLTS)
        children = [items.code(codes.LEAD, name, relation="HAS CONCEPT MOD"), measured]
        yield items.container(codes.OF_LEAD, children, template="3714")


def _global(analysis: Analysis) -> Iterator[Dataset]:
    values = global_values(analysis)
    for name, measure in codes.GLOBALS.items():
        value = values[name]
        if value is not None or measure.always:
            formula = [items.code(codes.ALGORITHM_NAME, measure.by, relation="HAS PROPERTIES")] if measure.by else []
            yield items.number(measure.concept, value, measure.unit, formula)


def global_values(analysis: Analysis) -> dict[str, float | None]:
    """Return what a report says of the whole recording, by the names of `codes.GLOBALS`; None could not be measured."""
    m = analysis.measurements
    gaps = np.diff(analysis.r_peaks) * 1000 / analysis.sampling_frequency_hz
    plain = {name: getattr(m, name) for name in codes.GLOBALS if hasattr(m, name)}
    corrected = {name: getattr(m.qtc_ms, name.partition(".")[2]) for name in codes.GLOBALS if name.startswith("qtc_ms.")}
    return plain | corrected | {
        "rr_interval_ms": round(float(np.mean(gaps))) if gaps.size else None,
        "beats": len(analysis.beats),
        "ectopic_beats": sum(beat in "VS" for beat in analysis.beats),
    }  # fmt: skip


def _finding(statement: Statement) -> Dataset:
    """Return a statement under its SCP-ECG code where it has one, else under ours, with its wording in both languages."""
    value = (statement.scp, "SCPECG") if statement.scp else (statement.code, "99TELEMED")
    words = f"{statement.text.zh} {statement.text.en}"
    said = items.text(codes.IN_WORDS, words, relation="HAS CONCEPT MOD")
    return items.code(codes.FINDING, (*value, statement.text.en), [said])


def _summary(analysis: Analysis) -> Iterator[Dataset]:
    yield items.text(codes.SUMMARY, HINT)
    unclear = analysis.rhythm.code == "not-measurable"
    overall = codes.NON_DIAGNOSTIC if unclear else codes.OVERALL_FINDINGS[analysis.severity]
    yield items.code(codes.OVERALL, overall)
