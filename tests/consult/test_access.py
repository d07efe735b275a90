"""Who may see a study."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import insert, select
from support.builders import a_clinic, a_county, a_hospital, a_nurse, a_person, a_specialist, a_study, a_task, an_agreement

from consult.access import may_read_study, visible, visible_to_equipment
from consult.practitioners.model import Role
from consult.queue.actions import cancel, decline
from consult.queue.model import Declined
from consult.rounds import actions as rounds
from dicom_node.archive.tables import study_table
from telemed.kernel.database import new_id
from telemed.kernel.errors import NotFound


def holder(database, viewer, uid):
    with database.reading() as db:
        listed = list(db.scalars(select(study_table.c.institution).where(visible(viewer))))
        if not listed:
            with pytest.raises(NotFound, match="there is no such study here"):
                may_read_study(db, viewer, uid)
            return None
        found = may_read_study(db, viewer, uid)
        assert found in listed
        return found


def test_a_clinic_sees_its_own_studies_and_no_other_s(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    assert holder(database, county.nurse, uid) == county.clinic
    assert holder(database, stranger, uid) is None
    assert holder(database, stranger, "1.2.3") is None


def test_the_hospital_sees_a_study_only_once_it_was_asked_and_until_it_is_withdrawn(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    assert holder(database, county.radiologist, uid) is None
    task_id = a_task(database, chronicle, county.nurse, uid)
    assert holder(database, county.radiologist, uid) == county.clinic
    assert holder(database, county.coordinator, uid) == county.clinic
    with database.transaction() as db:
        cancel(db, chronicle, task_id, reason="转院", by=county.nurse)
    assert holder(database, county.radiologist, uid) is None


def test_a_hospital_that_declined_no_longer_sees_the_study(database, chronicle):
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    an_agreement(database, chronicle, county.clinic, province, valid_from=date(2021, 1, 1))
    uid = a_study(database, chronicle, county.clinic)
    task_id = a_task(database, chronicle, county.nurse, uid)
    with database.transaction() as db:
        decline(db, chronicle, task_id, code=Declined.NO_CAPACITY, reason="无人", by=county.radiologist)
    assert holder(database, county.radiologist, uid) is None
    assert holder(database, a_specialist(database, chronicle, province), uid) == county.clinic


def test_a_hospital_invited_to_a_round_sees_its_study_until_the_round_is_closed(database, chronicle):
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    professor = a_specialist(database, chronicle, province)
    uid = a_study(database, chronicle, county.clinic)
    assert holder(database, professor, uid) is None
    invited = {"institution_id": county.clinic, "study_instance_uid": uid, "invited": [province]}
    with database.transaction() as db:
        round_id = rounds.open_round(db, chronicle, title="会诊", **invited, by=county.coordinator).id
    assert holder(database, professor, uid) == county.clinic
    with database.transaction() as db:
        rounds.close(db, chronicle, round_id, by=county.coordinator)
    assert holder(database, professor, uid) is None


@pytest.mark.parametrize("role", [Role.REGULATOR, Role.ADMIN])
def test_figures_are_not_images(database, chronicle, role):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    a_task(database, chronicle, county.nurse, uid)
    assert holder(database, a_person(database, chronicle, county.clinic, role), uid) is None


def test_of_two_clinics_with_one_study_uid_each_sees_its_own(database, chronicle):
    county = a_county(database, chronicle)
    other = a_clinic(database, chronicle, "邻乡卫生院")
    uid, twin = a_study(database, chronicle, county.clinic), a_study(database, chronicle, other)
    with database.transaction() as db:
        row = dict(db.execute(select(study_table).where(study_table.c.study_instance_uid == twin)).mappings().one())
        db.execute(insert(study_table).values(row | {"id": new_id(), "study_instance_uid": uid}))
    nurse = a_nurse(database, chronicle, other)
    assert holder(database, county.nurse, uid) == county.clinic
    assert holder(database, nurse, uid) == other
    a_task(database, chronicle, county.nurse, uid)
    assert holder(database, county.radiologist, uid) == county.clinic


def test_equipment_sees_its_own_institutions_studies_and_those_that_were_asked_about(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)

    def seen(institution):
        with database.reading() as db:
            return list(db.scalars(select(study_table.c.study_instance_uid).where(visible_to_equipment(institution))))

    assert (seen(county.clinic), seen(county.hospital)) == ([uid], [])
    a_task(database, chronicle, county.nurse, uid)
    assert seen(county.hospital) == [uid]
    assert seen(a_clinic(database, chronicle, "邻乡卫生院")) == []
