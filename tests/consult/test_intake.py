"""From an arrived study to a task, once."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import func, select, update
from support.builders import a_clinic, a_county, a_nurse, a_study, a_task, an_order
from support.long_hearts import heart, sinus
from support.server import until

from consult import recordings as analysing
from consult.consents.actions import end_routing, let_route
from consult.intake import DEMO_ROUTING, Intake, ask
from consult.practitioners.model import SYSTEM, Role
from consult.practitioners.views import agreements_of
from consult.queue import actions as queue
from consult.queue import views
from consult.queue.model import TaskStatus
from consult.queue.tables import task_table
from consult.recordings import Recordings
from consult.requests.model import Lane, Priority
from consult.requests.tables import request_table
from consult.requests.views import request_by_id
from consult.triage.actions import keep_analysis
from consult.triage.model import Analysis
from consult.triage.views import analyses_of_study
from consult.turnaround.views import turnaround
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.events import STUDY_SETTLED, study_settled
from dicom_node.archive.settling import Settling
from dicom_node.archive.tables import instance_table, series_table, study_table
from ecg.formats import dicom
from ecg.recording import PatientTags
from telemed.kernel.audit import audit_table
from telemed.kernel.confinement import Confinement
from telemed.kernel.events import event_table, events_of

CRITICAL = {"code": "AVB3", "severity": "critical", "text": {"zh": "三度房室传导阻滞", "en": "complete AV block"}}


@pytest.fixture
def confinement():
    confinement = Confinement(processes=1, seconds=60)
    yield confinement
    confinement.close()


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


@pytest.fixture
def intake(database, chronicle):
    return Intake(database, chronicle, routing=DEMO_ROUTING)


@pytest.fixture
def recordings(database, chronicle, archive, confinement):
    return Recordings(database, chronicle, archive, confinement)


def settle(database, chronicle, institution, uid):
    """Say that the study has settled now, as the archive's watch does."""
    now = chronicle.clock.now()
    with database.transaction() as db:
        mine = (study_table.c.institution == institution) & (study_table.c.study_instance_uid == uid)
        db.execute(update(study_table).where(mine).values(settled_at=now))
        study = index.study(db, institution, uid)
        data = study_settled(
            institution,
            uid,
            modalities=list(study.modalities),
            series_count=study.series_count,
            instance_count=study.instance_count,
            last_received_at=study.last_received_at,
            sop_class_uids=[],
            proof="quiet",
            missing=[],
        )
        return chronicle.events.append(db, STUDY_SETTLED, uid, data)


def answer(database, intake, event):
    write = intake.prepare(event)
    with database.transaction() as db:
        if write is not None:
            write(db)


def arrive(database, chronicle, intake, institution, uid):
    answer(database, intake, settle(database, chronicle, institution, uid))


def more(database, chronicle, uid, count=1):
    """Let *count* more instances have come."""
    with database.transaction() as db:
        mine = study_table.c.study_instance_uid == uid
        grown = {"instance_count": study_table.c.instance_count + count, "last_received_at": chronicle.clock.now()}
        db.execute(update(study_table).where(mine).values(grown))


def tasks(database, viewer, status=None):
    with database.reading() as db:
        return views.queue(db, viewer, status=status).items


def kept(database, table):
    with database.reading() as db:
        return db.scalar(select(func.count()).select_from(table))


def recording_of(database, uid):
    with database.reading() as db:
        joined = instance_table.join(series_table).join(study_table)
        query = select(instance_table.c.sop_instance_uid).select_from(joined).where(study_table.c.study_instance_uid == uid)
        return db.scalars(query).first()


def an_analysed_ecg(database, chronicle, county, *statements):
    uid = a_study(database, chronicle, county.clinic, modality="ECG", instances=1)
    with database.transaction() as db:
        analysis = Analysis(recording_of(database, uid), {"statements": list(statements)})
        keep_analysis(db, chronicle.clock, county.clinic, uid, analysis)
    return uid


@pytest.mark.parametrize(("modality", "lane"), [("CT", Lane.IMAGING), ("DX", Lane.IMAGING), ("US", Lane.ULTRASOUND)])
def test_an_arrived_study_is_asked_about_by_its_modality(database, chronicle, intake, modality, lane):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic, modality=modality)
    last = chronicle.clock.now()
    settled = chronicle.clock.pass_(seconds=3)
    arrive(database, chronicle, intake, county.clinic, uid)
    (task,) = tasks(database, county.radiologist)
    assert (task.study_instance_uid, task.specialty, task.lane) == (uid, Role.RADIOLOGIST, lane)
    assert (task.placed_at, (task.due_at - last).total_seconds()) == (last, 20 * 60)
    with database.reading() as db:
        clock = turnaround(db, county.nurse, task.id, settled)
    assert (last, last, settled, None) == (clock.T0, clock.T1, clock.T2, clock.T3)


