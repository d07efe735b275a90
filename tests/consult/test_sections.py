"""One patient read in regions by several at once: one report, one signature set, and nobody reads what is not theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.builders import a_clinic, a_county, a_nurse, a_person, a_task

from consult.phrases.model import Region
from consult.practitioners.model import Role
from consult.queue import actions as queue
from consult.queue.escalation import TASKS
from consult.queue.model import Stage, TaskStatus
from consult.queue.sla import LEASE
from consult.queue.views import task as task_of
from consult.queue.watch import QueueWatch
from consult.readings import actions as readings
from consult.readings.model import Radpeer
from consult.reports import views as reports
from consult.reports.actions import save_draft
from consult.reports.model import Draft, ReportStatus
from consult.requests.model import Kind
from consult.sections import actions, views
from consult.sections.model import SectionStatus, Written
from consult.sections.tables import section_table
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of

HEAD, CHEST, SPINE = Region.HEAD, Region.CHEST, Region.SPINE


class Trauma:
    """One task of a county, its lead reader, two colleagues, and what they do with its regions."""

    def __init__(self, database, chronicle):
        self.database, self.chronicle = database, chronicle
        self.county = a_county(database, chronicle)
        self.lead, self.second = self.county.radiologist, self.county.colleague
        self.third = a_person(database, chronicle, self.county.hospital, Role.RADIOLOGIST, name="吴进")
        self.task_id = a_task(database, chronicle, self.county.nurse)

    def do(self, verb, *args, **arguments):
        with self.database.transaction() as db:
            return verb(db, self.chronicle, *args, **arguments)

    def see(self, view, viewer, *args):
        with self.database.reading() as db:
            return view(db, viewer, *args)

    @property
    def task(self):
        return self.see(task_of, self.county.nurse, self.task_id)

    def sections(self, viewer):
        return {one.region: one for one in self.see(views.sections, viewer, self.task_id)}

    def split(self, *regions):
        self.do(queue.claim, self.task_id, by=self.lead)
        found = self.do(actions.split, self.task_id, regions=regions or (SPINE, HEAD, CHEST), by=self.lead)
        return {one.region: one.id for one in found}

    def write(self, section_id, by, words, **said):
        section = self.do(actions.claim, section_id, by=by)
        text = Written(f"{words}所见", f"{words}意见", version=section.written.version, **said)
        return self.do(actions.save, section_id, text, by=by)

    def read(self, section_id, by, words, **said):
        self.chronicle.clock.pass_(seconds=30)
        self.write(section_id, by, words, **said)
        return self.do(actions.sign, section_id, by=by)

    def sign(self):
        draft = self.see(reports.draft, self.lead, self.task_id)
        text = Draft(draft.findings, draft.impression, Kind.DIAGNOSIS, draft.critical)
        self.do(save_draft, self.task_id, text, draft.version, by=self.lead)
        return readings.sign_task(self.database, self.chronicle, self.task_id, pdf, by=self.lead)

    def news(self):
        with self.database.reading() as db:
            return events_of(db, self.task_id)


def pdf(report):
    return f"%PDF {report.status} {report.version}".encode()


@pytest.fixture
def trauma(database, chronicle):
    return Trauma(database, chronicle)


def test_three_readers_write_three_sections_of_one_report(trauma):
    ids = trauma.split()
    due_at = trauma.task.due_at
    spine = trauma.read(ids[SPINE], trauma.third, "脊柱")
    head = trauma.read(ids[HEAD], trauma.lead, "头")
    chest = trauma.read(ids[CHEST], trauma.second, "胸")
    draft = trauma.see(reports.draft, trauma.lead, trauma.task_id)
    assert draft.findings == "【头部 Head】\n头所见\n\n【胸部 Chest】\n胸所见\n\n【脊柱 Spine】\n脊柱所见"
    assert draft.impression == "【头部 Head】\n头意见\n\n【胸部 Chest】\n胸意见\n\n【脊柱 Spine】\n脊柱意见"
    assert (trauma.task.owner.id, trauma.task.due_at) == (trauma.lead.practitioner_id, due_at)
    report = trauma.sign()
    assert (report.status, report.version, report.signed_by.name) == (ReportStatus.FINAL, 1, "王敏")
    assert [(one.region, one.by.name, one.signed_at, one.content_sha256) for one in report.readings] == [
        (HEAD, "王敏", head.signed_at, head.content_sha256),
        (CHEST, "陈涛", chest.signed_at, chest.content_sha256),
        (SPINE, "吴进", spine.signed_at, spine.content_sha256),
    ]
    assert trauma.see(reports.report, trauma.county.nurse, report.id) == report
    assert trauma.task.status is TaskStatus.COMPLETED
    assert trauma.sections(trauma.third)[HEAD].written.findings == "头所见"
    assert [event.type for event in trauma.news() if "Section" in event.type or "Split" in event.type] == [
        "TaskSplit",
        *["SectionClaimed", "SectionSigned"] * 3,
    ]


def test_what_the_lead_had_written_before_stays_above_the_sections(trauma):
    trauma.do(queue.claim, trauma.task_id, by=trauma.lead)
    trauma.do(save_draft, trauma.task_id, Draft("车祸伤，全身扫描。", kind=Kind.DIAGNOSIS), 0, by=trauma.lead)
    ids = trauma.split(HEAD, CHEST)
    trauma.read(ids[HEAD], trauma.second, "头")
    trauma.read(ids[CHEST], trauma.third, "胸")
    draft = trauma.see(reports.draft, trauma.lead, trauma.task_id)
    assert draft.findings.startswith("车祸伤，全身扫描。\n\n【头部 Head】\n头所见")
    assert (draft.kind, draft.version) == (Kind.DIAGNOSIS, 2)


def test_of_two_who_claim_one_section_one_wins(trauma):
    section_id = trauma.split()[HEAD]
    line = Barrier(2, timeout=60)

    def take(reader):
        line.wait()
        try:
            return trauma.do(actions.claim, section_id, by=reader).reader.id
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(take, (trauma.second, trauma.third)))
    winner = trauma.sections(trauma.lead)[HEAD].reader.id
    assert sorted(found) == sorted([winner, "section-taken"])
    assert [event.type for event in trauma.news()].count("SectionClaimed") == 1


def test_the_lead_cannot_sign_while_a_section_is_open(trauma):
    ids = trauma.split(HEAD, CHEST)
    trauma.read(ids[HEAD], trauma.second, "头")
    trauma.write(ids[CHEST], trauma.third, "胸")
    with pytest.raises(Conflict, match="Chest") as refused:
        trauma.sign()
    assert refused.value.code == "sections-open"
    trauma.do(actions.sign, ids[CHEST], by=trauma.third)
    assert trauma.sign().status is ReportStatus.FINAL


def test_a_split_made_while_the_document_is_written_is_not_passed_by(trauma):
    trauma.do(queue.claim, trauma.task_id, by=trauma.lead)
    trauma.do(save_draft, trauma.task_id, Draft("所见", "意见", Kind.DIAGNOSIS), 0, by=trauma.lead)

    def slowly(report):
        trauma.do(actions.split, trauma.task_id, regions=(HEAD, CHEST), by=trauma.lead)
        return pdf(report)

    with pytest.raises(Conflict, match="not every section"):
        readings.sign_task(trauma.database, trauma.chronicle, trauma.task_id, slowly, by=trauma.lead)
    assert trauma.task.status is TaskStatus.IN_PROGRESS


def test_what_a_section_says_only_its_author_reads_before_it_is_signed_and_then_the_lead(trauma):
    ids = trauma.split()
    trauma.write(ids[CHEST], trauma.second, "胸")
    assert trauma.sections(trauma.second)[CHEST].written.findings == "胸所见"
    for viewer in (trauma.lead, trauma.third):
        seen = trauma.sections(viewer)[CHEST]
        assert (seen.status, seen.reader.name, seen.written) == (SectionStatus.CLAIMED, "陈涛", None)
    trauma.do(actions.sign, ids[CHEST], by=trauma.second)
    assert trauma.sections(trauma.lead)[CHEST].written.findings == "胸所见"
    assert trauma.sections(trauma.third)[CHEST].written is None
    assert all(one.written is None for one in trauma.see(views.worklist, trauma.second))
    assert not [event for event in trauma.news() if "胸" in str(event.data)]


def test_only_readers_of_the_hospital_and_the_specialty_see_and_write_sections(trauma):
    ids = trauma.split()
    stranger = a_nurse(trauma.database, trauma.chronicle, a_clinic(trauma.database, trauma.chronicle, name="白云乡卫生院"))
    with pytest.raises(NotFound):
        trauma.sections(stranger)
    for outsider, refusal in (
        (stranger, NotFound),
        (trauma.county.nurse, Refused),
        (trauma.county.coordinator, Refused),
        (trauma.county.cardiologist, NotFound),
    ):
        with pytest.raises(refusal):
            trauma.do(actions.claim, ids[HEAD], by=outsider)
        assert trauma.see(views.worklist, outsider) == ()
    assert trauma.sections(trauma.county.nurse) == {}
    assert len(trauma.see(views.worklist, trauma.third)) == 3
    trauma.do(actions.claim, ids[HEAD], by=trauma.second)
    for verb in (actions.sign, actions.release):
        with pytest.raises(Refused, match="claimed"):
            trauma.do(verb, ids[HEAD], by=trauma.third)


def test_a_section_given_back_is_claimed_again_with_its_text_and_an_abandoned_one_goes_to_the_lead(trauma):
    ids = trauma.split()
    trauma.write(ids[HEAD], trauma.second, "头")
    trauma.do(actions.release, ids[HEAD], by=trauma.second)
    assert trauma.sections(trauma.second)[HEAD].written is None
    assert trauma.do(actions.claim, ids[HEAD], by=trauma.third).written.findings == "头所见"
    with pytest.raises(Refused, match="holds the task"):
        trauma.do(actions.take_over, ids[HEAD], reason="换班", by=trauma.second)
    with pytest.raises(Invalid, match="say why"):
        trauma.do(actions.take_over, ids[HEAD], reason=" ", by=trauma.lead)
    taken = trauma.do(actions.take_over, ids[HEAD], reason="下夜班", by=trauma.lead)
    assert (taken.reader.name, taken.written.findings) == ("王敏", "头所见")
    with pytest.raises(Refused):
        trauma.do(actions.save, ids[HEAD], Written("我的", version=1), by=trauma.third)
    (told,) = [event for event in trauma.news() if event.type == "SectionTakenOver"]
    assert (told.data["from"], told.data["reason"]) == (trauma.third.practitioner_id, "下夜班")


def a_watch(trauma):
    """A watch over tasks and sections whose first lease has passed since it began."""
    watch = QueueWatch(trauma.database, trauma.chronicle, leased=(TASKS, actions.SECTIONS))
    trauma.chronicle.clock.pass_(seconds=LEASE.total_seconds())
    return watch


def test_a_region_whose_reader_is_gone_is_free_again_with_what_they_wrote(trauma):
    watch = a_watch(trauma)
    ids = trauma.split(HEAD, CHEST)
    trauma.write(ids[HEAD], trauma.second, "头")
    trauma.read(ids[CHEST], trauma.third, "胸")
    for _ in range(3):
        trauma.chronicle.clock.pass_(seconds=60)
        assert trauma.do(actions.renew, by=trauma.second) == ()
        assert trauma.do(actions.renew, by=trauma.lead) == (trauma.task_id,)
        watch.look()
    trauma.chronicle.clock.pass_(seconds=89)
    trauma.do(actions.renew, by=trauma.lead)
    watch.look()
    assert trauma.sections(trauma.lead)[HEAD].reader.name == "陈涛"
    trauma.chronicle.clock.pass_(seconds=1)
    watch.look()
    left = trauma.sections(trauma.lead)
    assert (left[HEAD].status, left[HEAD].reader) == (SectionStatus.OPEN, None)
    assert (left[CHEST].status, left[CHEST].reader.name) == (SectionStatus.SIGNED, "吴进")
    (told,) = [event.data for event in trauma.news() if event.type == "SectionReleased"]
    assert (told["cause"], told["reader"], told["performer"]) == ("lease", trauma.second.practitioner_id, trauma.county.hospital)
    with pytest.raises(Refused, match="claimed"):
        trauma.do(actions.save, ids[HEAD], Written("晚了", version=1), by=trauma.second)
    assert trauma.do(actions.claim, ids[HEAD], by=trauma.third).written.findings == "头所见"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["claim", "claim", "renew", "write", "release", "take over"]), st.integers(0, 2), st.integers(0, 100)
        ),
        max_size=20,
    )
)
def test_a_region_is_held_until_a_lease_after_its_reader_was_last_heard_of(trauma, steps):
    watch = a_watch(trauma)
    trauma.task_id = a_task(trauma.database, trauma.chronicle, trauma.county.nurse)
    section_id = trauma.split(HEAD, CHEST)[HEAD]
    clock, holder, until, version = trauma.chronicle.clock, None, None, 0
    for deed, number, seconds in steps:
        reader = (trauma.lead, trauma.second, trauma.third)[number]
        clock.pass_(seconds=seconds)
        trauma.do(queue.renew, by=trauma.lead)  # the task stays its lead's throughout
        watch.look()
        now = clock.now()
        if until is not None and now >= until:
            holder = until = None
        allowed = {
            "claim": holder in {None, reader},
            "renew": True,
            "take over": holder is not None and reader is trauma.lead,
        }.get(deed, holder is reader)
        try:
            if deed == "claim":
                trauma.do(actions.claim, section_id, by=reader)
            elif deed == "renew":
                trauma.do(actions.renew, by=reader)
            elif deed == "write":
                version = trauma.do(actions.save, section_id, Written("所见", "意见", version=version), by=reader).written.version
            elif deed == "release":
                trauma.do(actions.release, section_id, by=reader)
            else:
                trauma.do(actions.take_over, section_id, reason="换班", by=reader)
        except (Conflict, Refused):
            assert not allowed
        else:
            assert allowed
            if (deed == "claim" and holder is None) or deed == "take over" or (deed == "renew" and holder is reader):
                until = now + LEASE
            holder = {"claim": reader, "take over": trauma.lead, "release": None}.get(deed, holder)
            until = until if holder else None
        with trauma.database.reading() as db:
            row = db.execute(select(section_table).where(section_table.c.id == section_id)).one()
        assert (row.reader_id, row.lease_until) == (holder and holder.practitioner_id, until)
        assert row.status == (SectionStatus.CLAIMED if holder else SectionStatus.OPEN)


def test_a_signed_section_stays_and_a_stale_one_is_not_saved(trauma):
    ids = trauma.split(HEAD, CHEST)
    trauma.write(ids[HEAD], trauma.second, "头")
    with pytest.raises(Conflict, match="saved elsewhere"):
        trauma.do(actions.save, ids[HEAD], Written("旧窗口", version=0), by=trauma.second)
    trauma.do(actions.claim, ids[CHEST], by=trauma.third)
    with pytest.raises(Invalid, match="empty"):
        trauma.do(actions.sign, ids[CHEST], by=trauma.third)
    trauma.do(actions.sign, ids[HEAD], by=trauma.second)
    for verb, arguments in (
        (actions.sign, {"by": trauma.second}),
        (actions.release, {"by": trauma.second}),
        (actions.take_over, {"reason": "换班", "by": trauma.lead}),
        (actions.claim, {"by": trauma.third}),
    ):
        with pytest.raises(Conflict):
            trauma.do(verb, ids[HEAD], **arguments)


def test_a_split_is_undone_while_nothing_is_signed(trauma):
    ids = trauma.split(HEAD, CHEST)
    trauma.write(ids[HEAD], trauma.second, "头")
    with pytest.raises(Conflict, match="already"):
        trauma.do(actions.split, trauma.task_id, regions=(HEAD, SPINE), by=trauma.lead)
    with pytest.raises(Refused):
        trauma.do(actions.undo, trauma.task_id, by=trauma.second)
    trauma.do(actions.undo, trauma.task_id, by=trauma.lead)
    assert trauma.sections(trauma.lead) == {}
    with pytest.raises(NotFound):
        trauma.do(actions.sign, ids[HEAD], by=trauma.second)
    again = trauma.do(actions.split, trauma.task_id, regions=(HEAD, SPINE), by=trauma.lead)
    trauma.read(again[0].id, trauma.second, "头")
    with pytest.raises(Conflict, match="the split stays"):
        trauma.do(actions.undo, trauma.task_id, by=trauma.lead)


def test_a_task_is_split_by_its_holder_into_two_to_six_regions_of_a_report(trauma):
    with pytest.raises(Refused, match="holds the task"):
        trauma.do(actions.split, trauma.task_id, regions=(HEAD, CHEST), by=trauma.lead)
    trauma.do(queue.claim, trauma.task_id, by=trauma.lead)
    for regions in ((HEAD,), (HEAD, HEAD), (HEAD, Region.HEART), tuple(Region)):
        with pytest.raises(Invalid):
            trauma.do(actions.split, trauma.task_id, regions=regions, by=trauma.lead)
    trauma.do(save_draft, trauma.task_id, Draft("所见", "意见", Kind.DIAGNOSIS), 0, by=trauma.lead)
    readings.sign_task(trauma.database, trauma.chronicle, trauma.task_id, pdf, by=trauma.lead)
    with pytest.raises(Conflict, match="first reading"):
        trauma.do(actions.split, trauma.task_id, regions=(HEAD, CHEST), by=trauma.lead)


def test_a_section_that_is_critical_makes_the_report_critical_and_the_lead_sees_it_at_once(trauma):
    ids = trauma.split(HEAD, CHEST)
    trauma.read(ids[HEAD], trauma.second, "头", critical=True)
    assert trauma.sections(trauma.lead)[HEAD].written.critical
    trauma.read(ids[CHEST], trauma.third, "胸")
    draft = trauma.see(reports.draft, trauma.lead, trauma.task_id)
    assert draft.critical
    text = Draft(draft.findings, draft.impression, Kind.DIAGNOSIS, critical=False)
    trauma.do(save_draft, trauma.task_id, text, draft.version, by=trauma.lead)
    assert readings.sign_task(trauma.database, trauma.chronicle, trauma.task_id, pdf, by=trauma.lead).critical


def test_whoever_read_a_region_is_no_second_reader_and_the_second_is_told_nothing_of_regions(trauma):
    fourth = a_person(trauma.database, trauma.chronicle, trauma.county.hospital, Role.RADIOLOGIST, name="许愿")
    trauma.do(readings.ask_for_second, trauma.task_id, by=trauma.county.nurse)
    ids = trauma.split(HEAD, CHEST)
    trauma.read(ids[HEAD], trauma.second, "头")
    trauma.read(ids[CHEST], trauma.third, "胸")
    assert trauma.sign().status is ReportStatus.PRELIMINARY
    assert trauma.task.stage is Stage.SECOND
    with pytest.raises(Refused, match="another pair of eyes"):
        trauma.do(queue.claim, trauma.task_id, by=trauma.third)
    trauma.do(queue.claim, trauma.task_id, by=fourth)
    assert trauma.sections(fourth) == {}
    with pytest.raises(Refused, match="another pair of eyes"):
        trauma.do(actions.release, ids[HEAD], by=trauma.second)
    trauma.do(save_draft, trauma.task_id, Draft("所见", "意见", Kind.DIAGNOSIS), 0, by=fourth)
    readings.sign_task(trauma.database, trauma.chronicle, trauma.task_id, pdf, by=fourth)
    report = readings.compare(trauma.database, trauma.chronicle, trauma.task_id, pdf, score=Radpeer.CONCUR, comment="", by=fourth)
    assert [(one.region, one.by.name) for one in report.readings] == [
        (HEAD, "陈涛"),
        (CHEST, "吴进"),
        (None, "王敏"),
        (None, "许愿"),
    ]
