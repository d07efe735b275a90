from __future__ import annotations

import hashlib
import json
import random
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest
from sqlalchemy import select, update
from support.builders import CT_IMAGE, County, a_clinic, a_county, a_nurse, a_person, a_study, a_task

from consult.practitioners.model import Role, Viewer
from consult.queue.actions import claim, handover
from consult.queue.model import TaskStatus
from consult.queue.views import task
from consult.reports import views
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft, sign_task
from consult.reports.model import (
    TRANSITIONS,
    Draft,
    KeyImage,
    Report,
    ReportEvent,
    ReportStatus,
    Signing,
    Withdrawal,
    canonical,
    checked,
    sealed,
    status_after,
)
from consult.reports.tables import document_table, report_table
from consult.requests.model import Kind
from consult.turnaround.views import turnaround
from dicom_node.archive.tables import instance_table, patient_table
from telemed.kernel.audit import Chronicle, broken_seals
from telemed.kernel.database import Database
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of

WRITTEN = Draft("左侧基底节区见团片状高密度影。", "脑出血。", Kind.DIAGNOSIS)


@dataclass
class Desk:
    """One task claimed by the radiologist of a county, and short ways to work on it."""

    database: Database
    chronicle: Chronicle
    county: County
    study: str
    task_id: str

    def save(self, draft: Draft = WRITTEN, expected: int | None = None, by: Viewer | None = None) -> Draft:
        with self.database.transaction() as db:
            return save_draft(db, self.chronicle, self.task_id, draft, expected, by=by or self.county.radiologist)

    def sign(self, by: Viewer | None = None, make=lambda report: report.id.encode()) -> Report:
        return sign_task(self.database, self.chronicle, self.task_id, make, by=by or self.county.radiologist)

    def amend(self, report: Report, draft: Draft, reason: str = "补充测量", by: Viewer | None = None) -> Report:
        by = by or self.county.radiologist
        return amend_report(self.database, self.chronicle, report.id, draft, reason, lambda made: made.id.encode(), by=by)

    def correct(self, report: Report, draft: Draft, reason: str = "左右写反", by: Viewer | None = None) -> Report:
        by = by or self.county.radiologist
        correct = partial(amend_report, by=by, event=ReportEvent.CORRECT)
        return correct(self.database, self.chronicle, report.id, draft, reason, lambda made: made.id.encode())

    def append(
        self, report: Report, text: str = "另见左侧第 5 肋骨骨折。", by: Viewer | None = None, *, critical: bool = False
    ) -> Report:
        by = by or self.county.radiologist
        append = partial(append_to_report, by=by, critical=critical)
        return append(self.database, self.chronicle, report.id, text, lambda made: made.id.encode())

    def cancel(
        self, report: Report, cause: Withdrawal = Withdrawal.WRONG_PATIENT, reason: str = "", by: Viewer | None = None
    ) -> Report:
        by = by or self.county.radiologist
        return cancel_report(self.database, self.chronicle, report.id, cause, reason, lambda made: made.id.encode(), by=by)

    def report(self, report_id: str, by: Viewer | None = None) -> Report:
        with self.database.reading() as db:
            return views.report(db, by or self.county.radiologist, report_id)


@pytest.fixture
def desk(database, chronicle, clock) -> Desk:
    county = a_county(database, chronicle)
    study = a_study(database, chronicle, county.clinic)
    task_id = a_task(database, chronicle, county.nurse, study)
    clock.pass_(minutes=4)
    with database.transaction() as db:
        claim(db, chronicle, task_id, by=county.radiologist)
    clock.pass_(minutes=1)
    return Desk(database, chronicle, county, study, task_id)


def test_every_change_of_a_report_that_the_table_does_not_name_is_a_conflict():
    for status in ReportStatus:
        for event in ReportEvent:
            if (status, event) in TRANSITIONS:
                assert status_after(status, event) is TRANSITIONS[status, event]
            else:
                with pytest.raises(Conflict):
                    status_after(status, event)


