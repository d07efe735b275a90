"""Every figure is counted twice: by the view, and by SQL of this file's own over nothing but the event log."""

from __future__ import annotations

import json
import math
import os
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from support.builders import a_clinic, a_county, a_hospital, a_nurse, a_person, a_specialist, a_study, a_task, an_agreement

from consult.delivery.actions import delivered, read_back, receipt
from consult.figures.model import By, Span, Stage
from consult.figures.views import consultations, scores, turnaround
from consult.intake import Intake
from consult.practitioners.model import Role
from consult.queue import actions as queue
from consult.queue.model import Declined
from consult.queue.tables import task_table
from consult.queue.watch import QueueWatch
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft, sign_task
from consult.reports.model import Draft, ReportEvent, ReportStatus, Withdrawal
from consult.requests.model import Kind, Lane
from consult.turnaround.actions import stamp
from consult.turnaround.model import Point

#: How many are played; `TELEMED_CONSULTATIONS=600` for a longer story.
CONSULTATIONS = int(os.environ.get("TELEMED_CONSULTATIONS", "36"))

#: One row a task: the first moment of each deed, and how often the others happened.
DEEDS = """
SELECT subject AS task_id,
       MIN(CASE WHEN type = 'TaskClaimed' THEN at END) AS t3,
       MIN(CASE WHEN type = 'ReportSigned' THEN at END) AS t4,
       MIN(CASE WHEN type = 'ReportDelivered' THEN at END) AS t5,
       MIN(CASE WHEN type = 'ReportRead' THEN at END) AS t6,
       MIN(CASE WHEN type = 'CriticalReadBack' THEN at END) AS read_back,
       SUM(CASE WHEN type = 'TaskDeclined' THEN 1 ELSE 0 END) AS declined,
       SUM(CASE WHEN type = 'TaskEscalated' THEN 1 ELSE 0 END) AS escalated,
       SUM(CASE WHEN type = 'SlaBreached' THEN 1 ELSE 0 END) AS breached,
       SUM(CASE WHEN type IN ('ReportSigned', 'ReportAmended', 'ReportCorrected', 'ReportAppended')
           THEN 1 ELSE 0 END) AS versions,
       SUM(CASE WHEN type = 'ReportCancelled' THEN 1 ELSE 0 END) AS cancelled
FROM event WHERE subject IN (SELECT subject FROM event WHERE type = 'TaskRequested')
GROUP BY subject
"""
SIGNED = {"ReportSigned", "ReportAmended", "ReportCorrected", "ReportAppended"}
SAID = "SELECT subject, type, at, data FROM event ORDER BY position"


def moment(value):
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


#: Who has a task after a deed: whom its event names, or nobody.
HOLDER = {
    **dict.fromkeys(["TaskClaimed", "TaskTakenOver", "TaskHandedOver"], "owner"),
    **dict.fromkeys(["TaskReleased", "TaskDeclined", "TaskCancelled"], ""),
    "ReportSigned": "signed_by",
}


def recounted(database):
    """Return what the event log says of each task, by its id."""
    with database.reading() as db:
        tasks = {row.task_id: dict(row._mapping) for row in db.execute(text(DEEDS))}
        said = db.execute(text(SAID)).all()
    settled = defaultdict(list)
    for task in tasks.values():
        task |= {"paused_s": 0, "critical": False, "reader": None, "asked_at": None}
        task |= {name: moment(task[name]) for name in ("t3", "t4", "t5", "t6", "read_back")}
    for subject, type_, at, data in said:
        news = json.loads(data) if isinstance(data, str) else data
        if type_ == "StudySettled":
            settled[news["institution"], news["study_instance_uid"]].append(moment(at))
        elif subject in tasks:
            retell(tasks[subject], type_, moment(at), news)
    for task in tasks.values():
        ends = [at for at in settled[task["institution"], task["study_instance_uid"]] if task["t4"] is None or at <= task["t4"]]
        task["t2"] = max([task["t0"], *ends]) if ends else None
    return tasks


def retell(task, type_, at, news):
    told = ("institution", "performer", "study_instance_uid", "lane", "budget_s")
    task |= {name: news[name] for name in told if name in news}
    if "t0_at" in news:
        task["t0"] = datetime.fromisoformat(news["t0_at"])
    if type_ == "TaskAsked":
        task["asked_at"] = at
    elif task["asked_at"] is not None and type_ in {"TaskAnswered", "TaskDeclined", "TaskCancelled"}:
        task["paused_s"] += int((at - task["asked_at"]).total_seconds())
        task["asked_at"] = None
    if type_ in HOLDER:
        task["reader"] = news[HOLDER[type_]] if HOLDER[type_] else None
    task["critical"] = task["critical"] or (type_ in SIGNED and news["critical"])


def nearest_rank(values, share):
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def seconds(begin, end):
    return None if begin is None or end is None else max(0, int((end - begin).total_seconds()))


