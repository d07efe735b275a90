from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import insert
from support.builders import a_clinic, a_county, a_nurse, a_study, a_task

from consult.delivery.actions import delivered, read_back, receipt
from consult.delivery.watch import Arrivals
from consult.queue.actions import claim
from consult.reports import views
from consult.reports.actions import amend_report, cancel_report, save_draft, sign_task
from consult.reports.model import Draft, Withdrawal
from consult.reports.tables import object_table
from consult.requests.model import Kind
from consult.turnaround.views import turnaround
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of

DRAFT = Draft("所见", "印象", Kind.CONSULTATION)


@pytest.fixture
def county(database, chronicle):
    return a_county(database, chronicle)


@pytest.fixture
def signed(database, chronicle, county, clock):
    task_id = a_task(database, chronicle, county.nurse, a_study(database, chronicle, county.clinic))
    with database.transaction() as db:
        claim(db, chronicle, task_id, by=county.radiologist)
        save_draft(db, chronicle, task_id, DRAFT, 0, by=county.radiologist)
    clock.pass_(minutes=9)
    report = sign_task(database, chronicle, task_id, lambda _: b"%PDF", by=county.radiologist)
    clock.pass_(seconds=2)
    return report


def told(database, task_id):
    with database.reading() as db:
        return [event.type for event in events_of(db, task_id) if event.type in {"ReportDelivered", "ReportRead"}]


def test_the_first_delivery_counts_and_a_repeated_one_changes_nothing(database, chronicle, county, signed, clock):
    with database.transaction() as db:
        first = delivered(db, chronicle, signed.id, by=county.nurse)
    clock.pass_(minutes=3)
    with database.transaction() as db:
        assert delivered(db, chronicle, signed.id, by=county.nurse) == first
    assert told(database, signed.task_id) == ["ReportDelivered"]
    with database.reading() as db:
        clock_of_record = turnaround(db, county.nurse, signed.task_id, clock.now())
    assert first.delivered_at == clock_of_record.T5
    assert clock_of_record.elapsed_s == 542


@pytest.fixture
def filed(database, signed):
    """The SOP Instance UID of an object in which the report was returned."""
    with database.transaction() as db:
        db.execute(insert(object_table).values(sop_instance_uid="1.2.3", report_id=signed.id, digest="0" * 64))
    return "1.2.3"


def acknowledged(database, chronicle, filed, whose):
    """Let the log say that the AE of the institution *whose* has got the object, and the worker follow it."""
    data = {"destination": "LIANHUA", "destination_institution": whose, "written_here": [filed], "instances": 1}
    with database.transaction() as db:
        chronicle.enter(db, "StudyForwarded", "1", data, actor="system", institution=whose, entity="Study")
    worker = Arrivals(database, chronicle)
    for event in chronicle.events.after(0, types=["StudyForwarded"], limit=100):
        with database.transaction() as db:
            worker.prepare(event)(db)


def test_the_clinics_own_system_is_a_delivery_and_names_its_channel(database, chronicle, county, signed, filed):
    acknowledged(database, chronicle, filed, county.clinic)
    arrived_at = chronicle.clock.now()
    chronicle.clock.pass_(minutes=3)
    with database.transaction() as db:
        shown = delivered(db, chronicle, signed.id, by=county.nurse)
    with database.reading() as db:
        assert shown.delivered_at == turnaround(db, county.nurse, signed.task_id, chronicle.clock.now()).T5 == arrived_at
        [news] = [event.data for event in events_of(db, signed.task_id) if event.type == "ReportDelivered"]
    assert (news["channel"], news["institution"]) == ("LIANHUA", county.clinic)


def test_another_institutions_system_delivers_nothing_and_a_screen_is_not_delivered_again(
    database, chronicle, county, signed, filed
):
    for elsewhere in (county.hospital, ""):
        acknowledged(database, chronicle, filed, elsewhere)
    assert told(database, signed.task_id) == []
    with database.transaction() as db:
        first = delivered(db, chronicle, signed.id, by=county.nurse)
    acknowledged(database, chronicle, filed, county.clinic)
    with database.reading() as db:
        assert views.report(db, county.nurse, signed.id) == first
    assert told(database, signed.task_id) == ["ReportDelivered"]


def test_a_receipt_names_a_person_and_implies_delivery(database, chronicle, county, signed, clock):
    with database.transaction() as db:
        read = receipt(db, chronicle, signed.id, by=county.nurse)
    assert (read.read_by.name, read.delivered_at, read.read_at) == ("赵兰", clock.now(), clock.now())
    other = a_nurse(database, chronicle, county.clinic, "钱护士")
    clock.pass_(minutes=1)
    with database.transaction() as db:
        assert receipt(db, chronicle, signed.id, by=other) == read
    assert told(database, signed.task_id) == ["ReportDelivered", "ReportRead"]
    with database.reading() as db:
        stamps = turnaround(db, county.nurse, signed.task_id, clock.now())
        assert views.report(db, county.radiologist, signed.id) == read
    order = [stamps.T0, stamps.T3, stamps.T4, stamps.T5, stamps.T6]
    assert order == sorted(order)


def test_only_the_clinic_that_asked_can_acknowledge(database, chronicle, county, signed):
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "别处卫生院"))
    for deed in (delivered, receipt):
        with database.transaction() as db, pytest.raises(Refused):
            deed(db, chronicle, signed.id, by=county.radiologist)
        with database.transaction() as db, pytest.raises(NotFound):
            deed(db, chronicle, signed.id, by=stranger)
    assert told(database, signed.task_id) == []