def test_text_loses_what_no_page_can_hold_and_nothing_else():
    kept = checked(Draft("一\r\n二\x00\x07\t三\ud800𬭎", "a\rb"))
    assert kept.findings == "一\n二\t三𬭎"
    assert kept.impression == "a\nb"


@pytest.mark.parametrize(
    "draft",
    [
        Draft("长" * 20_001),
        Draft(key_images=(KeyImage("1.2", 0),)),
        Draft(key_images=(KeyImage("1" * 65, 1),)),
        Draft(key_images=tuple(KeyImage("1.2", n) for n in range(1, 14))),
    ],
)
def test_a_draft_beyond_its_bounds_is_refused(draft):
    with pytest.raises(Invalid):
        checked(draft)


def test_saving_counts_versions_and_starts_the_task(desk):
    assert desk.save(expected=0).version == 1
    assert desk.save(replace(WRITTEN, impression="脑出血，建议转诊。"), expected=1).version == 2
    with desk.database.reading() as db:
        kept = views.draft(db, desk.county.radiologist, desk.task_id)
        assert kept == replace(WRITTEN, impression="脑出血，建议转诊。", version=2, saved_at=desk.chronicle.clock.now())
        assert task(db, desk.county.radiologist, desk.task_id).status is TaskStatus.IN_PROGRESS


def test_a_report_is_not_signed_while_a_blank_of_its_template_is_left(desk):
    desk.save(replace(WRITTEN, findings="范围约 {{大小}} mm。"))
    with pytest.raises(Invalid, match="大小") as refused:
        desk.sign()
    assert refused.value.code == "blank-left"


def test_versions_of_a_draft_are_half_a_minute_apart_and_what_was_shortened_stays(desk, clock):
    for typed in range(1, 31):  # a save every two seconds, for a minute
        desk.save(Draft("字" * typed))
        clock.pass_(seconds=2)
    desk.save(Draft("字"))  # cleared by mistake
    for typed in range(2, 5):
        clock.pass_(seconds=2)
        desk.save(Draft("字" * typed))
    with desk.database.reading() as db:
        kept = views.draft_versions(db, desk.county.radiologist, desk.task_id)
        before = next(one for one in kept if one.characters == 30)
        assert views.draft_version(db, desk.county.radiologist, desk.task_id, before.version).findings == "字" * 30
        with pytest.raises(NotFound):
            views.draft_version(db, desk.county.radiologist, desk.task_id, 2)
        with pytest.raises(NotFound):
            views.draft_versions(db, desk.county.nurse, desk.task_id)
    assert (kept[0].version, kept[0].author.name) == (34, "王敏")
    assert len(kept) <= 6
    moments = [one.saved_at for one in kept[::-1]]
    assert all(later - earlier <= timedelta(seconds=32) for earlier, later in pairwise(moments))


def test_of_a_draft_the_newest_two_hundred_versions_stay(desk, clock):
    for length in range(205, 0, -1):
        desk.save(Draft("字" * length))
    with desk.database.reading() as db:
        kept = views.draft_versions(db, desk.county.radiologist, desk.task_id)
    assert [one.version for one in kept] == list(range(205, 5, -1))


def test_a_stale_save_is_a_conflict_and_changes_nothing(desk):
    desk.save(expected=0)
    with pytest.raises(Conflict) as stale:
        desk.save(Draft("somebody else's window"), expected=0)
    assert stale.value.code == "draft-stale"
    with desk.database.reading() as db:
        assert views.draft(db, desk.county.radiologist, desk.task_id).findings == WRITTEN.findings


def test_only_the_owner_writes(desk):
    with pytest.raises(Refused, match="王敏"):
        desk.save(by=desk.county.colleague)


