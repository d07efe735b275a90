"""A DICOM ECG Report in, what it says out."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from ecg.errors import EcgError
from ecg.structured_report import codes
from ecg.structured_report.codes import Code

DEEPEST = 8


@dataclass(frozen=True)
class Finding:
    """One statement: its code under its scheme, and its wording."""

    code: str
    scheme: str
    words: str


@dataclass(frozen=True)
class Contents:
    """What an ECG Report says.

    ``measurements`` go by the names of `codes.GLOBALS`, None where measuring failed; ``st_j_mv`` by lead.
    """

    patient_id: str
    study_instance_uid: str
    waveform_uids: tuple[str, ...]
    measurements: Mapping[str, float | None]
    st_j_mv: Mapping[str, float]
    findings: tuple[Finding, ...]
    overall: str


def read(content: bytes) -> Contents:
    """Return what the ECG Report *content* (TID 3700) says; `EcgError` when it is none."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        if dataset.get("Modality") != "SR" or _code(dataset.ConceptNameCodeSequence[0])[:2] != codes.REPORT[:2]:
            raise EcgError("This DICOM object is not an ECG Report (PS3.16 TID 3700).")
        return _contents(dataset)
    except (InvalidDicomError, BytesLengthException, AttributeError, IndexError, KeyError, ValueError) as error:
        if isinstance(error, EcgError):
            raise
        raise EcgError("The ECG Report is damaged: its content is not readable; export it again.") from error


def _contents(dataset: Dataset) -> Contents:
    names = {(measure.concept[:2], measure.by and measure.by[:2]): name for name, measure in codes.GLOBALS.items()}
    measurements: dict[str, float | None] = {}
    st: dict[str, float] = {}
    waveforms, findings, overall = [], [], ""
    for item, parent in _walked(dataset):
        concept = _concept(item)[:2]
        if item.ValueType == "WAVEFORM":
            waveforms.append(str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
        elif item.ValueType == "NUM" and _concept(parent) == codes.GLOBAL:
            by = next((_value(child)[:2] for child in _children(item) if _concept(child) == codes.ALGORITHM_NAME), None)
            if name := names.get((concept, by)):
                measurements[name] = _number(item)
        elif item.ValueType == "NUM" and concept == codes.J_POINT[:2]:
            lead = next(_value(child)[2] for child in _children(parent) if _concept(child) == codes.LEAD)
            st[lead.removeprefix("Lead ")] = _number(item) or 0.0
        elif item.ValueType == "CODE" and concept == codes.FINDING[:2]:
            value, scheme, meaning = _value(item)
            words = (str(child.TextValue) for child in _children(item) if _concept(child) == codes.IN_WORDS)
            findings.append(Finding(value, scheme, next(words, meaning)))
        elif item.ValueType == "CODE" and concept == codes.OVERALL[:2]:
            overall = _value(item)[2]
    patient_id, study = str(dataset.get("PatientID", "")), str(dataset.StudyInstanceUID)
    return Contents(patient_id, study, tuple(waveforms), measurements, st, tuple(findings), overall)


def _walked(parent: Dataset, depth: int = 0) -> Iterator[tuple[Dataset, Dataset]]:
    """Yield every content item with the one that holds it."""
    for item in _children(parent) if depth < DEEPEST else ():
        yield item, parent
        yield from _walked(item, depth + 1)


def _children(item: Dataset) -> list[Dataset]:
    return list(item.get("ContentSequence") or [])


def _concept(item: Dataset) -> Code:
    named = item.get("ConceptNameCodeSequence")
    return _code(named[0]) if named else ("", "", "")


def _value(item: Dataset) -> Code:
    return _code(item.ConceptCodeSequence[0])


def _code(item: Dataset) -> Code:
    value = item.get("CodeValue") or item.get("LongCodeValue") or ""
    return str(value), str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeMeaning", ""))


def _number(item: Dataset) -> float | None:
    measured = item.get("MeasuredValueSequence")
    return float(measured[0].NumericValue) if measured else None
