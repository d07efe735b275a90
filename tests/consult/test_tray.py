"""Requests before their study: linked by themselves, by a person, and taken back."""

from __future__ import annotations

import pytest
from support.builders import WRITTEN, a_county, a_study, a_task, a_uid

from consult import tray
from consult.queue import actions as queue
from consult.queue import views
from consult.queue.model import TaskStatus
from consult.reports.actions import cancel_report, save_draft, sign_task
from consult.reports.model import Draft, Withdrawal
from consult.requests.matching import Ground
from consult.requests.model import Examination, Kind, Lane, Order, Priority
from consult.requests.tables import request_table
from dicom_node.archive.events import STUDY_SETTLED
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, NotFound, Refused
from telemed.kernel.events import Event


def do(database, chronicle, action, *args, **kwargs):
    with database.transaction() as db:
        return action(db, chronicle, *args, **kwargs)


def an_early_request(database, chronicle, county, **terms):
    plan = {
        "id": new_id(),
        "institution_id": county.clinic,
        "accession_number": new_id()[:12],
        "study_instance_uid": a_uid(),
        "patient_id": "P7",
        "name": "WANG^Fang=王芳",
        "sex": "M",
        "birth_date": "19580214",
        "modality": "CT",
        "station_aet": "",
        "description": "",
        "scheduled_at": chronicle.clock.now(),
        "cancelled_at": None,
    }
    examination = Examination(**plan | terms)
    order = Order(
        examination.study_instance_uid, Kind.DIAGNOSIS, Priority.URGENT, Lane.IMAGING, "有无骨折？", WRITTEN, complaint="外伤"
    )
    return do(database, chronicle, tray.place_early, examination, order, by=county.nurse)


def settled(database, chronicle, county, uid):
    """Let the worker see that a study has settled."""
    data = {"institution": county.clinic, "study_instance_uid": uid}
    event = Event(position=1, type=STUDY_SETTLED, subject=uid, at=chronicle.clock.now(), data=data)
    write = tray.Matching(database, chronicle).prepare(event)
    if write is not None:
        with database.transaction() as db:
            write(db)


def answered(database, chronicle, county, task_id):
    """Let the radiologist answer a task; return the report."""
    do(database, chronicle, queue.claim, task_id, by=county.radiologist)
    text = Draft("未见骨折。", "未见异常。", Kind.DIAGNOSIS, critical=False)
    do(database, chronicle, save_draft, task_id, text, expected_version=0, by=county.radiologist)
    return sign_task(database, chronicle, task_id, lambda _: b"%PDF", by=county.radiologist)


def withdrawn(database, chronicle, county, report):
    return cancel_report(database, chronicle, report.id, Withdrawal.SIGNED_IN_ERROR, "", lambda _: b"%PDF", by=county.radiologist)


def in_tray(database, chronicle, county):
    with database.reading() as db:
        found = tray.tray(db, county.nurse, chronicle.clock.now())
    return [one.id for one in found.requests], [one.study_instance_uid for one in found.studies]


def tasks(database, viewer):
    with database.reading() as db:
        return views.queue(db, viewer).items


def test_two_studies_of_one_number_are_both_left_to_a_person(database, chronicle):
    county = a_county(database, chronicle)
    foreign = a_study(database, chronicle, county.clinic, patient_id="P8")
    early = an_early_request(database, chronicle, county, accession_number="A1")
    chronicle.clock.pass_(minutes=9)
    mine = a_study(database, chronicle, county.clinic, patient_id="P7")
    for uid in (foreign, mine):
        settled(database, chronicle, county, uid)
    requests, studies = in_tray(database, chronicle, county)
    assert (requests, set(studies)) == ([early.id], {foreign, mine})


def test_one_request_and_one_study_of_one_number_become_a_task_with_the_clinic_s_question(database, chronicle):
    county = a_county(database, chronicle)
    early = an_early_request(database, chronicle, county, accession_number="A1")
    uid = a_study(database, chronicle, county.clinic, patient_id="P7")
    for _ in range(2):
        settled(database, chronicle, county, uid)
    (task,) = tasks(database, county.radiologist)
    assert (task.study_instance_uid, task.reason, task.priority) == (uid, "有无骨折？", Priority.URGENT)
    with database.reading() as db:
        linked = tray.early_by_id(db, county.clinic, early.id)
        (request,) = db.execute(request_table.select()).all()
    assert (linked.ground, linked.task_id, request.complaint) == (Ground.ACCESSION, task.id, "外伤")
    assert in_tray(database, chronicle, county) == ([], [])