def test_the_clinic_sees_no_draft(desk):
    desk.save()
    with desk.database.reading() as db, pytest.raises(NotFound):
        views.draft(db, desk.county.nurse, desk.task_id)


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (replace(WRITTEN, findings=" \n"), "findings-missing"),
        (replace(WRITTEN, impression=""), "impression-missing"),
        (replace(WRITTEN, kind=None), "kind-missing"),
    ],
)
def test_an_incomplete_draft_is_not_signed(desk, draft, code):
    desk.save(draft)
    with pytest.raises(Invalid) as refused:
        desk.sign()
    assert refused.value.code == code


def test_signing_binds_report_document_task_clock_event_and_audit(desk, clock):
    desk.save(replace(WRITTEN, critical=True))
    signed = desk.sign()
    assert (signed.status, signed.version, signed.kind, signed.critical) == (ReportStatus.FINAL, 1, Kind.DIAGNOSIS, True)
    assert signed.signed_by.name == "王敏"
    assert signed.patient.name == "王小东"
    assert desk.report(signed.id) == signed
    assert signed.content_sha256 == hashlib.sha256(canonical(desk.report(signed.id))).hexdigest()
    with desk.database.reading() as db:
        closed = task(db, desk.county.radiologist, desk.task_id)
        assert (closed.status, closed.report_id) == (TaskStatus.COMPLETED, signed.id)
        assert signed.signed_at == turnaround(db, desk.county.nurse, desk.task_id, clock.now()).T4
        event = events_of(db, desk.task_id)[-1]
        assert event.type == "ReportSigned"
        assert event.data["report_id"] == signed.id
        assert event.data["institution"] == desk.county.clinic
        assert views.document(db, desk.county.radiologist, signed.id) == signed.id.encode()
        assert signed.document_sha256 == hashlib.sha256(signed.id.encode()).hexdigest()
        assert list(broken_seals(db)) == []


def test_the_moment_of_signing_is_the_one_printed_on_the_document(desk, clock):
    desk.save()
    printed = []

    def slow(report: Report) -> bytes:
        printed.append(report.signed_at)
        clock.pass_(seconds=3)
        return b"%PDF"

    assert desk.sign(make=slow).signed_at == printed[0]


def test_a_draft_changed_while_its_document_is_made_is_not_signed(desk):
    desk.save()

    def meanwhile(report: Report) -> bytes:
        desk.save(replace(WRITTEN, impression="别的"))
        return b"%PDF"

    with pytest.raises(Conflict):
        desk.sign(make=meanwhile)
    with desk.database.reading() as db:
        assert views.reports_of_study(db, desk.county.radiologist, desk.study) == ()


def test_of_two_signatures_at_one_instant_exactly_one_counts(desk):
    desk.save()
    gate, outcomes = threading.Barrier(2), []

    def together(report: Report) -> bytes:
        gate.wait(10)
        return report.id.encode()

    def attempt():
        try:
            outcomes.append(desk.sign(make=together))
        except Conflict as lost:
            outcomes.append(lost)

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Report"]
    with desk.database.reading() as db:
        assert len(db.execute(select(report_table.c.id)).all()) == len(db.execute(select(document_table.c.report_id)).all()) == 1


def test_a_signed_report_takes_no_further_draft_or_signature(desk):
    desk.save()
    desk.sign()
    with pytest.raises(Conflict):
        desk.save()
    with pytest.raises(Conflict):
        desk.sign()


def test_a_task_handed_over_after_it_was_begun_is_signed_by_the_heir(desk):
    desk.save()
    with desk.database.transaction() as db:
        handover(db, desk.chronicle, desk.task_id, to=desk.county.colleague.practitioner_id, by=desk.county.radiologist)
    with pytest.raises(Refused):
        desk.sign()
    assert desk.sign(by=desk.county.colleague).signed_by.name == "陈涛"


def test_a_signed_report_keeps_the_name_the_patient_had(desk):
    desk.save()
    signed = desk.sign()
    with desk.database.transaction() as db:
        db.execute(update(patient_table).values(name_ideographic="改名"))
    assert desk.report(signed.id).patient.name == "王小东"
    assert sealed(desk.report(signed.id)).content_sha256 == signed.content_sha256


