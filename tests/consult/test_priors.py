"""Earlier examinations elsewhere: shown where a consent lets them be seen, never taken for the same person's."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from support.builders import WRITTEN, a_county, a_study, a_task

from consult.consents import actions as consents
from consult.intake import revoke_consent
from consult.practitioners.model import Viewer
from consult.priors import alike
from consult.queue import actions as queue
from consult.queue.tables import task_table
from dicom_node.archive import index
from dicom_node.archive.tables import patient_table, study_table


def found(database, viewer: Viewer, institution: str, uid: str) -> list[str]:
    with database.reading() as db:
        study = index.study(db, institution, uid)
        return list(db.scalars(select(study_table.c.study_instance_uid).where(alike(viewer, study))))


@pytest.fixture
def county(database, chronicle):
    return a_county(database, chronicle)


def asked(database, chronicle, county, uid: str) -> str:
    """Let the clinic record the patient's consent and ask the hospital on it; return the consent's id."""
    with database.transaction() as db:
        terms = {"institution_id": county.clinic, "study_instance_uid": uid}
        kept = consents.record(db, chronicle, WRITTEN, **terms, by=county.nurse)
    a_task(database, chronicle, county.nurse, uid, consent=None, consent_id=kept.id)
    return kept.id


def test_a_hospital_sees_what_it_was_asked_about_elsewhere_until_the_consent_is_revoked(database, chronicle, county):
    elsewhere, here = a_study(database, chronicle, county.clinic), a_study(database, chronicle, county.hospital)
    assert found(database, county.coordinator, county.hospital, here) == []  # nobody asked about it
    consent_id = asked(database, chronicle, county, elsewhere)
    assert found(database, county.coordinator, county.hospital, here) == [elsewhere]
    assert found(database, county.nurse, county.clinic, elsewhere) == []  # the hospital has asked the clinic nothing
    with database.reading() as db:
        task = db.scalars(select(task_table.c.id).where(task_table.c.performer_id == county.hospital)).one()
    with database.transaction() as db:  # an answer keeps the study in the hospital's sight; the guard looks at the consent
        queue.claim(db, chronicle, task, by=county.radiologist)
        queue.start(db, chronicle, task, by=county.radiologist)
        queue.complete(db, chronicle, task, report_id="0" * 32, by=county.radiologist)
    assert found(database, county.coordinator, county.hospital, here) == [elsewhere]
    with database.transaction() as db:
        revoke_consent(db, chronicle, consent_id, reason="患者要求", by=county.nurse)
    assert found(database, county.coordinator, county.hospital, here) == []


@pytest.mark.parametrize(
    "other", [{"birth_date": "19580215"}, {"ideographic": "王大东", "name": "WANG^Dadong"}, {"birth_date": ""}]
)
def test_who_differs_in_name_or_birth_date_or_does_not_state_them_is_not_shown(database, chronicle, county, other):
    elsewhere = a_study(database, chronicle, county.clinic)
    asked(database, chronicle, county, elsewhere)
    here = a_study(database, chronicle, county.hospital, **other)
    assert found(database, county.coordinator, county.hospital, here) == []


def test_another_sex_is_another_person(database, chronicle, county):
    elsewhere, here = a_study(database, chronicle, county.clinic), a_study(database, chronicle, county.hospital)
    asked(database, chronicle, county, elsewhere)
    with database.transaction() as db:
        db.execute(update(patient_table).where(patient_table.c.institution == county.hospital).values(sex="F"))
    assert found(database, county.coordinator, county.hospital, here) == []