def test_an_amendment_must_be_acknowledged_again(database, chronicle, county, signed, clock):
    with database.transaction() as db:
        first = receipt(db, chronicle, signed.id, by=county.nurse)
    with database.reading() as db:
        assert views.inbox(db, county.nurse, unread_only=True).items == ()
    clock.pass_(minutes=30)
    amended = replace(DRAFT, impression="更正")
    second = amend_report(database, chronicle, signed.id, amended, "更正", lambda _: b"%PDF", by=county.radiologist)
    assert (second.delivered_at, second.read_at) == (None, None)
    with database.reading() as db:
        assert [report.id for report in views.inbox(db, county.nurse, unread_only=True).items] == [second.id]
        assert views.report(db, county.nurse, signed.id).read_at == first.read_at
    with database.transaction() as db:
        receipt(db, chronicle, second.id, by=county.nurse)
    assert told(database, signed.task_id) == ["ReportDelivered", "ReportRead"] * 2
    with database.reading() as db:
        assert first.delivered_at == turnaround(db, county.nurse, signed.task_id, clock.now()).T5


def test_two_receipts_at_one_instant_make_one(database, chronicle, county, signed):
    nurses = [county.nurse, a_nurse(database, chronicle, county.clinic, "钱护士")]
    gate, read = threading.Barrier(2), []

    def acknowledge(nurse):
        gate.wait(10)
        with database.transaction() as db:
            read.append(receipt(db, chronicle, signed.id, by=nurse))

    threads = [threading.Thread(target=acknowledge, args=(nurse,)) for nurse in nurses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 2
    assert read[0].read_by == read[1].read_by
    assert told(database, signed.task_id) == ["ReportDelivered", "ReportRead"]


def test_a_critical_report_is_printed_at_the_clinic_only_once_it_was_read_back(database, chronicle, county, clock):
    task_id = a_task(database, chronicle, county.nurse, a_study(database, chronicle, county.clinic))
    with database.transaction() as db:
        claim(db, chronicle, task_id, by=county.radiologist)
        save_draft(db, chronicle, task_id, replace(DRAFT, critical=True), 0, by=county.radiologist)
    report = sign_task(database, chronicle, task_id, lambda _: b"%PDF", by=county.radiologist)
    with database.transaction() as db:
        receipt(db, chronicle, report.id, by=county.nurse)
    with database.reading() as db:
        assert views.document(db, county.radiologist, report.id) == b"%PDF"
        with pytest.raises(Conflict, match="read it back first"):
            views.document(db, county.nurse, report.id)
    for words, by, error in (
        (" ", county.nurse, Invalid),
        ("x" * 501, county.nurse, Invalid),
        ("气胸", county.radiologist, Refused),
    ):
        with pytest.raises(error), database.transaction() as db:
            read_back(db, chronicle, report.id, words=words, by=by)
    at = clock.pass_(seconds=40)
    with database.transaction() as db:
        heard = read_back(db, chronicle, report.id, words="左侧张力性气胸", by=county.nurse)
        assert read_back(db, chronicle, report.id, words="另一句", by=county.nurse) == heard
    assert (heard.read_back.words, heard.read_back.by.name, heard.read_back.at) == ("左侧张力性气胸", "赵兰", at)
    with database.reading() as db:
        assert views.document(db, county.nurse, report.id) == b"%PDF"
        assert views.report(db, county.radiologist, report.id).read_back == heard.read_back
        (told,) = [event.data for event in events_of(db, task_id) if event.type == "CriticalReadBack"]
    assert (told["words"], told["signed_by"]) == ("左侧张力性气胸", county.radiologist.practitioner_id)


def test_a_cancelled_report_is_acknowledged_and_ends_no_clock(database, chronicle, county, signed, clock):
    cause, by = Withdrawal.WRONG_STUDY, county.radiologist
    last = cancel_report(database, chronicle, signed.id, cause, "", lambda _: b"%PDF", by=by)
    clock.pass_(minutes=1)
    with database.transaction() as db:
        read = receipt(db, chronicle, last.id, by=county.nurse)
        ledger = turnaround(db, county.nurse, signed.task_id, clock.now())
    assert read.read_by.name == county.nurse.name
    stamps = ledger.T4, ledger.T5, ledger.T6
    assert stamps == (signed.signed_at, None, None)


def test_an_amended_critical_report_asks_for_a_read_back_of_its_own(database, chronicle, county, signed):
    critical = replace(DRAFT, critical=True)
    first = amend_report(database, chronicle, signed.id, critical, "补报危急值", lambda _: b"%PDF", by=county.radiologist)
    with database.transaction() as db:
        read_back(db, chronicle, first.id, words="张力性气胸", by=county.nurse)
    second = amend_report(
        database, chronicle, first.id, replace(critical, impression="左侧"), "侧别", lambda _: b"%PDF", by=county.radiologist
    )
    assert (second.read_back, second.withheld) == (None, True)
    with database.reading() as db:
        assert views.document(db, county.nurse, first.id) == b"%PDF"
        with pytest.raises(Conflict, match="critical value"):
            views.document(db, county.nurse, second.id)


def test_what_is_not_critical_needs_no_read_back(database, chronicle, county, signed):
    with pytest.raises(Conflict, match="no critical value"), database.transaction() as db:
        read_back(db, chronicle, signed.id, words="正常", by=county.nurse)
    with database.reading() as db:
        assert views.document(db, county.nurse, signed.id) == b"%PDF"