def test_an_amendment_is_a_new_version_and_the_old_one_stays(desk, clock):
    desk.save()
    first = desk.sign()
    clock.pass_(hours=1)
    second = desk.amend(first, replace(WRITTEN, impression="脑出血，破入脑室。"))
    third = desk.amend(second, replace(WRITTEN, impression="脑出血，破入脑室，积水。"))
    assert (second.status, second.version, second.amends, second.reason) == (ReportStatus.AMENDED, 2, first.id, "补充测量")
    assert third.version == 3
    old = desk.report(first.id)
    assert old == replace(first, amended_by=second.id)
    assert old.impression == "脑出血。"
    with desk.database.reading() as db:
        versions = views.reports_of_study(db, desk.county.nurse, desk.study)
        assert [report.version for report in versions] == [3, 2, 1]
        event = events_of(db, desk.task_id)[-1]
        assert (event.type, event.data["amends"]) == ("ReportAmended", second.id)
        key = (desk.county.clinic, desk.study)
        assert views.newest_of_studies(db, desk.county.nurse, [key])[key].version == 3


def test_an_addendum_leaves_every_word_and_names_who_added_it(desk, clock):
    desk.save(replace(WRITTEN, critical=True))
    first = desk.sign()
    clock.pass_(hours=1)
    second = desk.append(first, " 另见骨折。\r\n已电话告知。 ", by=desk.county.colleague)
    clock.pass_(hours=1)
    third = desk.append(second, "骨折为陈旧性。")
    assert (second.status, second.version, second.amends, second.reason) == (ReportStatus.APPENDED, 2, first.id, None)
    assert second.signed_by.name == "陈涛"
    assert [(one.text, one.by.name, one.at) for one in third.addenda] == [
        ("另见骨折。\n已电话告知。", "陈涛", second.signed_at),
        ("骨折为陈旧性。", "王敏", third.signed_at),
    ]
    for version in (second, third):
        assert (version.findings, version.impression, version.critical) == (first.findings, first.impression, True)
        assert version.text_signed == Signing(first.signed_by, first.signed_at)
        assert desk.report(version.id).addenda == version.addenda
    assert desk.report(first.id) == replace(first, amended_by=second.id)


def test_an_addendum_may_make_a_report_critical_and_never_less(desk):
    desk.save()
    first = desk.sign()
    assert desk.append(first, critical=True).withheld
    assert desk.report(first.id).withheld is False


@pytest.mark.parametrize(
    ("text", "code"), [(" \n", "addendum-missing"), ("长" * 20_001, "report-too-long"), ("约 {{大小}} mm。", "blank-left")]
)
def test_an_addendum_that_is_empty_too_long_or_has_a_blank_is_not_signed(desk, text, code):
    desk.save()
    first = desk.sign()
    with pytest.raises(Invalid) as refused:
        desk.append(first, text)
    assert refused.value.code == code
    assert desk.report(first.id).amended_by is None


def test_a_correction_keeps_what_was_added_and_is_its_signers_own_text(desk):
    desk.save()
    added = desk.append(desk.sign(), by=desk.county.colleague)
    corrected = desk.correct(added, replace(WRITTEN, impression="右侧脑出血。"))
    assert (corrected.status, corrected.reason, corrected.impression) == (ReportStatus.CORRECTED, "左右写反", "右侧脑出血。")
    assert (corrected.addenda, corrected.text_signed) == (added.addenda, None)