def test_a_person_links_moves_and_takes_back_while_nobody_reads(database, chronicle):
    county = a_county(database, chronicle)
    early = an_early_request(database, chronicle, county)
    wrong, right = (a_study(database, chronicle, county.clinic) for _ in range(2))
    first = do(database, chronicle, tray.link, early.id, wrong, by=county.nurse)
    assert (first.ground, first.study_instance_uid) == (Ground.PERSON, wrong)
    moved = do(database, chronicle, tray.link, early.id, right, by=county.nurse)
    assert [task.study_instance_uid for task in tasks(database, county.radiologist)] == [right]
    with database.reading() as db:
        assert views.task(db, county.nurse, first.task_id).status is TaskStatus.CANCELLED
    do(database, chronicle, tray.unlink, early.id, by=county.nurse)
    assert tasks(database, county.radiologist) == ()
    assert in_tray(database, chronicle, county)[0] == [early.id]
    again = do(database, chronicle, tray.link, early.id, right, by=county.nurse)
    assert again.task_id != moved.task_id
    do(database, chronicle, queue.claim, again.task_id, by=county.radiologist)
    do(database, chronicle, queue.start, again.task_id, by=county.radiologist)
    with pytest.raises(Conflict, match="in-progress cannot be cancelled"):
        do(database, chronicle, tray.unlink, early.id, by=county.nurse)


def test_a_revoked_request_leaves_the_worklist_and_the_tray(database, chronicle):
    county = a_county(database, chronicle)
    early = an_early_request(database, chronicle, county)
    do(database, chronicle, tray.revoke, early.id, by=county.nurse)
    assert in_tray(database, chronicle, county) == ([], [])
    with pytest.raises(Conflict, match="revoked"):
        do(database, chronicle, tray.link, early.id, a_study(database, chronicle, county.clinic), by=county.nurse)


def test_only_the_clinic_that_asks_links_and_a_study_that_was_asked_about_is_not_taken(database, chronicle):
    county = a_county(database, chronicle)
    early = an_early_request(database, chronicle, county)
    uid = a_study(database, chronicle, county.clinic)
    with pytest.raises(NotFound):
        do(database, chronicle, tray.link, early.id, uid, by=county.coordinator)
    a_task(database, chronicle, county.nurse, uid)
    with pytest.raises(Conflict, match="already asked"):
        do(database, chronicle, tray.link, early.id, uid, by=county.nurse)


@pytest.mark.parametrize("early", [False, True], ids=["asked about beside the study", "asked about before the study"])
def test_a_study_whose_report_was_cancelled_is_linked_anew_by_itself_and_by_hand(database, chronicle, early):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic, patient_id="P7")
    if early:
        first = an_early_request(database, chronicle, county)
        task_id = do(database, chronicle, tray.link, first.id, uid, by=county.nurse).task_id
    else:
        task_id = a_task(database, chronicle, county.nurse, uid)
    report = answered(database, chronicle, county, task_id)
    anew = an_early_request(database, chronicle, county, accession_number="A1")
    settled(database, chronicle, county, uid)
    assert in_tray(database, chronicle, county) == ([anew.id], []), "an answered study is nobody else's"

    withdrawn(database, chronicle, county, report)
    assert in_tray(database, chronicle, county) == ([anew.id], [uid])
    settled(database, chronicle, county, uid)
    (task,) = tasks(database, county.radiologist)
    with database.reading() as db:
        linked = tray.early_by_id(db, county.clinic, anew.id)
    assert (linked.ground, linked.study_instance_uid, linked.task_id) == (Ground.ACCESSION, uid, task.id)
    assert in_tray(database, chronicle, county) == ([], [])

    do(database, chronicle, tray.unlink, anew.id, by=county.nurse)
    assert in_tray(database, chronicle, county) == ([anew.id], [uid])
    again = do(database, chronicle, tray.link, anew.id, uid, by=county.nurse)
    withdrawn(database, chronicle, county, answered(database, chronicle, county, again.task_id))
    assert in_tray(database, chronicle, county) == ([], [uid])


def test_an_early_request_needs_consent_like_any_other(database, chronicle):
    county = a_county(database, chronicle)
    plan = Examination(new_id(), county.clinic, "A9", a_uid(), "P1", "A", "", "", "CT", "", "", chronicle.clock.now(), None)
    order = Order(plan.study_instance_uid, Kind.DIAGNOSIS, Priority.ROUTINE, Lane.IMAGING, "?", None)
    with pytest.raises(Refused, match="consent"):
        do(database, chronicle, tray.place_early, plan, order, by=county.nurse)
