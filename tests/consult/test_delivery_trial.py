"""However channels drop and servers die: every critical value ends acknowledged or with people called, and nobody is told twice.

Each run is a clinic of its own: its channels, its people, one critical value, what each try on each channel comes to, and
whether and when somebody reads back. Many run beside each other on one clock that moves by seconds.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import insert, select
from support.builders import a_county, a_task
from support.server import until

from consult.delivery.channels import Gateways
from consult.delivery.ladder import begin, climb, is_due, take
from consult.delivery.model import ChannelKind, NoticeStatus, NotSentError, UnsureError
from consult.delivery.tables import attempt_table, channel_table, notice_table
from consult.delivery.watch import AT_ONCE, Telling
from consult.practitioners.model import Role
from consult.practitioners.tables import organization_table, practitioner_role_table, practitioner_table
from consult.queue.actions import claim
from consult.reports.actions import save_draft, sign_task
from consult.reports.model import Draft
from consult.reports.tables import delivery_table, report_table
from consult.requests.model import Kind
from telemed.kernel.database import new_id
from telemed.kernel.events import event_table

#: Runs on each database; `TELEMED_DELIVERY_RUNS=10000` takes some minutes.
RUNS = int(os.environ.get("TELEMED_DELIVERY_RUNS", "60"))
TOGETHER = 500
STEP_S = 1
#: The longest that one rung may keep the next one waiting: half a minute, and the step of this clock.
LONGEST_S = 30 + STEP_S
SCREEN_S = 20
#: What may become of one try, and how often.
FATES = {"refused": 40, "hung": 10, "cut before": 4, "cut after": 4, "taken": 42}


class PowerCut(BaseException):
    """The server dies while a message is on its way."""


@dataclass
class Run:
    """One clinic: what is tried on its channels, each as (seconds since it was signed, channel, fate)."""

    number: int
    report: str
    signed_at: object
    reads_back_after: int | None
    people: list[str]
    channels: dict[str, ChannelKind]
    tries: list[tuple[float, str, str]] = field(default_factory=list)


class Trial:
    """Runs beside each other, and the server whose channels do what chance says."""

    def __init__(self, database, chronicle, seed):
        self.database, self.chronicle, self.clock, self.chance = database, chronicle, chronicle.clock, random.Random(seed)
        self.county = a_county(database, chronicle)
        self.template = self._signed()
        self.runs: dict[str, Run] = {}
        self.telling = self._server()

    def _signed(self):
        reader = self.county.radiologist
        task_id = a_task(self.database, self.chronicle, self.county.nurse)
        with self.database.transaction() as db:
            claim(db, self.chronicle, task_id, by=reader)
            save_draft(db, self.chronicle, task_id, Draft("所见", "脑出血", Kind.DIAGNOSIS, critical=True), 0, by=reader)
        signed = sign_task(self.database, self.chronicle, task_id, lambda _: b"%PDF", by=reader)
        with self.database.reading() as db:
            return dict(db.execute(select(report_table).where(report_table.c.id == signed.id)).mappings().one())

    def _server(self):
        return Telling(self.database, self.chronicle, Gateways(), sender=self._send)

    def _send(self, channel, message, _, now):
        run = self.runs[message.report_id]
        fate = self._tries(run, channel.id, now)
        if fate == "refused":
            raise NotSentError(fate)
        if fate == "hung":
            raise UnsureError(fate)
        if fate.startswith("cut"):
            raise PowerCut(fate)

    def _tries(self, run, channel, now):
        # Threads must not share a chance: what a try comes to hangs on nothing but the run, the channel and its number.
        number = sum(tried == channel for _, tried, _ in run.tries)
        chance = random.Random(f"{run.number} {run.channels[channel]} {number}")
        (fate,) = chance.choices(list(FATES), FATES.values())
        run.tries.append(((now - run.signed_at).total_seconds(), channel, fate))
        return fate

    def clinics(self, first, count):
        """Let *count* clinics be told of a critical value within a minute, each with channels and people of its own."""
        rows: dict[object, list] = defaultdict(list)
        for number in range(first, first + count):
            place, report = f"clinic{number:06}", f"report{number:06}"
            signed_at = self.clock.now() - timedelta(seconds=self.chance.randrange(0, SCREEN_S))
            kinds = self.chance.choices(list(ChannelKind), k=self.chance.randrange(0, 9))
            channels = {new_id(): kind for kind in kinds}
            people = [new_id() for _ in range(self.chance.randrange(0, 3))]
            reads_back_after = self.chance.randrange(1, 100) if self.chance.random() < 0.8 else None
            self.runs[report] = Run(number, report, signed_at, reads_back_after, people, channels)
            rows[organization_table].append({"id": place, "name": place, "name_en": "", "kind": "township", "phone": "1"})
            for one in people:
                rows[practitioner_table].append({"id": one, "name": f"主任{number}", "institution_id": place})
                rows[practitioner_role_table].append({"practitioner_id": one, "role": Role.COORDINATOR})
            for one, kind in channels.items():
                critical_only = self.chance.random() < 0.3
                row = {"id": one, "institution_id": place, "kind": kind, "address": "x", "secret": "", "label": kind}
                rows[channel_table].append(row | {"critical_only": critical_only})
            its = {"id": report, "institution": place, "version": number + 2, "signed_at": signed_at}
            rows[report_table].append(self.template | its)
        with self.database.transaction() as db:
            for table, values in rows.items():
                db.execute(insert(table), values)
            for row in rows[report_table]:
                begin(db, row["id"])

    def play(self, first, count):
        """Play the runs from *first* on until nothing moves any more."""
        self.clinics(first, count)
        mine = [run for run in self.runs.values() if run.number >= first]
        for second in range(0, 700, STEP_S):
            self._read_back(run for run in mine if run.reads_back_after == second)
            self.look()
            if second % 50 == 7:
                self.dies()
            self.clock.pass_(seconds=STEP_S)

    def _read_back(self, runs):
        at = self.clock.now()
        rows = [
            {"report_id": run.report, "delivered_at": at, "delivered_by": "x", "read_back": "脑出血", "read_back_at": at}
            for run in runs
        ]
        if rows:
            with self.database.transaction() as db:
                db.execute(insert(delivery_table), rows)

    def look(self):
        while self.is_due():
            self.telling.look()
            until(lambda: not self.telling.on_their_way, every=0.0005)

    def is_due(self):
        with self.database.reading() as db:
            return is_due(db, self.clock.now())

    def dies(self):
        """Let the server die between the mark and the message, and another begin in its place."""
        self.telling.stop()
        with self.database.transaction() as db:
            climb(db, self.chronicle)
            marked = take(db, self.clock.now(), AT_ONCE)
        for errand in marked:
            self.runs[errand.message.report_id].tries.append(
                ((self.clock.now() - self.runs[errand.message.report_id].signed_at).total_seconds(), errand.channel.id, "marked")
            )
        self.telling = self._server()


def test_however_channels_drop_every_critical_value_ends_acknowledged_or_with_people_called(database, chronicle):
    trial = Trial(database, chronicle, seed=5)
    for first in range(0, RUNS, TOGETHER):
        trial.play(first, min(TOGETHER, RUNS - first))
    trial.telling.stop()
    with database.reading() as db:
        notices = {row.report_id: row for row in db.execute(select(notice_table))}
        called = defaultdict(list)
        for event in db.execute(select(event_table).where(event_table.c.type == "DeliveryEscalated")):
            called[event.data["report_id"]].append(event)
        moving = db.execute(select(attempt_table.c.id).where(attempt_table.c.next_at.is_not(None))).all()
    assert moving == []
    assert notices.keys() == trial.runs.keys()
    for run in trial.runs.values():
        check(run, notices[run.report], called[run.report], trial.county)
    ended = Counter(notice.status for notice in notices.values())
    tried = Counter(fate for run in trial.runs.values() for _, _, fate in run.tries)
    print(f"\n{RUNS} runs: {dict(ended)}; tries: {dict(tried)}")
    assert min(ended[NoticeStatus.ACKNOWLEDGED], ended[NoticeStatus.ESCALATED]) > RUNS / 5


def check(run, notice, called, county):
    """Hold what became of one run against what was promised."""
    ended_s = (notice.ended_at - run.signed_at).total_seconds()
    if notice.status == NoticeStatus.ACKNOWLEDGED:
        assert run.reads_back_after is not None
        assert called == []
    else:
        assert notice.status == NoticeStatus.ESCALATED
        (event,) = called
        assert {one["id"] for one in event.data["to"]} == {*run.people, county.coordinator.practitioner_id}
        assert event.data["phone"] == "1"
    # Whatever happened on one rung, the next one, and people after the last, follow within half a minute.
    first_tries = {}
    for at, channel, _ in run.tries:
        first_tries.setdefault(channel, at)
    moments = [SCREEN_S, *sorted(at for at in first_tries.values() if at <= ended_s), ended_s]
    assert max(after - before for before, after in pairwise(moments)) <= LONGEST_S
    if notice.status == NoticeStatus.ESCALATED:
        assert first_tries.keys() == run.channels.keys()
    # Only what was surely not taken is tried again; everything else may have been heard.
    heard = Counter(channel for _, channel, fate in run.tries if fate != "refused")
    assert all(count == 1 for count in heard.values())
    for channel in heard:
        assert [fate for _, tried, fate in run.tries if tried == channel][-1] != "refused"
