"""A clinic that is not at its screen is told, one rung after the other; whatever drops, nobody is left untold."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from support.builders import a_county, a_person, a_task
from support.server import until

from consult.delivery.actions import add_channel, arrived, delivered, read_back, receipt, remove_channel
from consult.delivery.channels import Gateways
from consult.delivery.ladder import begin, climb, is_due, take
from consult.delivery.model import AttemptStatus, ChannelKind, Message, NoticeStatus, NotSentError
from consult.delivery.tables import notice_table
from consult.delivery.views import attempts, channels
from consult.delivery.watch import Telling
from consult.practitioners.model import SYSTEM, Role
from consult.queue.actions import claim
from consult.reports.actions import amend_report, cancel_report, save_draft, sign_task
from consult.reports.model import Draft, ReportStatus, Withdrawal
from consult.reports.tables import object_table
from consult.requests.model import Kind
from telemed.kernel.errors import Invalid, NotFound
from telemed.kernel.events import events_of

ADDRESSES = {
    ChannelKind.WECOM: "https://qyapi.example/hook?key=1",
    ChannelKind.DINGTALK: "https://oapi.example/robot/send?access_token=1",
    ChannelKind.EMAIL: "duty@clinic.example",
    ChannelKind.SMS: "13800000000",
    ChannelKind.VOICE: "13900000000",
}


class House:
    """A clinic with its channels, a report of its own, and a worker whose channels do what the test says."""

    def __init__(self, database, chronicle):
        self.database, self.chronicle, self.county = database, chronicle, a_county(database, chronicle)
        self.clinic_coordinator = a_person(database, chronicle, self.county.clinic, Role.COORDINATOR, name="钱主任")
        self.sent = []
        self.answer = lambda *_: None
        self.telling = Telling(database, chronicle, Gateways(), sender=self._send)

    def _send(self, channel, message, _, now):
        self.sent.append((channel.kind, message.report_id, now))
        self.answer(channel.kind, message.report_id)

    def add(self, *kinds, critical_only=False):
        with self.database.transaction() as db:
            for kind in kinds:
                add_channel(
                    db, self.chronicle, self.county.clinic, kind, ADDRESSES[kind], secret="", label=kind,
                    critical_only=critical_only, by=SYSTEM,
                )  # fmt: skip

    def report(self, *, critical=False):
        task_id = a_task(self.database, self.chronicle, self.county.nurse)
        with self.database.transaction() as db:
            claim(db, self.chronicle, task_id, by=self.county.radiologist)
            save_draft(
                db, self.chronicle, task_id, Draft("所见", "印象", Kind.DIAGNOSIS, critical), 0, by=self.county.radiologist
            )
        signed = sign_task(self.database, self.chronicle, task_id, lambda _: b"%PDF", by=self.county.radiologist)
        with self.database.transaction() as db:
            begin(db, signed.id)
        return signed

    def pass_(self, seconds, step=1):
        for _ in range(int(seconds / step)):
            self.chronicle.clock.pass_(seconds=step)
            self.look()

    def look(self):
        self.telling.look()
        until(lambda: not self.telling.on_their_way)

    def kinds(self):
        return [kind for kind, *_ in self.sent]

    def notice(self, report):
        with self.database.reading() as db:
            return db.execute(select(notice_table).where(notice_table.c.report_id == report.id)).one()

    def types(self, report):
        with self.database.reading() as db:
            return [event.type for event in events_of(db, report.task_id)]


@pytest.fixture
def house(database, chronicle):
    house = House(database, chronicle)
    yield house
    house.telling.stop()


def test_the_screen_comes_first_and_nobody_is_told_twice(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    report = house.report()
    house.pass_(30)
    with house.database.transaction() as db:
        delivered(db, house.chronicle, report.id, by=house.county.nurse)
    house.pass_(120, 10)
    assert house.sent == []
    assert house.notice(report).status == NoticeStatus.ACKNOWLEDGED


def test_what_only_the_clinics_own_system_has_is_told_until_a_screen_shows_it(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    report = house.report()
    with house.database.transaction() as db:
        db.execute(insert(object_table).values(sop_instance_uid="1.2.3", report_id=report.id, digest="0" * 64))
        now = house.chronicle.clock.now()
        arrived(db, house.chronicle, ["1.2.3"], ae_title="LIANHUA", institution_id=house.county.clinic, at=now)
    house.pass_(61)
    assert [kind for kind, *_ in house.sent] == [ChannelKind.WECOM]
    with house.database.transaction() as db:
        delivered(db, house.chronicle, report.id, by=house.county.nurse)
    house.pass_(120)
    assert [kind for kind, *_ in house.sent] == [ChannelKind.WECOM]


def test_rung_after_rung_until_people_are_called(house):
    house.add(ChannelKind.VOICE, ChannelKind.EMAIL, ChannelKind.WECOM, ChannelKind.SMS, ChannelKind.DINGTALK)
    report = house.report()
    house.pass_(60 + 4 * 30 + 1)
    assert sorted(house.kinds()[:2]) == [ChannelKind.DINGTALK, ChannelKind.WECOM]
    assert house.kinds()[2:] == [ChannelKind.EMAIL, ChannelKind.SMS, ChannelKind.VOICE]
    waits = [(later[2] - earlier[2]).total_seconds() for earlier, later in zip(house.sent[1:], house.sent[2:], strict=False)]
    assert waits == [30, 30, 30]
    assert house.notice(report).status == NoticeStatus.ESCALATED
    with house.database.reading() as db:
        [event] = [event for event in events_of(db, report.task_id) if event.type == "DeliveryEscalated"]
        shown = attempts(db, house.county.radiologist, report.id)
    called = {one["id"] for one in event.data["to"]}
    assert called == {house.county.coordinator.practitioner_id, house.clinic_coordinator.practitioner_id}
    assert {one.status for one in shown} == {AttemptStatus.SENT}


def test_a_dead_channel_leaves_its_place_at_once_and_is_tried_again(house):
    house.add(ChannelKind.WECOM, ChannelKind.EMAIL)
    dead = {ChannelKind.WECOM}

    def answer(kind, _):
        if kind in dead:
            raise NotSentError("refused")

    house.answer = answer
    house.report(critical=True)
    house.pass_(22)
    assert house.kinds() == [ChannelKind.WECOM, ChannelKind.EMAIL]
    dead.clear()
    house.pass_(20)
    assert house.kinds() == [ChannelKind.WECOM, ChannelKind.EMAIL, ChannelKind.WECOM]
    house.pass_(600, 10)
    assert len(house.sent) == 3


def test_a_critical_value_is_acknowledged_by_its_read_back_alone(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    report = house.report(critical=True)
    with house.database.transaction() as db:
        delivered(db, house.chronicle, report.id, by=house.county.nurse)
    house.pass_(25)
    assert house.kinds() == [ChannelKind.WECOM]
    with house.database.transaction() as db:
        read_back(db, house.chronicle, report.id, words="脑出血", by=house.county.nurse)
    house.pass_(60)
    assert house.kinds() == [ChannelKind.WECOM]
    assert "DeliveryEscalated" not in house.types(report)


def test_a_channel_for_critical_values_is_silent_about_others(house):
    house.add(ChannelKind.WECOM)
    house.add(ChannelKind.VOICE, critical_only=True)
    house.report()
    house.pass_(150, 5)
    assert house.kinds() == [ChannelKind.WECOM]


def test_without_any_channel_people_are_called_when_the_screen_had_its_time(house):
    report = house.report(critical=True)
    house.pass_(21)
    assert "DeliveryEscalated" in house.types(report)


def test_an_amended_version_is_told_anew_and_the_former_one_no_more(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    report = house.report()
    house.pass_(61)
    amended = amend_report(
        house.database, house.chronicle, report.id, Draft("所见改", "印象", Kind.DIAGNOSIS), "补充", lambda _: b"%PDF",
        by=house.county.radiologist,
    )  # fmt: skip
    with house.database.transaction() as db:
        begin(db, amended.id)
        begin(db, amended.id)
    house.pass_(62)
    assert [(kind, id_) for kind, id_, _ in house.sent] == [(ChannelKind.WECOM, report.id), (ChannelKind.WECOM, amended.id)]


def test_a_cancelled_report_climbs_the_whole_ladder_until_a_person_has_opened_its_news(house):
    house.add(ChannelKind.WECOM)
    house.add(ChannelKind.VOICE, critical_only=True)
    report = house.report()
    with house.database.transaction() as db:
        delivered(db, house.chronicle, report.id, by=house.county.nurse)
    cancelled = cancel_report(
        house.database, house.chronicle, report.id, Withdrawal.WRONG_PATIENT, "", lambda _: b"%PDF", by=house.county.radiologist
    )
    with house.database.transaction() as db:
        begin(db, cancelled.id)
    house.pass_(21)
    assert house.sent[-1][:2] == (ChannelKind.WECOM, cancelled.id)
    with house.database.transaction() as db:  # its news on the screen is nobody's acknowledgement
        delivered(db, house.chronicle, cancelled.id, by=house.county.nurse)
    house.pass_(31)
    assert house.sent[-1][:2] == (ChannelKind.VOICE, cancelled.id)
    with house.database.transaction() as db:
        receipt(db, house.chronicle, cancelled.id, by=house.county.nurse)
    house.pass_(60)
    assert "DeliveryEscalated" not in house.types(report)
    with house.database.reading() as db:
        notice = db.execute(select(notice_table.c.status).where(notice_table.c.report_id == cancelled.id)).scalar_one()
    assert notice == NoticeStatus.ACKNOWLEDGED


def test_a_message_says_in_words_what_was_done_to_the_report(clock):
    said = {status: said_of(status, clock, critical=False) for status in ReportStatus}
    for status, word in (("amended", "已修订"), ("corrected", "已更正"), ("appended", "已补充"), ("cancelled", "已作废")):
        assert word in said[status]
    assert len(set(said.values())) == 5, "preliminary and final are told alike"
    assert "危急值报告已更正" in said_of(ReportStatus.CORRECTED, clock, critical=True)


def said_of(status, clock, *, critical):
    return Message("莲花乡卫生院", critical, status, "1", clock.now()).text


def test_what_was_interrupted_is_not_sent_again_and_the_next_rung_is(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    report = house.report()
    house.chronicle.clock.pass_(seconds=61)
    with house.database.transaction() as db:  # a crash between mark and message
        climb(db, house.chronicle)
        assert len(take(db, house.chronicle.clock.now(), 8)) == 1
    house.pass_(120)
    assert house.kinds() == [ChannelKind.SMS]
    with house.database.reading() as db:
        statuses = {one.kind: one.status for one in attempts(db, house.county.radiologist, report.id)}
    assert statuses == {ChannelKind.WECOM: AttemptStatus.UNSURE, ChannelKind.SMS: AttemptStatus.SENT}


def test_a_quiet_look_finds_nothing_due(house):
    with house.database.reading() as db:
        assert not is_due(db, house.chronicle.clock.now() + timedelta(days=1))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (ChannelKind.WECOM, "ftp://host/x"),
        (ChannelKind.WECOM, "https://user@host/"),
        (ChannelKind.WEBHOOK, "file:///etc/passwd"),
        (ChannelKind.EMAIL, "a b@c"),
        (ChannelKind.EMAIL, "a@b\nBcc: c@d"),
        (ChannelKind.SMS, "13800000000; drop"),
    ],
)
def test_an_address_of_another_kind_is_refused(house, kind, address):
    with house.database.transaction() as db, pytest.raises(Invalid):
        add_channel(db, house.chronicle, house.county.clinic, kind, address, secret="", label="", critical_only=False, by=SYSTEM)


def test_a_removed_channel_is_used_no_more(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    with house.database.transaction() as db:
        mine = next(one for one in channels(db) if one.kind is ChannelKind.WECOM)
        remove_channel(db, house.chronicle, mine.id, by=SYSTEM)
        with pytest.raises(NotFound):
            remove_channel(db, house.chronicle, mine.id, by=SYSTEM)
    house.report()
    house.pass_(62)
    assert house.kinds() == [ChannelKind.SMS]


def test_messages_go_on_after_a_look_that_failed(house):
    house.add(ChannelKind.WECOM, ChannelKind.SMS)
    house.report()
    house.pass_(59)
    house.chronicle.clock.pass_(seconds=2)
    with refusing(house.database, "delivery_attempt"), pytest.raises(DBAPIError):
        house.telling.look()
    assert house.sent == []
    house.look()
    assert house.kinds() == [ChannelKind.WECOM]


@contextmanager
def refusing(database, table):
    """Let every UPDATE of *table* fail."""
    with database.engine.begin() as db:
        if database.is_sqlite:
            db.exec_driver_sql(f"CREATE TRIGGER no BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        else:
            db.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$"
            )
            db.exec_driver_sql(f"CREATE TRIGGER no BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no()")
    try:
        yield
    finally:
        with database.engine.begin() as db:
            db.exec_driver_sql("DROP TRIGGER no" + ("" if database.is_sqlite else f" ON {table}"))