@pytest.fixture
def story(database, chronicle, clock):
    """Consultations of two clinics and two hospitals, each with a fate of its own."""
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    an_agreement(database, chronicle, county.clinic, province)
    other = a_clinic(database, chronicle, "大洼乡卫生院")
    an_agreement(database, chronicle, other, county.hospital)
    nurses = [county.nurse, a_nurse(database, chronicle, other, "钱芳")]
    readers = {
        (county.hospital, "radiologist"): [county.radiologist, county.colleague],
        (county.hospital, "cardiologist"): [county.cardiologist],
        (province, "radiologist"): [a_specialist(database, chronicle, province, name="吴进")],
        (province, "cardiologist"): [a_specialist(database, chronicle, province, Role.CARDIOLOGIST, name="郑和")],
    }
    chance = random.Random(20)
    watch = QueueWatch(database, chronicle)
    for _ in range(CONSULTATIONS):
        nurse = chance.choice(nurses)
        modality, lane = chance.choice([("CT", Lane.IMAGING), ("CT", Lane.STROKE), ("ECG", Lane.ECG)])
        study = a_study(database, chronicle, nurse.institution_id, modality=modality, settled=False)
        task_id = a_task(database, chronicle, nurse, study, modality=modality, lane=lane)
        Fate(database, chronicle, chance, task_id, readers).befall(nurse, watch)
    return county


class Fate:
    """What becomes of one consultation, by chance."""

    def __init__(self, database, chronicle, chance, task_id, readers):
        self.database, self.chronicle, self.chance, self.task_id = database, chronicle, chance, task_id
        self.world = database, chronicle
        self.readers = readers

    @property
    def task(self):
        with self.database.reading() as db:
            return db.execute(select(task_table).where(task_table.c.id == self.task_id)).one()

    @property
    def reader(self):
        return self.chance.choice(self.readers[self.task.performer_id, self.task.specialty])

    def do(self, verb, *args, **arguments):
        with self.database.transaction() as db:
            return verb(db, self.chronicle, *args, **arguments)

    def passes(self, least, most):
        self.chronicle.clock.pass_(seconds=self.chance.randint(least, most))

    def settles(self, task):
        """Say of the study what the archive says once it is complete, and let intake act on it."""
        self.passes(0, 60)
        news = {"institution": task.institution_id, "study_instance_uid": task.study_instance_uid}
        event = self.do(lambda db, chronicle: chronicle.events.append(db, "StudySettled", task.study_instance_uid, news))
        write = Intake(self.database, self.chronicle).prepare(event)
        self.do(lambda db, _: write(db))

    def befall(self, nurse, watch):
        self.passes(0, 300)
        if self.chance.random() < 0.1:
            return
        if self.chance.random() < 0.1:
            self.do(queue.cancel, self.task_id, reason="请错了", by=nurse)
            return
        if self.chance.random() < 0.2:
            self.do(queue.decline, self.task_id, code=Declined.IMAGES_UNUSABLE, reason="图像不清", by=self.reader)
        self.passes(0, 900)
        watch.look()
        reader = self.reader
        self.do(queue.claim, self.task_id, by=reader)
        if self.task.specialty == "radiologist":
            self.settles(self.task)
        self.do(
            save_draft, self.task_id, Draft("所见", "印象", Kind.DIAGNOSIS, critical=self.chance.random() < 0.3), 0, by=reader
        )
        if self.chance.random() < 0.3:
            self.do(queue.ask, self.task_id, question="何时发病？", by=reader)
            self.passes(10, 400)
            self.do(queue.answer, self.task_id, answer="今晨", by=nurse)
        if self.chance.random() < 0.15:
            return
        self.passes(60, 600)
        self.answered(reader, nurse)

    def answered(self, reader, nurse):
        report = sign_task(self.database, self.chronicle, self.task_id, lambda _: b"%PDF", by=reader)
        for version in range(self.chance.choice([1, 1, 2, 3])):
            if report.status is ReportStatus.CANCELLED:
                return
            if version:
                report = self.chance.choice([self.amended, self.amended, self.appended, self.withdrawn])(report, reader)
            self.passes(1, 60)
            if self.chance.random() < 0.9:
                self.do(delivered, report.id, by=nurse)
                self.passes(1, 120)
                if self.chance.random() < 0.8:
                    self.do(receipt, report.id, by=nurse)
                if report.critical and self.chance.random() < 0.8:
                    self.do(read_back, report.id, words="脑出血", by=nurse)

    def amended(self, report, reader):
        draft, event = (
            Draft("所见改", "印象", Kind.DIAGNOSIS, critical=report.critical),
            self.chance.choice(list(ReportEvent)[2:4]),
        )
        return amend_report(*self.world, report.id, draft, "补充", lambda _: b"%PDF", by=reader, event=event)

    def appended(self, report, reader):
        return append_to_report(*self.world, report.id, "另见骨折。", lambda _: b"%PDF", by=reader)

    def withdrawn(self, report, reader):
        return cancel_report(*self.world, report.id, Withdrawal.WRONG_STUDY, "", lambda _: b"%PDF", by=reader)


