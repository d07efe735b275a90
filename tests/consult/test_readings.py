"""Two pairs of eyes, and a third where they differ: what each may see, what the clinic gets, and what the log keeps."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from support.builders import a_county, a_person, a_task

from consult.delivery.actions import delivered, read_back
from consult.figures.model import Span
from consult.figures.views import consultations
from consult.practitioners.model import Qualification, Role
from consult.queue import actions as queue
from consult.queue.model import Stage, TaskStatus
from consult.queue.views import task as task_of
from consult.readings import actions, views
from consult.readings.model import (
    Protocol,
    Radpeer,
    ReadingRule,
    protocol_of,
    stage_after,
    stage_after_comparison,
)
from consult.reports import views as reports
from consult.reports.actions import save_draft
from consult.reports.model import Draft, ReportStatus
from consult.reports.tables import report_table
from consult.requests.model import Kind, Lane
from consult.turnaround.tables import turnaround_table
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of

CALM = Draft("颅内未见出血", "未见异常", Kind.DIAGNOSIS)
BLEEDING = Draft("左侧基底节区高密度影", "左侧基底节区脑出血", Kind.DIAGNOSIS, critical=True)
TRAINED = Qualification("110441900000001", date(2010, 7, 1))
IN_TRAINING = Qualification("110441900000002", date(2024, 7, 1), in_training=True)


class Desk:
    """One task of a county, and what its people do with it."""

    def __init__(self, database, chronicle):
        self.database, self.chronicle = database, chronicle
        self.county = a_county(database, chronicle)
        self.first, self.second = self.county.radiologist, self.county.colleague
        self.third = a_person(database, chronicle, self.county.hospital, Role.RADIOLOGIST, name="吴进", qualification=TRAINED)
        self.task_id = a_task(database, chronicle, self.county.nurse)

    def do(self, verb, *args, **arguments):
        with self.database.transaction() as db:
            return verb(db, self.chronicle, *args, **arguments)

    def see(self, view, viewer, *args):
        with self.database.reading() as db:
            return view(db, viewer, *args)

    def readings(self, viewer):
        return self.see(views.readings, viewer, self.task_id, self.chronicle.clock.now())

    @property
    def task(self):
        return self.see(task_of, self.county.nurse, self.task_id)

    def twice(self):
        self.do(actions.ask_for_second, self.task_id, by=self.county.nurse)

    def read(self, reader, draft, expected=0):
        self.chronicle.clock.pass_(seconds=60)
        self.do(queue.claim, self.task_id, by=reader)
        self.do(save_draft, self.task_id, draft, expected, by=reader)
        return actions.sign_task(self.database, self.chronicle, self.task_id, pdf, by=reader)

    def compare(self, reader, score, comment=""):
        return actions.compare(self.database, self.chronicle, self.task_id, pdf, score=score, comment=comment, by=reader)

    def clock(self):
        with self.database.reading() as db:
            return db.execute(select(turnaround_table).where(turnaround_table.c.task_id == self.task_id)).one()

    def news(self):
        with self.database.reading() as db:
            return [event.type for event in events_of(db, self.task_id)]


def pdf(report):
    return f"%PDF {report.status} {report.version}".encode()


@pytest.fixture
def desk(database, chronicle):
    return Desk(database, chronicle)


def test_one_reading_is_enough_where_no_rule_asks_for_more(desk):
    report = desk.read(desk.first, CALM)
    assert (report.status, report.version, report.readings) == (ReportStatus.FINAL, 1, ())
    assert desk.task.status is TaskStatus.COMPLETED
    assert desk.readings(desk.first).items == ()


def test_two_that_agree_make_one_final_report_of_the_first_text(desk):
    desk.twice()
    first = desk.read(desk.first, CALM)
    assert first.status is ReportStatus.PRELIMINARY
    assert (desk.task.status, desk.task.stage) == (TaskStatus.REQUESTED, Stage.SECOND)
    assert desk.clock().t4_at is None
    desk.read(desk.second, Draft("未见出血灶", "头颅平扫未见异常", Kind.DIAGNOSIS))
    assert (desk.task.stage, desk.task.owner.id) == (Stage.COMPARISON, desk.second.practitioner_id)
    report = desk.compare(desk.second, Radpeer.CONCUR)
    assert (report.status, report.version, report.amends) == (ReportStatus.FINAL, 1, None)
    assert (report.findings, report.signed_by.name) == (CALM.findings, desk.second.name)
    assert [(one.stage, one.by.name) for one in report.readings] == [(Stage.FIRST, "王敏"), (Stage.SECOND, "陈涛")]
    assert report.readings[0].content_sha256 == first.content_sha256
    kept = desk.see(reports.report, desk.county.nurse, report.id)
    assert kept == report
    assert desk.task.status is TaskStatus.COMPLETED
    assert desk.clock().t4_at == report.signed_at
    assert [type_ for type_ in desk.news() if type_.startswith("Read")] == ["ReadingSigned", "ReadingSigned", "ReadingsCompared"]


def test_two_that_differ_in_what_matters_need_a_third_whose_text_is_the_report(desk):
    desk.twice()
    desk.read(desk.first, CALM)
    desk.read(desk.second, Draft("左侧基底节区可疑高密度", "出血待排", Kind.DIAGNOSIS))
    assert desk.compare(desk.second, Radpeer.UNDERSTANDABLE_SIGNIFICANT, "基底节区") is None
    assert (desk.task.stage, desk.task.status) == (Stage.ARBITRATION, TaskStatus.REQUESTED)
    for reader in (desk.first, desk.second):
        with pytest.raises(Refused, match="another pair of eyes"):
            desk.do(queue.claim, desk.task_id, by=reader)
    report = desk.read(desk.third, Draft("左侧基底节区小出血灶", "少量脑出血", Kind.DIAGNOSIS))
    assert (report.status, report.impression, report.signed_by.name) == (ReportStatus.FINAL, "少量脑出血", "吴进")
    assert [one.by.name for one in report.readings] == ["王敏", "陈涛"]
    assert [one.id for one in desk.see(reports.reports_of_study, desk.county.nurse, report.study_instance_uid)] == [report.id]
    shown = desk.readings(desk.first)
    assert (shown.comparison.score, shown.comparison.comment) == (Radpeer.UNDERSTANDABLE_SIGNIFICANT, "基底节区")
    assert (shown.comparison.author.name, shown.comparison.by.name, shown.comparison.concordant) == ("王敏", "陈涛", False)


def test_the_second_reader_sees_nothing_of_the_first_before_their_own_is_signed(desk):
    desk.twice()
    desk.do(queue.claim, desk.task_id, by=desk.first)
    desk.do(save_draft, desk.task_id, BLEEDING, 0, by=desk.first)
    for view in (reports.draft, reports.draft_versions):
        with pytest.raises(NotFound):
            desk.see(view, desk.second, desk.task_id)
    told = actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.first)
    desk.do(queue.claim, desk.task_id, by=desk.second)
    study = desk.task.study_instance_uid
    assert desk.readings(desk.second).items == ()
    assert desk.see(reports.draft, desk.second, desk.task_id) == Draft()
    assert desk.see(reports.draft_versions, desk.second, desk.task_id) == ()
    assert desk.see(reports.reports_of_study, desk.second, study) == ()
    with pytest.raises(NotFound):
        desk.see(reports.report, desk.second, told.id)
    with pytest.raises(NotFound):
        desk.see(reports.document, desk.second, told.id)
    with desk.database.reading() as db:
        heard = [event for event in events_of(db, desk.task_id) if "performer" in event.data]
    assert not [event for event in heard if "critical" in event.data or BLEEDING.impression in str(event.data)]
    assert [one.id for one in desk.see(reports.reports_of_study, desk.first, study)] == [told.id]
    desk.do(save_draft, desk.task_id, CALM, 0, by=desk.second)
    actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.second)
    assert len(desk.readings(desk.second).items) == 2
    assert len(desk.readings(desk.first).items) == 2
    assert desk.readings(desk.third).items == ()
    assert desk.readings(desk.county.nurse).items == ()


def test_nobody_who_has_held_the_first_draft_reads_the_study_blind(desk):
    desk.twice()
    desk.do(queue.claim, desk.task_id, by=desk.third)
    desk.do(queue.release, desk.task_id, by=desk.third)
    desk.do(queue.claim, desk.task_id, by=desk.first)
    desk.do(save_draft, desk.task_id, CALM, 0, by=desk.first)
    desk.do(queue.take_over, desk.task_id, reason="换班", by=desk.second)
    desk.do(queue.handover, desk.task_id, to=desk.first.practitioner_id, by=desk.second)
    actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.first)
    with pytest.raises(Refused, match="another pair of eyes"):
        desk.do(queue.claim, desk.task_id, by=desk.second)
    desk.do(queue.claim, desk.task_id, by=desk.third)
    with pytest.raises(Refused, match="choose somebody else"):  # not why: that would name the first reader
        desk.do(queue.handover, desk.task_id, to=desk.first.practitioner_id, by=desk.third)
    with pytest.raises(Refused, match="another pair of eyes"):
        desk.do(queue.take_over, desk.task_id, reason="我来", by=desk.first)


def test_who_asks_the_clinic_before_writing_does_not_read_the_study_twice(desk):
    desk.twice()
    desk.do(queue.claim, desk.task_id, by=desk.first)
    desk.do(queue.ask, desk.task_id, question="何时起病？", by=desk.first)
    desk.do(queue.answer, desk.task_id, answer="昨晚", by=desk.county.nurse)
    desk.do(save_draft, desk.task_id, CALM, 0, by=desk.first)
    actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.first)
    with pytest.raises(Refused, match="another pair of eyes"):
        desk.do(queue.claim, desk.task_id, by=desk.first)


def test_a_critical_value_is_told_at_once_and_the_clock_waits_for_the_final_report(desk):
    desk.twice()
    told = desk.read(desk.first, BLEEDING)
    assert (told.status, told.version) == (ReportStatus.PRELIMINARY, 1)
    nurse = desk.county.nurse
    desk.do(delivered, told.id, by=nurse)
    desk.do(read_back, told.id, words="左侧基底节区脑出血", by=nurse)
    assert (desk.clock().t4_at, desk.clock().t5_at, desk.clock().t6_at) == (None, None, None)
    assert desk.task.status is TaskStatus.REQUESTED
    desk.read(desk.second, CALM)
    final = desk.compare(desk.second, Radpeer.CONCUR)
    assert (final.status, final.version, final.amends, final.critical) == (ReportStatus.FINAL, 2, told.id, True)
    desk.do(delivered, final.id, by=nurse)
    assert desk.clock().t5_at is not None
    assert desk.news().count("ReportPreliminary") == 1
    now = desk.chronicle.clock.now()
    (line,) = desk.see(consultations, nurse, Span(now - timedelta(days=1), now + timedelta(days=1)))
    assert (line.versions, line.reader, line.critical) == (1, desk.second.practitioner_id, True)


def test_a_critical_value_that_only_the_second_saw_is_told_at_once_too_and_stays_one(desk):
    desk.twice()
    desk.read(desk.first, CALM)
    told = desk.read(desk.second, BLEEDING)
    assert desk.see(reports.inbox, desk.county.nurse).items[0].id == told.id
    assert desk.compare(desk.second, Radpeer.EXPECTED_SIGNIFICANT, "漏诊出血") is None
    report = desk.read(desk.third, Draft("未见出血", "钙化灶", Kind.DIAGNOSIS))
    assert (report.version, report.amends, report.critical) == (2, told.id, False)


def test_a_trainee_s_report_is_final_once_a_supervisor_has_signed_it(desk):
    trainee = a_person(
        desk.database, desk.chronicle, desk.county.hospital, Role.RADIOLOGIST, name="何苗", qualification=IN_TRAINING
    )
    written = desk.read(trainee, CALM)
    assert written.status is ReportStatus.PRELIMINARY
    assert desk.task.stage is Stage.OVER_READ
    assert desk.task.assigned.id != trainee.practitioner_id
    other = a_person(
        desk.database, desk.chronicle, desk.county.hospital, Role.RADIOLOGIST, name="许愿", qualification=IN_TRAINING
    )
    with pytest.raises(Refused, match="in training"):
        desk.do(queue.claim, desk.task_id, by=other)
    desk.do(queue.claim, desk.task_id, by=desk.first)
    draft = desk.see(reports.draft, desk.first, desk.task_id)
    assert draft.findings == CALM.findings
    desk.do(save_draft, desk.task_id, Draft("双侧额叶萎缩", "老年性改变", Kind.DIAGNOSIS), draft.version, by=desk.first)
    report = actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.first)
    assert (report.status, report.signed_by.name, report.impression) == (ReportStatus.FINAL, "王敏", "老年性改变")
    assert [(one.stage, one.by.name) for one in report.readings] == [(Stage.FIRST, "何苗")]
    assert desk.readings(trainee).items[0].impression == CALM.impression


def test_a_comparison_is_made_once_by_whoever_holds_the_task_and_says_where_they_differ(desk):
    desk.twice()
    desk.read(desk.first, CALM)
    with pytest.raises(Conflict, match="no two signed readings"):
        desk.compare(desk.first, Radpeer.CONCUR)
    desk.read(desk.second, CALM)
    with pytest.raises(Conflict, match="compare them"):
        actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.second)
    with pytest.raises(Invalid, match="say where"):
        desk.compare(desk.second, Radpeer.EXPECTED)
    with pytest.raises(Refused, match="claim this task"):
        desk.compare(desk.third, Radpeer.CONCUR)
    desk.compare(desk.second, Radpeer.EXPECTED, "未描述萎缩")
    with pytest.raises(Conflict):
        desk.compare(desk.second, Radpeer.CONCUR)


@pytest.mark.parametrize(
    ("score", "stage"), [(Radpeer.EXPECTED_SIGNIFICANT, Stage.ARBITRATION), (Radpeer.CONCUR, Stage.COMPARISON)]
)
def test_a_comparison_that_was_given_back_is_made_by_who_claims_it_next(desk, score, stage):
    desk.twice()
    desk.read(desk.first, CALM)
    desk.read(desk.second, BLEEDING)
    desk.do(queue.release, desk.task_id, by=desk.second)
    desk.do(queue.claim, desk.task_id, by=desk.second)
    desk.compare(desk.second, score, "漏诊出血")
    assert desk.task.stage is stage


def test_a_rule_made_while_the_document_is_written_is_not_passed_by(desk):
    desk.do(queue.claim, desk.task_id, by=desk.first)
    desk.do(save_draft, desk.task_id, CALM, 0, by=desk.first)

    def slowly(report):
        desk.twice()
        return pdf(report)

    with pytest.raises(Conflict, match="just changed"):
        actions.sign_task(desk.database, desk.chronicle, desk.task_id, slowly, by=desk.first)
    with desk.database.reading() as db:
        assert db.execute(select(report_table)).first() is None


def test_a_second_reading_is_asked_for_before_the_first_is_signed(desk):
    desk.read(desk.first, CALM)
    with pytest.raises(Conflict, match="until the first is signed"):
        desk.twice()


def test_who_asked_for_a_second_reading_is_shown_but_to_whoever_reads_blind(desk):
    assert (desk.readings(desk.first).twice, desk.readings(desk.first).asked) == (False, None)
    asked_at = desk.chronicle.clock.now()
    desk.do(queue.claim, desk.task_id, by=desk.first)
    for _ in range(2):  # once is enough
        desk.do(actions.ask_for_second, desk.task_id, by=desk.first)
        desk.chronicle.clock.pass_(seconds=5)
    for viewer in (desk.first, desk.second, desk.county.nurse):
        shown = desk.readings(viewer)
        assert (shown.twice, shown.asked.by.name, shown.asked.at) == (True, "王敏", asked_at)
    desk.do(save_draft, desk.task_id, CALM, 0, by=desk.first)
    actions.sign_task(desk.database, desk.chronicle, desk.task_id, pdf, by=desk.first)
    named = {viewer.name: desk.readings(viewer).asked.by for viewer in (desk.first, desk.second, desk.third, desk.county.nurse)}
    assert [name for name, by in named.items() if by is None] == [desk.second.name, desk.third.name]
    desk.read(desk.second, CALM)
    desk.compare(desk.second, Radpeer.CONCUR)
    shown = desk.readings(desk.second)
    assert (shown.twice, shown.asked.by.name) == (True, "王敏")


def test_a_task_that_a_rule_wants_read_twice_says_so_before_anybody_has_read_it(desk):
    desk.do(actions.add_rule, agreement_id=None, specialty=None, lane=Lane.IMAGING, by=desk.county.coordinator)
    shown = desk.readings(desk.first)
    assert (shown.twice, shown.asked) == (True, None)


def test_a_task_that_one_has_read_tells_whoever_has_read_it_that_another_must_go_on(desk):
    desk.twice()
    desk.read(desk.first, CALM)
    assert [desk.see(task_of, who, desk.task_id).read_before for who in (desk.first, desk.second)] == [True, False]
    desk.read(desk.second, BLEEDING)
    assert [desk.see(task_of, who, desk.task_id).read_before for who in (desk.first, desk.second)] == [True, False]
    desk.compare(desk.second, Radpeer.EXPECTED_SIGNIFICANT, "出血")
    who = (desk.first, desk.second, desk.third)
    assert [desk.see(task_of, one, desk.task_id).read_before for one in who] == [True, True, False]


def test_rules_name_an_agreement_a_service_or_a_lane(desk, database, chronicle):
    with pytest.raises(Invalid):
        desk.do(actions.add_rule, agreement_id=None, specialty=Role.CLINIC, lane=None, by=desk.county.coordinator)
    rule = desk.do(actions.add_rule, agreement_id=None, specialty=Role.RADIOLOGIST, lane=Lane.STROKE, by=desk.county.coordinator)
    stroke = a_task(database, chronicle, desk.county.nurse, lane=Lane.STROKE)
    now = chronicle.clock.now()
    with database.reading() as db:
        assert views.rules(db) == (rule,)
        asked = {id_: task_of(db, desk.first, id_) for id_ in (desk.task_id, stroke)}
        found = {id_: views.protocol(db, desk.first, task, now) for id_, task in asked.items()}
    assert found == {desk.task_id: Protocol.SINGLE, stroke: Protocol.DOUBLE}
    desk.do(actions.remove_rule, rule.id, by=desk.county.coordinator)
    with database.reading() as db:
        assert views.protocol(db, desk.first, task_of(db, desk.first, stroke), now) is Protocol.SINGLE
    with pytest.raises(NotFound):
        desk.do(actions.remove_rule, rule.id, by=desk.county.coordinator)


def test_a_rule_applies_to_what_is_everything_it_names():
    task = {"agreements": {"a1"}, "specialty": Role.RADIOLOGIST, "lane": Lane.STROKE, "task_id": "t1"}
    assert ReadingRule("r").applies(**task)
    assert ReadingRule("r", "a1", Role.RADIOLOGIST, Lane.STROKE, "t1").applies(**task)
    for rule in (
        ReadingRule("r", "a2"),
        ReadingRule("r", "a1", Role.CARDIOLOGIST),
        ReadingRule("r", "a1", lane=Lane.ECG),
        ReadingRule("r", task_id="t2"),
    ):
        assert not rule.applies(**task)


def test_every_protocol_ends_with_a_final_report():
    for double in (True, False):
        for in_training in (True, False):
            for score in Radpeer:
                stage, path = Stage.FIRST, [Stage.FIRST]
                while stage is not None:
                    compared = stage is Stage.COMPARISON
                    protocol = protocol_of(double=double, in_training=in_training)
                    stage = stage_after_comparison(score) if compared else stage_after(stage, protocol)
                    path.append(stage)
                assert len(path) == len(set(path))
                assert (Stage.ARBITRATION in path) == (double and score.is_significant)
                assert (Stage.OVER_READ in path) == (in_training and not double)
