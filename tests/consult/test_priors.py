"""Earlier examinations elsewhere: shown where a consent lets them be seen, never taken for the same person's."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select
from support.builders import WRITTEN, a_county, a_study, a_task, found_by_name

from consult.consents import actions as consents
from consult.intake import revoke_consent
from consult.practitioners.model import Viewer
from consult.priors import alike
from consult.queue import actions as queue
from consult.queue.tables import task_table
from dicom_node.archive.tables import study_table

BORN = date(1958, 2, 14)


def found(database, viewer: Viewer, name: str = "王小东", sex: str = "M", born: date = BORN) -> list[str]:
    with database.reading() as db:
        return list(db.scalars(select(study_table.c.study_instance_uid).where(alike(viewer, name, sex, born))))


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


def test_a_hospital_sees_what_it_was_asked_about_until_the_consent_is_revoked(database, chronicle, county):
    elsewhere = found_by_name(database, a_study(database, chronicle, county.clinic))
    found_by_name(database, a_study(database, chronicle, county.hospital))
    assert found(database, county.coordinator) == []  # nobody asked about it
    consent_id = asked(database, chronicle, county, elsewhere)
    assert found(database, county.coordinator) == [elsewhere]  # its own study is not elsewhere
    assert found(database, county.nurse) == []  # the hospital has asked the clinic nothing
    with database.reading() as db:
        task = db.scalars(select(task_table.c.id).where(task_table.c.performer_id == county.hospital)).one()
    with database.transaction() as db:  # an answer keeps the study in the hospital's sight; the guard looks at the consent
        queue.claim(db, chronicle, task, by=county.radiologist)
        queue.start(db, chronicle, task, by=county.radiologist)
        queue.complete(db, chronicle, task, report_id="0" * 32, by=county.radiologist)
    assert found(database, county.coordinator) == [elsewhere]
    with database.transaction() as db:
        revoke_consent(db, chronicle, consent_id, reason="患者要求", by=county.nurse)
    assert found(database, county.coordinator) == []


@pytest.mark.parametrize(
    "other", [("王大东", "M", BORN), ("王小东", "F", BORN), ("王小东", "M", date(1958, 2, 15)), ("", "M", BORN)]
)
def test_who_differs_in_name_sex_or_birth_date_is_another_person(database, chronicle, county, other):
    elsewhere = found_by_name(database, a_study(database, chronicle, county.clinic))
    asked(database, chronicle, county, elsewhere)
    assert found(database, county.coordinator, *other) == []
    assert found(database, county.coordinator, "wangxiaodong") == [elsewhere]