def test_a_cancelled_report_says_why_is_no_longer_critical_and_nothing_follows_it(desk, clock):
    desk.save(replace(WRITTEN, critical=True))
    first = desk.sign()
    clock.pass_(hours=1)
    last = desk.cancel(first, reason="影像属同名患者", by=desk.county.colleague)
    assert (last.status, last.cause, last.reason) == (ReportStatus.CANCELLED, Withdrawal.WRONG_PATIENT, "影像属同名患者")
    assert (last.impression, last.critical, last.withheld) == (first.impression, False, False)
    assert (last.signed_by.name, last.text_by.name) == ("陈涛", "王敏")
    assert desk.report(last.id) == last
    for change in (
        desk.cancel,
        desk.append,
        lambda report: desk.amend(report, WRITTEN),
        lambda report: desk.correct(report, WRITTEN),
    ):
        with pytest.raises(Conflict) as refused:
            change(last)
        assert refused.value.code == "report-state"
    with desk.database.reading() as db:
        event = events_of(db, desk.task_id)[-1]
        assert (event.type, event.data["amends"], event.data["cause"]) == ("ReportCancelled", first.id, "wrong-patient")
        closed = task(db, desk.county.radiologist, desk.task_id)
        assert (closed.status, closed.report_id) == (TaskStatus.COMPLETED, first.id)


def test_after_a_cancelled_report_the_clinic_asks_anew_and_is_answered(desk):
    desk.save()
    last = desk.cancel(desk.sign())
    again = a_task(desk.database, desk.chronicle, desk.county.nurse, desk.study)
    assert again != desk.task_id
    with desk.database.transaction() as db:
        claim(db, desk.chronicle, again, by=desk.county.colleague)
    anew = Desk(desk.database, desk.chronicle, desk.county, desk.study, again)
    anew.save(by=desk.county.colleague)
    answered = anew.sign(by=desk.county.colleague)
    assert (answered.status, answered.version, answered.amends) == (ReportStatus.FINAL, 1, None)
    with desk.database.reading() as db:
        key = (desk.county.clinic, desk.study)
        assert views.newest_of_studies(db, desk.county.nurse, [key])[key].id == answered.id
        assert {one.id for one in views.reports_of_study(db, desk.county.nurse, desk.study)} >= {last.id, answered.id}


def test_a_cancellation_for_another_cause_needs_words(desk):
    desk.save()
    first = desk.sign()
    with pytest.raises(Invalid) as refused:
        desk.cancel(first, Withdrawal.OTHER, " ")
    assert refused.value.code == "reason-missing"
    assert desk.cancel(first, Withdrawal.OTHER, "患者撤回同意").reason == "患者撤回同意"


@pytest.mark.parametrize("seed", range(5))
def test_the_history_replays_every_version_as_it_was_signed(desk, clock, seed):
    chance, people = random.Random(seed), [desk.county.radiologist, desk.county.colleague]
    desk.save()
    signed = [desk.sign()]
    for number in range(8):
        clock.pass_(minutes=1)
        way, by = chance.choice([desk.amend, desk.correct, desk.append, desk.append]), chance.choice(people)
        what = f"补充 {number}" if way == desk.append else replace(WRITTEN, impression=f"脑出血，第 {number} 次复核。")
        signed.append(way(signed[-1], what, by=by))
    signed.append(desk.cancel(signed[-1]))
    with desk.database.reading() as db:
        history = views.reports_of_study(db, desk.county.nurse, desk.study)[::-1]
        told = [event.data["report_id"] for event in events_of(db, desk.task_id) if event.data.get("content_sha256")]
        assert list(broken_seals(db)) == []
    assert told == [report.id for report in signed]
    assert [replace(kept, amended_by=None) for kept in history] == signed
    assert [kept.amended_by for kept in history] == [report.id for report in signed[1:]] + [None]
    for kept in history:
        assert hashlib.sha256(canonical(kept)).hexdigest() == kept.content_sha256
    for before, after in pairwise(history):
        assert after.addenda[: len(before.addenda)] == before.addenda
        if after.status in {ReportStatus.APPENDED, ReportStatus.CANCELLED}:
            assert (after.findings, after.impression, after.text_by) == (before.findings, before.impression, before.text_by)


def test_what_was_signed_before_there_were_addenda_keeps_its_digest(desk):
    desk.save()
    content = json.loads(canonical(desk.sign()))
    assert not content.keys() & {"addenda", "cause", "text_signed"}


