"""Quality is counted twice: by the view, and by this file's own walk over nothing but the event log."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from support.builders import a_clinic, a_county, a_nurse, a_person, a_specialist, a_study, a_task, a_uid, an_agreement

from consult.figures.model import Span
from consult.gate.actions import judge
from consult.peer_review import actions as peers
from consult.peer_review.model import ReviewStatus, Sampling
from consult.peer_review.views import due
from consult.practitioners.model import Role
from consult.quality.model import ByOrigin, ByReading
from consult.quality.views import discordance, quality
from consult.queue import actions as queue
from consult.queue.model import Declined
from consult.readings import actions as readings
from consult.readings.model import Radpeer
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft
from consult.reports.model import Draft, ReportEvent, Withdrawal
from consult.requests.model import Kind, Lane
from consult.triage.model import Analysis
from dicom_node.archive import events as archive
from dicom_node.archive.tables import instance_table, series_table, study_table

DRAFT = Draft("所见", "印象", Kind.DIAGNOSIS)
SCORES = [Radpeer.CONCUR, Radpeer.CONCUR, Radpeer.UNDERSTANDABLE, Radpeer.EXPECTED, Radpeer.EXPECTED_SIGNIFICANT]


def recording(*, short):
    result = {"duration_s": 4.0 if short else 10.0, "sampling_frequency_hz": 500, "statements": [], "quality": {}}
    return Analysis(a_uid(), result)


class Story:
    """Forty consultations of two clinics with three devices, each with a fate of its own."""

    def __init__(self, database, chronicle):
        self.database, self.chronicle, self.chance = database, chronicle, random.Random(7)
        county = self.county = a_county(database, chronicle)
        other = a_clinic(database, chronicle, "大洼乡卫生院")
        an_agreement(database, chronicle, other, county.hospital)
        self.nurses = [county.nurse, a_nurse(database, chronicle, other, "钱芳")]
        self.readers = [county.radiologist, county.colleague, a_specialist(database, chronicle, county.hospital, name="吴进")]
        with database.transaction() as db:
            peers.set_sampling(db, chronicle, Sampling(Role.RADIOLOGIST, 10, "quality"), by=county.coordinator)
        for _ in range(40):
            chronicle.clock.pass_(seconds=self.chance.choice([300, 86_400]))
            self.befall()
        self.review()

    def do(self, verb, *args, **arguments):
        with self.database.transaction() as db:
            return verb(db, self.chronicle, *args, **arguments)

    def befall(self):
        nurse, device = self.chance.choice(self.nurses), self.chance.choice(["CT1", "CT2", "UPLOAD"])
        study = a_study(self.database, self.chronicle, nurse.institution_id)
        self.comes_from(nurse.institution_id, study, device)
        if self.chance.random() < 0.5:
            self.do(judge, nurse.institution_id, study, recording(short=self.chance.random() < 0.4))
            if self.chance.random() < 0.5:
                self.do(judge, nurse.institution_id, study, recording(short=False))
        task_id = a_task(self.database, self.chronicle, nurse, study, lane=self.chance.choice([Lane.IMAGING, Lane.STROKE]))
        if self.chance.random() < 0.3:
            code = self.chance.choice([Declined.IMAGES_UNUSABLE, Declined.INCOMPLETE, Declined.NO_CAPACITY])
            self.do(queue.decline, task_id, code=code, reason="请重做", by=self.readers[0])
        if self.chance.random() < 0.1:
            return
        first, second, third = self.chance.sample(self.readers, 3)
        if self.chance.random() < 0.5:
            self.do(readings.ask_for_second, task_id, by=nurse)
            self.reads(task_id, first)
            self.reads(task_id, second)
            terms = {"score": self.chance.choice(SCORES), "comment": "侧别", "by": second}
            report = readings.compare(self.database, self.chronicle, task_id, lambda _: b"%PDF", **terms)
            report = report or self.reads(task_id, third)
        else:
            report = self.reads(task_id, first)
        if self.chance.random() < 0.3:
            draft, amender = Draft("所见改", "印象", Kind.DIAGNOSIS), report.signed_by.id
            by = next(one for one in self.readers if one.practitioner_id == amender)
            event = self.chance.choice([ReportEvent.AMEND, ReportEvent.CORRECT])
            amend_report(self.database, self.chronicle, report.id, draft, "补充", lambda _: b"%PDF", by=by, event=event)
        elif self.chance.random() < 0.3:
            by = next(one for one in self.readers if one.practitioner_id == report.signed_by.id)
            if self.chance.random() < 0.5:
                report = append_to_report(self.database, self.chronicle, report.id, "另见骨折。", lambda _: b"%PDF", by=by)
            if self.chance.random() < 0.5:
                cause = Withdrawal.SIGNED_IN_ERROR
                cancel_report(self.database, self.chronicle, report.id, cause, "", lambda _: b"%PDF", by=by)

    def comes_from(self, institution, study, device):
        with self.database.transaction() as db:
            arrived = archive.study_arrived(institution, study, modality="CT", source=device)
            self.chronicle.events.append(db, archive.STUDY_ARRIVED, study, arrived)
            mine = select(series_table.c.id).join(study_table, study_table.c.id == series_table.c.study_id)
            mine = mine.where(study_table.c.study_instance_uid == study)
            db.execute(update(instance_table).where(instance_table.c.series_id.in_(mine)).values(source=device))

    def reads(self, task_id, reader):
        self.chronicle.clock.pass_(seconds=120)
        self.do(queue.claim, task_id, by=reader)
        self.do(save_draft, task_id, DRAFT, 0, by=reader)
        return readings.sign_task(self.database, self.chronicle, task_id, lambda _: b"%PDF", by=reader)

    def review(self):
        """Draw what is drawn, and let whoever may score it."""
        for event in self.chronicle.events.after(0, types=["ReportSigned"], limit=1000):
            self.do(peers.draw, event.data["report_id"])
        for reader in self.readers:
            with self.database.reading() as db:
                waiting = [one for one in due(db, reader) if one.status is ReviewStatus.OPEN]
            for one in waiting:
                self.do(peers.claim, one.id, by=reader)
                given = self.chance.choice(SCORES)
                self.do(peers.score, one.id, given=given, comment="侧别", raised=given.is_significant, by=reader)


@pytest.fixture
def story(database, chronicle):
    return Story(database, chronicle)


def told(database):
    """Return every event as (type, subject, data), by SQL of this file's own."""
    with database.reading() as db:
        rows = db.execute(text("SELECT type, subject, data FROM event ORDER BY position")).all()
    for type_, subject, data in rows:
        yield type_, subject, json.loads(data) if isinstance(data, str) else data


