"""The index's columns by the attributes they hold, for the answers to queries.

A query is answered with what it asks for, and so no more is read: of a study that is a third of its columns, mostly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table

_Columns = Mapping[str, ColumnElement[Any]]

_patient, _study, _series, _instance = patient_table.c, study_table.c, series_table.c, instance_table.c

_OF_PATIENT: _Columns = {
    # PS3.5 6.2.1: the groups of a name, without equals signs after the last.
    "PatientName": func.rtrim(_patient.name + "=" + _patient.name_ideographic + "=" + _patient.name_phonetic, "="),
    "PatientID": _patient.patient_id,
    "IssuerOfPatientID": _patient.issuer,
    "PatientSex": _patient.sex,
    "PatientBirthDate": _patient.birth_date,
}
_OF_STUDY: _Columns = {
    **_OF_PATIENT,
    "StudyInstanceUID": _study.study_instance_uid,
    "StudyDate": _study.study_date,
    "StudyTime": _study.study_time,
    "AccessionNumber": _study.accession_number,
    "StudyID": _study.study_id,
    "StudyDescription": _study.description,
    "ReferringPhysicianName": _study.referring_physician,
    "ModalitiesInStudy": _study.modalities,
    "NumberOfStudyRelatedSeries": _study.series_count,
    "NumberOfStudyRelatedInstances": _study.instance_count,
    "InstanceAvailability": literal_column("'ONLINE'"),
}
_OF_SERIES: _Columns = {
    **_OF_STUDY,
    "SeriesInstanceUID": _series.series_instance_uid,
    "Modality": _series.modality,
    "SeriesNumber": _series.number,
    "SeriesDescription": _series.description,
    "BodyPartExamined": _series.body_part,
    "NumberOfSeriesRelatedInstances": _series.instance_count,
}
_OF_INSTANCE: _Columns = {
    **_OF_SERIES,
    "SOPInstanceUID": _instance.sop_instance_uid,
    "SOPClassUID": _instance.sop_class_uid,
    "InstanceNumber": _instance.number,
    "Rows": _instance.rows,
    "Columns": _instance.columns,
    "NumberOfFrames": _instance.frames,
    "AvailableTransferSyntaxUID": _instance.transfer_syntax_uid,
}

#: What is known of everything at a level, the levels above it included; a patient's counts are of the studies found.
COLUMNS: Mapping[str, _Columns] = {
    "PATIENT": {
        **_OF_PATIENT,
        "NumberOfPatientRelatedStudies": func.count(_study.id),
        "NumberOfPatientRelatedSeries": func.sum(_study.series_count),
        "NumberOfPatientRelatedInstances": func.sum(_study.instance_count),
    },
    "STUDY": _OF_STUDY,
    "SERIES": _OF_SERIES,
    "IMAGE": _OF_INSTANCE,
}

#: Where the further attributes of some are, by keyword: what is below says it first.
BESIDE: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "PATIENT": (),
    "STUDY": (_study.attributes.label("of_study"),),
    "SERIES": (_study.attributes.label("of_study"), _series.attributes.label("of_series")),
    "IMAGE": (
        _study.attributes.label("of_study"),
        _series.attributes.label("of_series"),
        _instance.attributes.label("of_instance"),
    ),
}