def test_a_critical_ecg_goes_to_the_cardiologist_first_and_says_why(database, chronicle, intake):
    county = a_county(database, chronicle)
    for statements in ((), (CRITICAL,)):
        uid = an_analysed_ecg(database, chronicle, county, *statements)
        arrive(database, chronicle, intake, county.clinic, uid)
    critical, calm = tasks(database, county.cardiologist)
    assert (critical.study_instance_uid, critical.priority, critical.lane) == (uid, Priority.STAT, Lane.ECG_CRITICAL)
    assert critical.budget_s == 300
    assert [why.text.zh for why in critical.why] == ["心电自动提示（非诊断）：三度房室传导阻滞"]
    assert (calm.priority, calm.lane, calm.why) == (Priority.ROUTINE, Lane.ECG, ())
    assert tasks(database, county.radiologist) == ()


def test_the_same_event_twice_changes_nothing_twice(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = an_analysed_ecg(database, chronicle, county, CRITICAL)
    event = settle(database, chronicle, county.clinic, uid)
    answer(database, intake, event)
    counted = (event_table, audit_table, task_table, request_table)
    before = ([kept(database, table) for table in counted], tasks(database, county.cardiologist))
    chronicle.clock.pass_(minutes=1)
    answer(database, intake, event)
    assert ([kept(database, table) for table in counted], tasks(database, county.cardiologist)) == before


def test_late_images_are_told_once_and_move_neither_t0_nor_the_deadline(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, uid)
    (before,) = tasks(database, county.radiologist)
    late = chronicle.clock.pass_(minutes=2)
    more(database, chronicle, uid, 3)
    event = settle(database, chronicle, county.clinic, uid)
    answer(database, intake, event)
    answer(database, intake, event)
    (task,) = tasks(database, county.radiologist)
    assert (task.instance_count, task.due_at, [why.code for why in task.why]) == (5, before.due_at, ["late-images"])
    with database.reading() as db:
        clock = turnaround(db, county.nurse, task.id, late)
        told = [event.type for event in events_of(db, task.id)]
    assert (before.placed_at, late) == (clock.T0, clock.T2)
    assert told == ["TaskRequested", "TaskUpdated"]


def test_images_that_come_after_the_signature_are_told_to_both_sides(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, uid)
    (task,) = tasks(database, county.radiologist)
    with database.transaction() as db:
        queue.claim(db, chronicle, task.id, by=county.radiologist)
        queue.start(db, chronicle, task.id, by=county.radiologist)
        queue.complete(db, chronicle, task.id, report_id="r1", by=county.radiologist)
    more(database, chronicle, uid)
    arrive(database, chronicle, intake, county.clinic, uid)
    (signed,) = tasks(database, county.nurse, [TaskStatus.COMPLETED])
    assert [why.code for why in signed.why] == ["late-images"]
    assert tasks(database, county.radiologist) == ()


def test_whoever_reads_is_told_how_many_images_came_after_reading_began(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, uid)
    (task,) = tasks(database, county.radiologist)
    with database.transaction() as db:
        queue.claim(db, chronicle, task.id, by=county.radiologist)
    for minutes, count in ((1, 1), (2, 2)):
        late = chronicle.clock.pass_(minutes=minutes)
        with database.transaction() as db:
            template = db.execute(select(instance_table).limit(1)).mappings().one()
            again = {"id": f"late{count}", "sop_instance_uid": f"9.{count}", "digest": "d", "received_at": late}
            db.execute(instance_table.insert(), [dict(template) | again])
        more(database, chronicle, uid)
        arrive(database, chronicle, intake, county.clinic, uid)
        (task,) = tasks(database, county.radiologist)
        [why] = task.why
        plural = "s" if count > 1 else ""
        assert why.text.en == f"{count} image{plural} arrived after reading began"
        assert why.text.zh == f"阅片开始后又收到 {count} 幅影像"


def test_a_study_asked_about_while_it_arrives_counts_from_its_last_instance(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic, settled=False)
    task_id = a_task(database, chronicle, county.nurse, uid)
    last = chronicle.clock.pass_(minutes=4)
    more(database, chronicle, uid)
    settled = chronicle.clock.pass_(seconds=3)
    arrive(database, chronicle, intake, county.clinic, uid)
    (task,) = tasks(database, county.radiologist)
    assert (task.id, task.why, (task.due_at - last).total_seconds()) == (task_id, (), 1200)
    with database.reading() as db:
        clock = turnaround(db, county.nurse, task_id, settled)
    assert (last, settled) == (clock.T0, clock.T2)
    assert clock.T0 <= clock.T2


def test_a_person_s_request_takes_the_place_of_the_rule_s(database, chronicle, intake):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, uid)
    (routed,) = tasks(database, county.radiologist)
    with database.transaction() as db:
        task_id = ask(db, chronicle, an_order(uid, lane=Lane.STROKE, priority=Priority.STAT, reason="偏瘫"), by=county.nurse)
    (task,) = tasks(database, county.radiologist)
    assert task.id == task_id == routed.id
    assert (task.priority, task.lane, task.reason, task.budget_s) == (Priority.STAT, Lane.STROKE, "偏瘫", 720)
    assert task.request_id != routed.request_id
    with database.reading() as db:
        assert sorted(db.scalars(select(request_table.c.status))) == ["active", "revoked"]