def recount(database):  # noqa: C901, PLR0912 - a branch for each thing that is told of
    """Return what the log says: for each clinic and device its counts, and every score given."""
    devices, tasks, counts, scores = {}, {}, defaultdict(Counter), []
    noted = {"rejected": set(), "reports": set(), "amended": set(), "cancelled": set()}
    for type_, subject, data in told(database):
        if type_ == "StudyArrived":
            devices[data["institution"], data["study_instance_uid"]] = data["source"]
        elif type_ == "TaskRequested":
            tasks[subject] = (data["institution"], devices[data["institution"], data["study_instance_uid"]], data["lane"])
            counts[tasks[subject][:2]]["consultations"] += 1
        elif type_ == "TaskDeclined" and data["code"] in {"images-unusable", "incomplete"}:
            noted["rejected"].add(subject)
        elif type_ == "ReportSigned":
            noted["reports"].add(subject)
        elif type_ in {"ReportAmended", "ReportCorrected", "ReportAppended"}:
            noted["amended"].add(subject)
        elif type_ == "ReportCancelled":
            noted["cancelled"].add(subject)
        elif type_ in {"EcgJudged", "EcgRepeated"}:
            retell(counts[data["institution"], ""], type_, data)  # the builders index no recording: it has no device
        elif type_ in {"ReadingsCompared", "PeerReviewScored", "AmendmentAsked"}:
            site, device, lane = tasks[data["task_id"]]
            scores.append({"site": site, "device": device, "lane": lane, "reader": data["author"], "score": data["score"]})
    for name in ("reports", "amended"):
        noted[name] -= noted["cancelled"]
    for name, found in noted.items():
        for task_id in found:
            counts[tasks[task_id][:2]][name] += 1
    for one in scores:
        place = counts[one["site"], one["device"]]
        place.update(compared=1, discrepant=one["score"] != "1", significant=one["score"].endswith("b"))
    return counts, scores