def test_of_two_who_replace_one_version_at_one_instant_exactly_one_does(desk):
    desk.save()
    first = desk.sign()
    gate, outcomes = threading.Barrier(2), []

    def together(report: Report) -> bytes:
        gate.wait(10)
        return report.id.encode()

    def attempt(change, *given):
        try:
            outcomes.append(change(desk.database, desk.chronicle, first.id, *given, together, by=desk.county.radiologist))
        except Conflict as lost:
            outcomes.append(lost)

    changes = [(append_to_report, "另见骨折。"), (cancel_report, Withdrawal.WRONG_STUDY, "")]
    threads = [threading.Thread(target=attempt, args=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Report"]
    with desk.database.reading() as db:
        assert len(views.reports_of_study(db, desk.county.nurse, desk.study)) == 2


def test_one_version_is_amended_once(desk):
    desk.save()
    first = desk.sign()
    desk.amend(first, WRITTEN)
    with pytest.raises(Conflict):
        desk.amend(first, WRITTEN)


def test_an_amendment_needs_a_reason_and_a_specialist_of_the_hospital(desk):
    desk.save()
    first = desk.sign()
    with pytest.raises(Invalid):
        desk.amend(first, WRITTEN, reason=" ")
    with pytest.raises(Refused):
        desk.amend(first, WRITTEN, by=desk.county.nurse)
    for other in (desk.county.cardiologist, desk.county.coordinator):  # as at claiming
        for change in (partial(desk.amend, draft=WRITTEN), partial(desk.correct, draft=WRITTEN), desk.append, desk.cancel):
            with pytest.raises(Refused) as refused:
                change(first, by=other)
            assert refused.value.code == "specialty"


def verdict_on(desk: Desk, sop_instance_uid: str) -> str:
    try:
        desk.save(replace(WRITTEN, key_images=(KeyImage(sop_instance_uid, 1),)))
    except Invalid as refused:
        return refused.code
    return ""


def test_a_key_image_must_be_of_the_study(desk):
    other = a_study(desk.database, desk.chronicle, desk.county.clinic)
    with desk.database.reading() as db:
        own = set(db.scalars(select(instance_table.c.sop_instance_uid).where(instance_table.c.sop_class_uid == CT_IMAGE)))
    verdicts = [verdict_on(desk, uid) for uid in own]
    assert other != desk.study
    assert sorted(verdicts) == ["", "", "key-image-foreign", "key-image-foreign"]


def test_strangers_administrators_and_regulators_see_no_report(desk):
    desk.save()
    signed = desk.sign()
    database, chronicle = desk.database, desk.chronicle
    elsewhere = a_nurse(database, chronicle, a_clinic(database, chronicle, "别处卫生院"))
    admin = a_person(database, chronicle, desk.county.hospital, Role.ADMIN)
    regulator = a_person(database, chronicle, desk.county.clinic, Role.REGULATOR)
    for viewer in (elsewhere, admin, regulator):
        with database.reading() as db:
            with pytest.raises(NotFound):
                views.report(db, viewer, signed.id)
            with pytest.raises(NotFound):
                views.document(db, viewer, signed.id)
            assert views.reports_of_study(db, viewer, desk.study) == ()
            assert views.inbox(db, viewer).items == ()


def test_the_inbox_gives_every_report_once_page_by_page(desk, clock):
    desk.save()
    signed = [desk.sign()]
    for number in range(4):
        clock.pass_(minutes=number % 2)
        signed.append(desk.amend(signed[-1], WRITTEN))
    seen, cursor = [], None
    while True:
        with desk.database.reading() as db:
            page = views.inbox(db, desk.county.nurse, limit=2, cursor=cursor)
        seen += [report.id for report in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == sorted(report.id for report in signed)
    with desk.database.reading() as db, pytest.raises(Invalid):
        views.inbox(db, desk.county.nurse, cursor="; drop table report")


def test_preparing_for_too_long_signs_nothing(desk, clock):
    desk.save()

    def endless(report: Report) -> bytes:
        clock.at += timedelta(minutes=5)
        return b"%PDF"

    with pytest.raises(Exception, match="sign again"):
        desk.sign(make=endless)
