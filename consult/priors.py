"""What there may be of a patient at other institutions: shown to be looked at before somebody asks again, never merged."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, and_, select

from consult.access import visible
from consult.consents.tables import consent_table
from consult.practitioners.model import Viewer
from consult.requests.tables import request_table
from dicom_node.archive import index
from dicom_node.archive.tables import patient_table, study_table


def alike(viewer: Viewer, name: str, sex: str, birth_date: date) -> ColumnElement[bool]:
    """Return the condition over study_table for other institutions' studies of who may be a certain patient.

    Name, sex (DICOM's letter) and birth date are the same; nobody has proved that it is one person. The viewer may see the
    study because their institution was asked about it, on a consent to the transfer that is not revoked.
    """
    who, day = patient_table.c, birth_date.strftime("%Y%m%d")
    same = select(who.id).where(index.names_begin(name), who.sex == sex, who.birth_date == day)
    asked = select(request_table.c.id).outerjoin(consent_table, consent_table.c.id == request_table.c.consent_id)
    standing = asked.where(
        request_table.c.institution_id == study_table.c.institution,
        request_table.c.study_instance_uid == study_table.c.study_instance_uid,
        request_table.c.performer_id == viewer.institution_id,
        consent_table.c.revoked_at.is_(None),
    ).exists()
    elsewhere = study_table.c.institution != viewer.institution_id
    return and_(visible(viewer), elsewhere, study_table.c.patient_key.in_(same), standing)
