"""Rows of the index as the DICOM JSON Model (PS3.18 Annex F), for search results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_node.archive.index import Instance, Patient, Series, Study

DicomJson = dict[str, dict[str, Any]]

_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US", "SV", "UV"})
#: VRs whose values a search result can carry as they are.
_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})


def element(keyword: str, *values: Any) -> tuple[str, dict[str, Any]] | None:  # noqa: ANN401 - each VR has its own type
    """Return (tag, element) for *keyword*, empty when there is no value; None for what JSON of an index cannot carry."""
    known = _known(keyword)
    if known is None:
        return None
    tag, vr = known
    if vr in _TEXTS and len(values) == 1 and isinstance(values[0], str):  # most are: a page of studies has thousands
        return tag, ({"vr": vr, "Value": [values[0]]} if values[0] else {"vr": vr})
    kept = [value for value in values if value not in (None, "")]
    if vr in _NUMBERS:
        kept = [value for value in kept if isinstance(value, int | float) and not isinstance(value, bool)]
    elif vr == "PN":
        kept = [value if isinstance(value, dict) else groups_of(str(value)) for value in kept]
    else:
        kept = [str(value) for value in kept]
    return tag, ({"vr": vr, "Value": kept} if kept else {"vr": vr})


@cache
def _known(keyword: str) -> tuple[str, str] | None:
    """Return the tag, as JSON writes it, and the VR of *keyword*; None for what JSON of an index cannot carry."""
    tag = tag_for_keyword(keyword)
    vr = "" if tag is None else dictionary_VR(tag).partition(" or ")[0]
    return (f"{tag:08X}", vr) if vr in _NUMBERS | _TEXTS | {"PN"} else None


def _made(pairs: Iterable[tuple[str, Any]], further: Mapping[str, Any], included: frozenset[str] | None) -> DicomJson:
    """Join the standing attributes with those of *further* that are *included*; None includes all."""
    found: DicomJson = {}
    wanted = {name: value for name, value in further.items() if included is None or name in included}
    for keyword, value in [*wanted.items(), *pairs]:
        made = element(keyword, *value) if isinstance(value, list | tuple) else element(keyword, value)
        if made is not None:
            found[made[0]] = made[1]
    return dict(sorted(found.items()))


def groups_of(name: str) -> dict[str, str]:
    """Part a person's name at its equals signs (PS3.5 section 6.2.1.2) into what Annex F.2.2 calls them."""
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
    return {group: text for group, text in groups if text}


def _person(patient: Patient) -> dict[str, str]:
    return groups_of(f"{patient.name}={patient.name_ideographic}={patient.name_phonetic}")


def of_study(study: Study, base: str, included: frozenset[str] | None) -> DicomJson:
    """Return a study's attributes of PS3.18 Table 10.6.3-3, and those asked for; *base* is the service's address."""
    patient = study.patient
    return _made(
        [
            ("SpecificCharacterSet", "ISO_IR 192"),
            ("StudyDate", study.study_date),
            ("StudyTime", study.study_time),
            ("AccessionNumber", study.accession_number),
            ("InstanceAvailability", "ONLINE"),
            ("ModalitiesInStudy", list(study.modalities)),
            ("ReferringPhysicianName", study.referring_physician),
            ("StudyDescription", study.description),
            ("RetrieveURL", f"{base}/studies/{study.study_instance_uid}"),
            ("PatientName", _person(patient) or None),
            ("PatientID", patient.patient_id),
            ("PatientBirthDate", patient.birth_date),
            ("PatientSex", patient.sex),
            ("StudyInstanceUID", study.study_instance_uid),
            ("StudyID", study.study_id),
            ("NumberOfStudyRelatedSeries", study.series_count),
            ("NumberOfStudyRelatedInstances", study.instance_count),
        ],
        study.attributes,
        included,
    )


def of_series(series: Series, study_instance_uid: str, base: str, included: frozenset[str] | None) -> DicomJson:
    """Return a series' attributes of PS3.18 Table 10.6.3-4, and those asked for."""
    return _made(
        [
            ("SpecificCharacterSet", "ISO_IR 192"),
            ("Modality", series.modality),
            ("SeriesDescription", series.description),
            ("RetrieveURL", f"{base}/studies/{study_instance_uid}/series/{series.series_instance_uid}"),
            ("BodyPartExamined", series.body_part),
            ("StudyInstanceUID", study_instance_uid),
            ("SeriesInstanceUID", series.series_instance_uid),
            ("SeriesNumber", series.number),
            ("NumberOfSeriesRelatedInstances", series.instance_count),
        ],
        series.attributes,
        included,
    )


def of_instance(
    instance: Instance, series_instance_uid: str, study_instance_uid: str, base: str, included: frozenset[str] | None
) -> DicomJson:
    """Return an instance's attributes of PS3.18 Table 10.6.3-5, and those asked for."""
    address = f"{base}/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{instance.sop_instance_uid}"
    return _made(
        [
            ("SpecificCharacterSet", "ISO_IR 192"),
            ("SOPClassUID", instance.sop_class_uid),
            ("SOPInstanceUID", instance.sop_instance_uid),
            ("InstanceAvailability", "ONLINE"),
            ("RetrieveURL", address),
            ("AvailableTransferSyntaxUID", instance.transfer_syntax_uid),
            ("StudyInstanceUID", study_instance_uid),
            ("SeriesInstanceUID", series_instance_uid),
            ("InstanceNumber", instance.number),
            ("Rows", instance.rows),
            ("Columns", instance.columns),
            ("NumberOfFrames", instance.frames if instance.rows and instance.frames > 1 else None),
        ],
        instance.attributes,
        included,
    )