def test_what_no_rule_names_is_kept_and_not_asked_about(database, chronicle, intake):
    county = a_county(database, chronicle)
    alone = a_clinic(database, chronicle, "无协议卫生院")
    nurse = a_nurse(database, chronicle, alone)
    for institution, modality in ((county.clinic, "RTPLAN"), (county.hospital, "CT"), (alone, "CT"), ("unknown", "CT")):
        uid = a_study(database, chronicle, institution, modality=modality)
        arrive(database, chronicle, intake, institution, uid)
    assert tasks(database, county.coordinator) == tasks(database, nurse) == ()
    assert kept(database, request_table) == 0


def test_without_a_routing_nothing_is_asked_by_itself(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, Intake(database, chronicle), county.clinic, uid)
    assert kept(database, task_table) == 0


@pytest.fixture(params=["known before", "known later"])
def line(request, intake, recordings):
    """Both workers of a settled study, in either order."""
    return (recordings, intake) if request.param == "known before" else (intake, recordings)


def test_an_ecg_found_critical_is_first_whether_that_is_known_before_it_is_asked_about_or_later(
    database, chronicle, line, monkeypatch
):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic, modality="ECG", instances=1)
    found = Analysis(recording_of(database, uid), {"statements": [CRITICAL]})
    monkeypatch.setattr(analysing, "analysed", lambda *_, **__: found)
    event = settle(database, chronicle, county.clinic, uid)
    chronicle.clock.pass_(minutes=1)
    for worker in (*line, *line):  # told twice, they change nothing twice
        answer(database, worker, event)
    (task,) = tasks(database, county.cardiologist)
    assert (task.priority, task.lane, task.budget_s) == (Priority.STAT, Lane.ECG_CRITICAL, 300)
    assert [why.text.zh for why in task.why] == ["心电自动提示（非诊断）：三度房室传导阻滞"]
    assert (task.due_at - task.placed_at).total_seconds() == 300
    with database.reading() as db:
        told = [each.type for each in events_of(db, task.id)]
    assert told in (["TaskRequested"], ["TaskRequested", "TaskUpdated"])


def test_no_study_waits_for_the_analysis_of_an_ecg(database, chronicle, intake, recordings, monkeypatch):
    county = a_county(database, chronicle)
    going_on = threading.Event()
    monkeypatch.setattr(analysing, "analysed", lambda *_, **__: going_on.wait(60))
    ecg = a_study(database, chronicle, county.clinic, modality="ECG", instances=1)
    for worker in (recordings, intake):
        worker.start()
    try:
        settle(database, chronicle, county.clinic, ecg)
        ct = a_study(database, chronicle, county.clinic)
        settle(database, chronicle, county.clinic, ct)
        assert until(lambda: {one.study_instance_uid for one in tasks(database, county.coordinator)} == {ecg, ct})
        assert not going_on.is_set()
    finally:
        going_on.set()
        intake.stop()
        recordings.stop()


def test_an_unreadable_ecg_gets_its_task_all_the_same_and_says_why(database, chronicle, archive, line):
    county = a_county(database, chronicle)
    uid = an_ecg_without_waveform(archive, county.clinic)
    event = settle(database, chronicle, county.clinic, uid)
    for worker in line:
        answer(database, worker, event)
    (task,) = tasks(database, county.cardiologist)
    assert (task.priority, [why.code for why in task.why]) == (Priority.ROUTINE, ["ecg-not-analysed"])
    with database.reading() as db:
        (analysis,) = analyses_of_study(db, county.clinic, uid)
    assert analysis.result is None
    assert analysis.problem


