"""Names that no reading explains: kept as bytes, shown as a mark, until somebody says what the device writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from dicom_node.archive.charset import ASSUMABLE, Legibility, decode
from dicom_node.archive.profiles import Device
from dicom_node.archive.rereading import device_of
from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table

MOST = 100


@dataclass(frozen=True)
class IllegibleName:
    """A name that cannot be read, which device wrote it, and what it would be in each character set that takes the bytes."""

    institution: str
    patient_id: str
    study_instance_uid: str
    raw: bytes
    device: Device
    readings: Mapping[str, str]


def illegible_names(db: Connection) -> list[IllegibleName]:
    """Return the names that could not be read, those of the newest studies first; at most MOST, one for each patient."""
    patient, study, series, instance = patient_table.c, study_table.c, series_table.c, instance_table.c
    named = func.coalesce(study.received_patient_key, study.patient_key)
    rows = (
        select(*patient, study.study_instance_uid, series.attributes, instance.source)
        .join(study_table, or_(study.patient_key == patient.id, study.received_patient_key == patient.id))
        .join(series_table, series.study_id == study.id)
        .join(instance_table, instance.series_id == series.id)
        .where(
            patient.name_legibility == Legibility.ILLEGIBLE, named == patient.id, instance.received_at == study.first_received_at
        )
        .order_by(study.first_received_at.desc(), instance.id)
        .limit(MOST)
    )
    found: dict[str, IllegibleName] = {}
    for row in db.execute(rows):
        device = device_of(row.institution, row.source, row.attributes)
        name = IllegibleName(
            row.institution, row.patient_id, row.study_instance_uid, row.name_raw, device, readings_of(row.name_raw)
        )
        found.setdefault(row.id, name)
    return list(found.values())


def readings_of(raw: bytes) -> dict[str, str]:
    """Return what *raw* says in each character set that it could be, each text once."""
    found: dict[str, str] = {}
    for charset in ASSUMABLE:
        text = decode(raw, (charset,), charset)
        if text.legibility is Legibility.STATED and text.value not in found.values():
            found[charset] = text.value
    return found