def test_every_figure_is_what_the_event_log_says(database, chronicle, clock, story):
    begin, end = clock.now() - timedelta(days=30), clock.now() + timedelta(days=1)
    regulator = a_person(database, chronicle, story.hospital, Role.REGULATOR)
    log = recounted(database)
    with database.reading() as db:
        shown = consultations(db, regulator, Span(begin, end))
        lanes = scores(db, regulator, By.LANE, Span(begin, end))
        readers = scores(db, regulator, By.READER, Span(begin, end))
        places = scores(db, regulator, By.INSTITUTION, Span(begin, end))
        total = turnaround(db, regulator, Span(begin, end))
    assert len(shown) == len(log) == CONSULTATIONS
    counted = {"t0": "T0", "t2": "T2", "t3": "T3", "t4": "T4", "t5": "T5", "t6": "T6", "read_back": "read_back_at"}
    counted |= {
        name: name
        for name in (
            "institution",
            "performer",
            "lane",
            "reader",
            "budget_s",
            "paused_s",
            "declined",
            "escalated",
            "breached",
            "critical",
            "versions",
            "cancelled",
        )
    }
    for one in shown:
        said = {name: getattr(one, field) for name, field in counted.items()}
        assert said == {name: log[one.task_id][name] for name in counted}
    for key, found in (("lane", lanes), ("institution", places), ("reader", readers)):
        kinds = {task[key] for task in log.values()} - {None}
        assert {score.key for score in found} == kinds
        for score in found:
            mine = [task for task in log.values() if task[key] == score.key]
            taken = [seconds(task["t0"], task["t5"]) for task in mine if task["t5"] and not task["cancelled"]]
            assert (score.turnaround.count, score.turnaround.delivered) == (len(mine), len(taken))
            assert score.turnaround.p90_s == nearest_rank(taken, 0.9)
            within = [
                task
                for task in mine
                if task["t5"] and not task["cancelled"] and seconds(task["t0"], task["t5"]) - task["paused_s"] <= task["budget_s"]
            ]
            assert score.turnaround.within_target == len(within)
            reading = [seconds(task["t3"], task["t4"]) for task in mine if task["t3"] and task["t4"]]
            assert score.stages[Stage.READING].p50_s == nearest_rank(reading, 0.5)
            receiving = [seconds(task["t0"], task["t2"]) for task in mine if task["t2"]]
            assert score.stages[Stage.RECEIVING].p95_s == nearest_rank(receiving, 0.95)
            opening = [seconds(task["t5"], task["t6"]) for task in mine if task["t6"]]
            assert score.stages[Stage.OPENING].p95_s == nearest_rank(opening, 0.95)
            assert score.declined == sum(task["declined"] for task in mine)
            assert score.paused_s == sum(task["paused_s"] for task in mine)
            assert score.critical == sum(task["critical"] for task in mine)
            assert score.critical_read_back == sum(task["read_back"] is not None for task in mine)
            assert score.amended == sum(task["versions"] > 1 for task in mine)
            assert score.cancelled == sum(task["cancelled"] for task in mine)
    assert total.count == CONSULTATIONS
    assert total.p50_s == nearest_rank(
        [seconds(task["t0"], task["t5"]) for task in log.values() if task["t5"] and not task["cancelled"]], 0.5
    )
    assert sum(score.breached for score in lanes) > 0
    assert sum(score.declined for score in lanes) > 0
    assert sum(score.cancelled for score in lanes) > 0
    assert sum(score.critical_read_back for score in lanes) > 0


def test_an_institution_sees_its_own_figures_and_nobody_elses(database, chronicle, clock):
    county = a_county(database, chronicle)
    a_task(database, chronicle, county.nurse)
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    span = Span(clock.now() - timedelta(days=1), clock.now() + timedelta(days=1))
    with database.reading() as db:
        assert [score.key for score in scores(db, county.coordinator, By.PERFORMER, span)] == [county.hospital]
        assert [score.name for score in scores(db, county.nurse, By.INSTITUTION, span)] == ["莲花乡卫生院"]
        assert scores(db, stranger, By.LANE, span) == ()
        assert turnaround(db, stranger, span).count == 0


def test_figures_count_what_is_delivered_and_what_was_in_time(database, chronicle):
    county = a_county(database, chronicle)
    regulator = a_person(database, chronicle, county.hospital, Role.REGULATOR)
    since = chronicle.clock.now()
    for minutes in (*range(1, 20), 25, None):
        task_id = a_task(database, chronicle, county.nurse)
        if minutes is not None:
            with database.transaction() as db:
                stamp(db, task_id, Point.T5, chronicle.clock.now() + timedelta(minutes=minutes))
    span = Span(since, since + timedelta(days=1))
    with database.reading() as db:
        found = turnaround(db, regulator, span)
        assert (found.count, found.delivered, found.within_target, found.share_within_target) == (21, 20, 19, 0.95)
        assert (found.p50_s, found.p90_s, found.p95_s) == (600, 1080, 1140)
        assert turnaround(db, regulator, replace(span, lane="ecg")).count == 0
        assert turnaround(db, regulator, replace(span, institution=county.clinic)).count == 21
        assert turnaround(db, regulator, replace(span, since=span.until, until=span.until)).p50_s is None
        stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    with database.reading() as db:
        assert turnaround(db, stranger, span).count == 0
        assert turnaround(db, county.nurse, span).count == 21