def retell(place, type_, data):
    place["recordings"] += type_ == "EcgJudged"
    place["retakes_asked"] += type_ == "EcgJudged" and data["repeat"]
    place["retaken"] += type_ == "EcgRepeated"


COUNTED = (
    "consultations",
    "rejected",
    "recordings",
    "retakes_asked",
    "retaken",
    "reports",
    "amended",
    "cancelled",
    "compared",
    "discrepant",
    "significant",
)


def test_quality_by_clinic_and_device_is_what_the_event_log_says(database, chronicle, clock, story):
    regulator = a_person(database, chronicle, story.county.hospital, Role.REGULATOR)
    span = Span(clock.now() - timedelta(days=100), clock.now() + timedelta(days=1))
    counts, _ = recount(database)
    with database.reading() as db:
        devices = quality(db, regulator, ByOrigin.DEVICE, span)
        sites = quality(db, regulator, ByOrigin.SITE, span)
    said = {f"{site}/{device}": {name: found[name] for name in COUNTED} for (site, device), found in counts.items()}
    assert {one.key: {name: getattr(one, name) for name in COUNTED} for one in devices} == said
    for one in sites:
        assert [getattr(one, name) for name in COUNTED] == [
            sum(found[name] for (site, _), found in counts.items() if site == one.key) for name in COUNTED
        ]
    assert {one.name for one in sites} == {"莲花乡卫生院", "大洼乡卫生院"}
    assert "莲花乡卫生院 · CT1" in {one.name for one in devices}
    total = {name: sum(getattr(one, name) for one in sites) for name in COUNTED}
    assert all(total.values()), total
    assert total["rejected"] < total["consultations"]


@pytest.mark.parametrize("by", [ByReading.READER, ByReading.LANE, ByReading.INSTITUTION])
def test_discordance_is_what_the_event_log_says(database, chronicle, clock, story, by):
    regulator = a_person(database, chronicle, story.county.hospital, Role.REGULATOR)
    span = Span(clock.now() - timedelta(days=100), clock.now() + timedelta(days=1))
    _, scores = recount(database)
    with database.reading() as db:
        found = discordance(db, regulator, by, span)
    key = {ByReading.READER: "reader", ByReading.LANE: "lane", ByReading.INSTITUTION: "site"}[by]
    counted = defaultdict(Counter)
    for one in scores:
        counted[one[key]][one["score"]] += 1
    assert {one.key: {str(score): n for score, n in one.scores.items() if n} for one in found} == counted
    for one in found:
        given = counted[one.key]
        assert one.compared == given.total()
        assert one.share_discrepant == pytest.approx(1 - given["1"] / given.total())
        assert one.share_significant == pytest.approx((given["2b"] + given["3b"]) / given.total())


def test_every_month_in_which_readings_were_compared_has_its_line(database, chronicle, clock, story):
    regulator = a_person(database, chronicle, story.county.hospital, Role.REGULATOR)
    span = Span(clock.now() - timedelta(days=100), clock.now() + timedelta(days=1))
    with database.reading() as db:
        months = discordance(db, regulator, ByReading.MONTH, span)
        readers = discordance(db, regulator, ByReading.READER, span)
        hospitals = discordance(db, regulator, ByReading.PERFORMER, span)
    assert [one.key for one in months] == sorted({one.key for one in months})
    total = sum(one.compared for one in readers)
    assert sum(one.compared for one in months) == sum(one.compared for one in hospitals) == total
    assert hospitals[0].name == "青山县医院"


def test_the_clinic_s_own_people_see_no_reader_s_scores(database, clock, story):
    span = Span(clock.now() - timedelta(days=100), clock.now() + timedelta(days=1))
    with database.reading() as db:
        assert discordance(db, story.county.nurse, ByReading.READER, span) == ()
        assert discordance(db, story.county.coordinator, ByReading.READER, span)
        (mine,) = quality(db, story.county.nurse, ByOrigin.SITE, span)
    assert (mine.key, mine.compared) == (story.county.clinic, 0)
    assert mine.recordings > 0