def test_an_ecg_whose_file_is_missing_gets_its_task_all_the_same(database, chronicle, line):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic, modality="ECG", instances=1)
    event = settle(database, chronicle, county.clinic, uid)
    for worker in line:
        answer(database, worker, event)
    (task,) = tasks(database, county.cardiologist)
    assert [why.code for why in task.why] == ["ecg-not-analysed"]


def analyses_kept(database, county, task):
    with database.reading() as db:
        return analyses_of_study(db, county.clinic, task.study_instance_uid)


def an_ecg_without_waveform(archive, institution):
    data = dcmread(get_testdata_file("waveform_ecg.dcm", download=False))
    data.WaveformSequence[0].WaveformData = bytes(2)  # its sensitivity is told, its samples are not there
    buffer = BytesIO()
    data.save_as(buffer)
    return archive.store(buffer.getvalue(), institution=institution, transfer_syntax_uid=None, source="TEST").study_instance_uid


def test_real_files_travel_from_the_archive_to_the_specialists_by_the_log(database, chronicle, archive, intake, recordings):
    county = a_county(database, chronicle)
    for name in ("CT_small.dcm", "waveform_ecg.dcm"):
        data = Path(get_testdata_file(name, download=False)).read_bytes()
        archive.store(data, institution=county.clinic, transfer_syntax_uid=None, source="TEST")
    chronicle.clock.pass_(seconds=4)
    Settling(database, chronicle).settle()
    for worker in (intake, recordings):
        worker.start()
    try:
        until(lambda: len(tasks(database, county.coordinator)) == 2, 60)
        (image,) = tasks(database, county.radiologist)
        (ecg,) = tasks(database, county.cardiologist)
        (analysis,) = until(lambda: analyses_kept(database, county, ecg), 60)
    finally:
        intake.stop()
        recordings.stop()
    assert (image.modalities, ecg.modalities) == (("CT",), ("ECG",))
    assert analysis.problem is None
    assert analysis.result["leads"][:3] == ["I", "II", "III"]
    assert len(analysis.result["r_peaks"]) > 5


def test_nothing_is_routed_where_nobody_keeps_the_patients_papers(database, chronicle, intake):
    county = a_county(database, chronicle)
    with database.transaction() as db:
        (agreement,) = agreements_of(db, county.clinic)
        end_routing(db, chronicle, agreement.id, by=SYSTEM)
    uid = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, uid)
    assert tasks(database, county.radiologist) == ()
    with database.transaction() as db:
        standing = let_route(db, chronicle, agreement.id, keeper_id=county.nurse.practitioner_id, by=SYSTEM)
    routed = a_study(database, chronicle, county.clinic)
    arrive(database, chronicle, intake, county.clinic, routed)
    (task,) = tasks(database, county.radiologist)
    with database.reading() as db:
        request = request_by_id(db, task.request_id)
    assert (task.study_instance_uid, request.standing_id, request.consent_id) == (routed, standing.id, None)


def test_a_large_ecg_does_not_hold_up_the_line_and_is_analysed_by_its_own_worker(
    database, chronicle, archive, recordings, monkeypatch
):
    monkeypatch.setattr(analysing, "LONG_BYTES", 10_000)  # a real one would take a minute here
    clinic, uid = a_clinic(database, chronicle), "2.25.71"
    content = dicom.write(
        heart(sinus(60)), PatientTags("P1"), study_instance_uid=uid, series_instance_uid="2.25.72",
        sop_instance_uid="2.25.73", acquired_at=chronicle.clock.now(),
    )  # fmt: skip
    archive.store(content, institution=clinic, transfer_syntax_uid=None, source="test")
    event = settle(database, chronicle, clinic, uid)
    answer(database, recordings, event)
    with database.reading() as db:
        assert analyses_of_study(db, clinic, uid) == ()
    worker = Recordings(database, chronicle, archive, recordings._confinement, long=True)
    answer(database, worker, event)
    with database.reading() as db:
        (found,) = analyses_of_study(db, clinic, uid)
    assert found.result is not None, found.problem
    assert len(found.result["r_peaks"]) == pytest.approx(75, abs=1)
    assert worker.prepare(event) is None
