"""Rows of the index as attributes by keyword, for the answers to queries."""

from __future__ import annotations

from typing import Any

from dicom_node.archive.index import Instance, Patient, Series, Study
from dicom_node.archive.search import FoundInstance, FoundPatient, FoundSeries

Attributes = dict[str, Any]


def of(found: FoundPatient | Study | FoundSeries | FoundInstance) -> Attributes:
    """Return everything that can be said of what was found, the levels above it included."""
    match found:
        case FoundPatient():
            return _patient(found.patient) | {
                "NumberOfPatientRelatedStudies": found.studies,
                "NumberOfPatientRelatedSeries": found.series,
                "NumberOfPatientRelatedInstances": found.instances,
            }
        case Study():
            return _study(found)
        case FoundSeries():
            return _study(found.study) | _series(found.series)
        case FoundInstance():
            return _study(found.study) | _series(found.series) | _instance(found.instance)


def _patient(patient: Patient) -> Attributes:
    name = f"{patient.name}={patient.name_ideographic}={patient.name_phonetic}".rstrip("=")
    return {
        "PatientName": name,
        "PatientID": patient.patient_id,
        "IssuerOfPatientID": patient.issuer,
        "PatientSex": patient.sex,
        "PatientBirthDate": patient.birth_date,
    }


def _study(study: Study) -> Attributes:
    return {
        **study.attributes,
        **_patient(study.patient),
        "StudyInstanceUID": study.study_instance_uid,
        "StudyDate": study.study_date,
        "StudyTime": study.study_time,
        "AccessionNumber": study.accession_number,
        "StudyID": study.study_id,
        "StudyDescription": study.description,
        "ReferringPhysicianName": study.referring_physician,
        "ModalitiesInStudy": study.modalities,
        "NumberOfStudyRelatedSeries": study.series_count,
        "NumberOfStudyRelatedInstances": study.instance_count,
        "InstanceAvailability": "ONLINE",
    }


def _series(series: Series) -> Attributes:
    return {
        **series.attributes,
        "SeriesInstanceUID": series.series_instance_uid,
        "Modality": series.modality,
        "SeriesNumber": series.number,
        "SeriesDescription": series.description,
        "BodyPartExamined": series.body_part,
        "NumberOfSeriesRelatedInstances": series.instance_count,
    }


def _instance(instance: Instance) -> Attributes:
    return {
        **instance.attributes,
        "SOPInstanceUID": instance.sop_instance_uid,
        "SOPClassUID": instance.sop_class_uid,
        "InstanceNumber": instance.number,
        "Rows": instance.rows,
        "Columns": instance.columns,
        "NumberOfFrames": instance.frames,
        "AvailableTransferSyntaxUID": instance.transfer_syntax_uid,
    }
