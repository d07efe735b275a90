"""What the modalities are to do, until its study has arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.builders import a_clinic, a_nurse, a_study, a_uid

from consult.practitioners.model import SYSTEM
from consult.requests.actions import schedule
from consult.requests.model import Examination
from consult.requests.views import scheduled
from dicom_node.archive.tables import study_table
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, Refused


@pytest.fixture
def clinic(database, chronicle):
    return a_clinic(database, chronicle)


@pytest.fixture
def plan(database, chronicle, clinic):
    def plan(by=SYSTEM, **other):
        values = {
            "id": new_id(), "institution_id": clinic, "accession_number": "E1", "study_instance_uid": a_uid(),
            "patient_id": "P1", "name": "WANG^Fang=王芳", "sex": "F", "birth_date": "19580214", "modality": "CT",
            "station_aet": "", "description": "胸部平扫", "scheduled_at": chronicle.clock.now(), "cancelled_at": None,
        }  # fmt: skip
        made = Examination(**values | other)
        with database.transaction() as db:
            schedule(db, chronicle, made, by=by)
        return made

    return plan


@pytest.fixture
def to_do(database, chronicle, clinic):
    def to_do():
        with database.reading() as db:
            return [one.accession_number for one in scheduled(db, clinic, since=chronicle.clock.now() - timedelta(days=7))]

    return to_do


def test_an_examination_stays_on_the_list_until_its_study_arrives(database, chronicle, clinic, plan, to_do):
    first, _ = plan(), plan(accession_number="E2")
    a_study(database, chronicle, clinic)
    assert to_do() == ["E1", "E2"]
    arrived = a_study(database, chronicle, clinic)
    with database.transaction() as db:
        mine = study_table.c.study_instance_uid == arrived
        db.execute(study_table.update().where(mine).values(study_instance_uid=first.study_instance_uid))
    assert to_do() == ["E2"]


def test_equipment_that_makes_its_own_uid_is_matched_by_accession_number(database, chronicle, clinic, plan, to_do):
    plan()
    elsewhere, here = a_study(database, chronicle, a_clinic(database, chronicle, "邻乡")), a_study(database, chronicle, clinic)
    for uid, left in ((elsewhere, ["E1"]), (here, [])):
        with database.transaction() as db:
            db.execute(study_table.update().where(study_table.c.study_instance_uid == uid).values(accession_number="E1"))
        assert to_do() == left


def test_what_was_not_done_in_a_week_is_no_longer_looked_for(chronicle, plan, to_do):
    plan(scheduled_at=chronicle.clock.now() - timedelta(days=8))
    assert to_do() == []


def test_an_accession_number_is_given_once(plan, to_do):
    plan()
    with pytest.raises(Conflict, match="E1 is taken"):
        plan()
    assert to_do() == ["E1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"accession_number": ""}, {"accession_number": "A" * 17}, {"name": "A\\B"}, {"sex": "X"},
        *({"birth_date": wrong} for wrong in ("1958", "1958-214", "19580231", "²⁰²⁰⁰¹⁰¹", "29580214")),
    ],
)  # fmt: skip
def test_what_no_modality_could_show_is_refused(plan, wrong):
    with pytest.raises(Invalid):
        plan(**wrong)


def test_a_child_may_be_born_today_as_the_hospital_counts_but_not_tomorrow(chronicle, plan, to_do):
    chronicle.clock.pass_(hours=18)  # 19:30 UTC on the second of March, half past three on the third
    plan(birth_date="20260303")
    with pytest.raises(Invalid, match="2026-03-04 is still to come"):
        plan(birth_date="20260304", accession_number="E2")
    assert to_do() == ["E1"]


def test_another_clinics_nurse_schedules_nothing_here(database, chronicle, plan):
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    with pytest.raises(Refused):
        plan(by=stranger)
