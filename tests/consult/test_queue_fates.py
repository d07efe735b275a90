"""Whatever people do with tasks, in whatever order, while time passes and servers restart: the same sequences on both databases.

`Expected` is what must have become of a task, written down here a second time and by other rules than the product's: its
moments are counted from T0 and never moved.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update
from support.builders import a_county, a_hospital, a_specialist, a_study, a_task, an_agreement

from consult.delivery.actions import delivered, receipt
from consult.intake import Intake, revoke_consent
from consult.practitioners.actions import end_agreement
from consult.practitioners.model import SYSTEM
from consult.practitioners.views import agreements_of
from consult.queue import actions
from consult.queue.model import Declined
from consult.queue.tables import task_table
from consult.queue.watch import QueueWatch
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft, sign_task
from consult.reports.model import Draft, ReportEvent, Withdrawal
from consult.requests.model import Kind, Lane
from consult.requests.views import request_by_id
from consult.turnaround.tables import turnaround_table
from dicom_node.archive.tables import study_table
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of

#: Sequences on each database; `TELEMED_STATEFUL_RUNS=1000` takes a quarter of an hour.
RUNS = int(os.environ.get("TELEMED_STATEFUL_RUNS", "10"))
#: Of all that may happen in each state; which of it a few sequences meet depends on what else is imported.
SEEN_AT_LEAST = 0.8 if RUNS >= 100 else 0.6
STEPS = 15
LOOKS_EVERY = timedelta(seconds=0.5)
LEASE = timedelta(seconds=90)
LATEST = timedelta(seconds=1)
BUDGET = {Lane.IMAGING: timedelta(minutes=20), Lane.STROKE: timedelta(minutes=12)}
RUNGS = ("next-doctor", "next-hospital", "duty-phone")
SHARES = (0.5, 0.75, 1.0)
DRAFT = Draft("所见", "印象", Kind.DIAGNOSIS)

#: state: {deed: state after it}
LAW = {
    "requested": {"claim": "accepted", "decline": "requested", "cancel": "cancelled", "revoke": "cancelled"},
    "accepted": {
        "release": "requested",
        "start": "in-progress",
        "decline": "requested",
        "handover": "accepted",
        "take over": "accepted",
        "ask": "on-hold",
        "cancel": "cancelled",
        "revoke": "cancelled",
    },
    "in-progress": {
        "release": "requested",
        "decline": "requested",
        "handover": "accepted",
        "take over": "accepted",
        "ask": "on-hold",
        "sign": "completed",
        "revoke": "cancelled",
    },
    "on-hold": {"answer": "in-progress", "decline": "requested", "cancel": "cancelled", "revoke": "cancelled"},
    "completed": {},
    "cancelled": {},
}
#: What else is done, and in which state.
BESIDE = {
    "requested": ["claim", "claim", "claim", "rest comes"],
    "accepted": ["write", "start", "renew"],
    "in-progress": ["write", "renew", "sign", "ask"],
    "on-hold": ["write", "answer"],
    "completed": ["amend", "deliver"],
}
EVERYTHING = sorted({deed for deeds in [*LAW.values(), *BESIDE.values()] for deed in deeds})
HELD = {"accepted", "in-progress", "on-hold"}
LEASED = {"accepted", "in-progress"}
RUNNING = {"requested", *LEASED}


@dataclass
class Expected:
    """What must have become of one task; *told* are the types of its events."""

    id: str
    study: str
    performer: str
    budget: timedelta
    t0: datetime
    status: str = "requested"
    owner: str | None = None
    assigned: str | None = None
    claimed_at: datetime | None = None
    lease_until: datetime | None = None
    paused: timedelta = timedelta(0)
    paused_since: datetime | None = None
    #: Since when its clock runs without a pause: no rung is noticed before.
    runs_since: datetime | None = None
    escalated: int = 0
    breached_at: datetime | None = None
    draft: bool = False
    declined_by: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    withdrawn: bool = False
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    points: dict[str, datetime | None] = field(default_factory=lambda: dict.fromkeys(["t2", "t3", "t4", "t5", "t6"]))
    told: list[str] = field(default_factory=lambda: ["TaskRequested"])

    @property
    def is_open(self):
        return self.status not in {"completed", "cancelled"}

    @property
    def due_at(self):
        return self.t0 + self.budget + self.paused

    @property
    def rung_at(self):
        """When the next rung is due, None while none is."""
        if self.status not in RUNNING or self.escalated == len(RUNGS):
            return None
        return self.t0 + self.budget * SHARES[self.escalated] + self.paused

    def held(self, owner, now):
        self.owner, self.claimed_at, self.lease_until = owner, now, now + LEASE

    def unheld(self):
        self.owner = self.claimed_at = self.lease_until = None

    def resumes(self, now):
        if self.paused_since is not None:
            self.paused += timedelta(seconds=(now - self.paused_since) // timedelta(seconds=1))
            self.paused_since, self.runs_since = None, now

    def row(self):
        return {
            "status": self.status,
            "owner_id": self.owner,
            "assigned_id": self.assigned,
            "claimed_at": self.claimed_at,
            "lease_until": self.lease_until,
            "performer_id": self.performer,
            "declined_by": self.declined_by,
            "due_at": self.due_at,
            "escalated": self.escalated,
            "escalate_at": self.rung_at,
            "breached_at": self.breached_at,
        }

    def ledger(self):
        points = {f"{name}_at": at for name, at in {"t0": self.t0, **self.points}.items()}
        return {"paused_s": self.paused.total_seconds(), "paused_since": self.paused_since, "performer": self.performer, **points}


def amending(database, chronicle, report_id, make, by):
    return amend_report(database, chronicle, report_id, DRAFT, "补充", make, by)


def correcting(database, chronicle, report_id, make, by):
    return amend_report(database, chronicle, report_id, DRAFT, "左右写反", make, by, event=ReportEvent.CORRECT)


def appending(database, chronicle, report_id, make, by):
    return append_to_report(database, chronicle, report_id, "另见骨折。", make, by)


def cancelling(database, chronicle, report_id, make, by):
    return cancel_report(database, chronicle, report_id, Withdrawal.WRONG_PATIENT, "", make, by)


#: What becomes of a signed report, by the event that tells of it.
WAYS = {
    "ReportAmended": amending,
    "ReportCorrected": correcting,
    "ReportAppended": appending,
    "ReportCancelled": cancelling,
}

#: As many as one deed takes, and more.
some_numbers = st.tuples(*[st.integers(0, 1 << 24)] * 8)


class House:
    """A clinic, two hospitals it may ask while an agreement holds, and their people; one for all sequences on a database."""

    def __init__(self, database, chronicle):
        self.world = database, chronicle
        self.county = a_county(database, chronicle)
        province = a_hospital(database, chronicle, "省医院")
        an_agreement(database, chronicle, self.county.clinic, province)
        self.hospitals = [self.county.hospital, province]
        experts = [a_specialist(database, chronicle, province, name=name) for name in ("吴进", "郑和")]
        self.readers = [self.county.radiologist, self.county.colleague, *experts]
        self.people = [*self.readers, self.county.coordinator, self.county.nurse]
        #: The places of LAW that were tried out, each as (state, deed).
        self.seen = set()


class Fates(RuleBasedStateMachine):
    """Tasks of a house, and the watches of two servers; every rule is done by whoever, whether they may or not."""

    def __init__(self, house):
        super().__init__()
        self.database, self.chronicle = self.world = house.world
        self.seen = house.seen
        self.clock, self.county = self.chronicle.clock, house.county
        self.hospitals, self.readers, self.people = house.hospitals, house.readers, house.people
        # The same hour for every sequence, so that a replay meets midnight where the first run did.
        self.clock.at = (self.now + timedelta(days=3)).replace(hour=1, minute=30, second=0, microsecond=0)
        with self.database.reading() as db:
            #: id: (hospital, from, until)
            self.agreements = {
                one.id: (one.performer_id, one.valid_from, one.valid_until) for one in agreements_of(db, self.county.clinic)
            }
        for hospital in self.hospitals:
            self.agreements_end(hospital, yesterday=True)
            self.an_agreement_begins(hospital, in_days=-1)
        self.tasks: list[Expected] = []
        self.both_start()

    def teardown(self):
        for task in self.tasks:
            if task.is_open:
                self.revoke(task)

    # What is asked of the model.

    @property
    def now(self):
        return self.clock.now()

    @property
    def today(self):
        return (self.now + timedelta(hours=8)).date()

    def agreed(self):
        """Return the hospitals that may be asked today."""
        return {
            hospital
            for hospital, begins, ends in self.agreements.values()
            if begins <= self.today and (ends is None or self.today <= ends)
        }

    def home(self, person):
        return person.institution_id

    def reader_of(self, task):
        """Return whoever holds the task, else one of its performer's readers."""
        return next(
            (one for one in self.readers if one.practitioner_id == task.owner),
            next(one for one in self.readers if self.home(one) == task.performer),
        )

    def reads(self, task, person):
        return person in self.readers and self.home(person) == task.performer

    def owns(self, task, person):
        return task.status in HELD and task.owner == person.practitioner_id

    def keeps(self, task, person):
        """Tell whether *person* may give away what is held: its owner, or a coordinator of the hospital."""
        coordinates = person is self.county.coordinator and self.home(person) == task.performer
        return task.status in HELD and (coordinates or self.owns(task, person))

    def lawful(self, task, deed):
        return deed in LAW[task.status]

    def after(self, task, deed):
        self.seen.add((task.status, deed))
        task.status = LAW[task.status][deed]

    # How it is done.

    def do(self, verb, *arguments, **named):
        with self.database.transaction() as db:
            return verb(db, self.chronicle, *arguments, **named)

    def attempt(self, allowed, deed):
        """Do *deed* if it is *allowed* and tell so; else see it refused."""
        if not allowed:
            with pytest.raises((Conflict, Invalid, NotFound, Refused)):
                deed()
            return False
        deed()
        return True

    def kept(self, task):
        with self.database.reading() as db:
            row = db.execute(select(task_table).where(task_table.c.id == task.id)).mappings().one()
            clock = db.execute(select(turnaround_table).where(turnaround_table.c.task_id == task.id)).mappings().one()
            return row, clock, [one for one in events_of(db, task.id) if one.type not in {"TaskUpdated", "LatenessForecast"}]

    def dispatched(self, task, *, to):
        """Take from the product whom it chose, once it is seen that the law lets it: one of *to*, or where it was."""
        row = self.kept(task)[0]
        task.performer, before = row["performer_id"], task.performer
        assert task.performer in to if to else task.performer == before
        self.assigned_lawfully(task, row)

    def assigned_lawfully(self, task, row):
        """See that whoever is newly assigned works where the task is, under an agreement that holds today."""
        before, task.assigned = task.assigned, row["assigned_id"]
        if task.assigned not in (before, None):
            (chosen,) = [one for one in self.readers if one.practitioner_id == row["assigned_id"]]
            assert self.home(chosen) == row["performer_id"]
            assert row["performer_id"] in self.agreed()

    # Time.

    def both_start(self):
        self.watches = [QueueWatch(self.database, self.chronicle) for _ in range(2)]
        self.up_since = self.looked_at = self.now
        self.leases_end_from = [self.now + LEASE] * 2

    def look(self):
        self.looked_at = self.now
        for watch in self.watches:
            watch.look()
        for task in self.tasks:
            while task.rung_at is not None and task.rung_at <= self.now:
                self.climbs(task)
            if task.status in LEASED and self.ends_at(task) <= self.now:
                task.status = "requested"
                task.unheld()
                task.told.append("TaskReleased")
            if task.is_open:
                self.is_as_expected(task)

    def climbs(self, task):
        """One rung, dated by its moment and told within a second of it: of the servers' return, or of the pause's end."""
        rung, due_at = RUNGS[task.escalated], task.rung_at
        told = [one for one in self.kept(task)[2] if one.type == "TaskEscalated"][task.escalated]
        assert (told.data["rung"], told.data["climbed_at"]) == (rung, rfc3339(due_at))
        assert told.at - max(due_at, self.up_since, task.runs_since or due_at) <= LATEST
        task.escalated += 1
        task.told.append("TaskEscalated")
        if rung == "next-doctor":
            self.assigned_lawfully(task, self.kept(task)[0])
        if rung == "next-hospital" and task.status == "requested":
            self.dispatched(task, to=self.agreed() - {task.performer, *task.declined_by})
        if rung == "duty-phone":
            task.breached_at = task.due_at
            task.told.append("SlaBreached")

    def ends_at(self, task):
        return max(task.lease_until, min(self.leases_end_from))

    def soonest(self):
        rungs = [task.rung_at for task in self.tasks if task.rung_at is not None]
        return min([*rungs, *(self.ends_at(task) for task in self.tasks if task.status in LEASED)], default=None)

    def looks_before(self, moment):
        """Return the last moment before *moment* at which the servers look."""
        return self.looked_at + max(0, -((self.looked_at - moment) // LOOKS_EVERY) - 1) * LOOKS_EVERY

    def time_passes_over_readers_who_stay(self, minutes):
        for _ in range(minutes):
            for person in self.readers:
                self.renews(person)
            self.time_passes(60_000)

    def time_passes(self, milliseconds):
        """Let the servers look every half second, but not where neither they nor the model have anything to do."""
        until = self.now + timedelta(milliseconds=milliseconds)
        while (soonest := self.soonest()) is not None and soonest <= until:
            for at in (before := self.looks_before(soonest), before + LOOKS_EVERY):
                if max(self.now, self.looked_at + LOOKS_EVERY) <= at <= until:
                    self.clock.at = at
                    self.look()
            if before + LOOKS_EVERY > until:
                break
        last = self.looked_at + (until - self.looked_at) // LOOKS_EVERY * LOOKS_EVERY
        if last > max(self.looked_at, self.now):
            self.clock.at = last
            self.look()
        self.clock.at = until

    def both_servers_are_away(self, seconds):
        self.clock.pass_(seconds=seconds)
        self.both_start()

    def one_server_is_started_again(self, which):
        self.watches[which] = QueueWatch(self.database, self.chronicle)
        self.leases_end_from[which] = self.now + LEASE

    # Agreements.

    def agreements_end(self, hospital, *, yesterday):
        on = self.today - timedelta(days=yesterday)
        for id_, (other, begins, ends) in self.agreements.items():
            if other == hospital and begins <= on and ends is None:
                self.do(end_agreement, id_, on=on, by=SYSTEM)
                self.agreements[id_] = (hospital, begins, on)

    def an_agreement_begins(self, hospital, *, in_days):
        begins = self.today + timedelta(days=in_days)
        id_ = an_agreement(self.database, self.chronicle, self.county.clinic, hospital, valid_from=begins)
        self.agreements[id_] = (hospital, begins, None)

    # People.

    def the_clinic_asks(self, *, complete):
        lane = self.pick(list(BUDGET))
        study = a_study(self.database, self.chronicle, self.county.clinic, settled=complete)
        ids = []
        if self.attempt(
            bool(self.agreed()),
            lambda: ids.append(a_task(self.database, self.chronicle, self.county.nurse, study, lane=lane)),
        ):
            task = Expected(ids[0], study, "", BUDGET[lane], self.now)
            if complete:
                task.points["t2"] = self.now + timedelta(seconds=3)
            self.dispatched(task, to=self.agreed())
            self.tasks.append(task)

    @initialize(numbers=some_numbers)
    def patients_come(self, numbers):
        self.numbers = [*numbers]
        for complete in (True, False):
            self.the_clinic_asks(complete=complete)

    @rule(deeds=st.lists(some_numbers, min_size=1, max_size=5), numbers=some_numbers)
    def something_happens(self, deeds, numbers):
        """Some things are done, mostly what may be done with a task by whoever may; then the world goes on."""
        for each in deeds:
            self.numbers = [*each]
            unanswered = [task for task in self.tasks if task.is_open]
            task = self.pick(unanswered * 3 + self.tasks[-3:])
            likely = [*LAW[task.status], *BESIDE.get(task.status, ())]
            deed = self.pick(likely * 2 + EVERYTHING if self.pick(range(4)) == 0 else likely or EVERYTHING)
            person = self.pick([None] * 10 + self.people)
            getattr(self, deed.replace(" ", "_"))(task, person)
            self.is_as_expected(task)
        self.numbers = [*numbers]
        self.pick(WORLD)(self)

    def pick(self, options):
        """Choose by the next of the numbers: what is drawn never depends on what the product chose."""
        return options[self.numbers.pop() % len(options)]

    def claim(self, task, person):
        person = person or self.reader_of(task)
        again, first = self.owns(task, person), self.reads(task, person) and self.lawful(task, "claim")
        self.attempt(again or first, lambda: self.do(actions.claim, task.id, by=person))
        if first:
            self.after(task, "claim")
            task.held(person.practitioner_id, self.now)
            task.points["t3"] = task.points["t3"] or self.now
            task.told.append("TaskClaimed")

    def renew(self, _, person):
        self.renews(person or self.pick(self.readers))

    def renews(self, person):
        mine = [task for task in self.tasks if task.status in LEASED and task.owner == person.practitioner_id]
        assert set(self.do(actions.renew, by=person)) == {task.id for task in mine}
        for task in mine:
            task.lease_until = self.now + LEASE

    def start(self, task, person):
        person = person or self.reader_of(task)
        fresh = self.owns(task, person) and self.lawful(task, "start")
        again = self.owns(task, person) and task.status == "in-progress"
        self.attempt(fresh or again, lambda: self.do(actions.start, task.id, by=person))
        if fresh:
            self.after(task, "start")
            task.told.append("TaskStarted")

    def release(self, task, person):
        person = person or self.reader_of(task)
        allowed = self.keeps(task, person) and self.lawful(task, "release")
        if self.attempt(allowed, lambda: self.do(actions.release, task.id, by=person)):
            self.after(task, "release")
            task.unheld()
            task.told.append("TaskReleased")

    def take_over(self, task, person):
        person = person or self.pick([one for one in self.readers if one.practitioner_id != task.owner])
        again = self.reads(task, person) and task.owner == person.practitioner_id
        fresh = self.reads(task, person) and self.lawful(task, "take over") and not again
        self.attempt(again or fresh, lambda: self.do(actions.take_over, task.id, reason="急", by=person))
        if fresh:
            self.after(task, "take over")
            task.held(person.practitioner_id, self.now)
            task.told.append("TaskTakenOver")

    def handover(self, task, person):
        person, heir = person or self.reader_of(task), self.pick(self.readers)
        allowed = self.keeps(task, person) and self.lawful(task, "handover") and self.reads(task, heir)
        if self.attempt(allowed, lambda: self.do(actions.handover, task.id, to=heir.practitioner_id, by=person)):
            self.after(task, "handover")
            task.held(heir.practitioner_id, self.now)
            task.told.append("TaskHandedOver")

    def decline(self, task, person):
        person, code = person or self.reader_of(task), self.pick(list(Declined))
        own = self.owns(task, person) if task.status in HELD else self.reads(task, person)
        allowed = own and self.lawful(task, "decline")
        if self.attempt(allowed, lambda: self.do(actions.decline, task.id, code=code, reason="不", by=person)):
            self.after(task, "decline")
            task.unheld()
            task.resumes(self.now)
            task.declined_by = [*task.declined_by, task.performer]
            task.told.append("TaskDeclined")
            self.dispatched(task, to=self.agreed() - set(task.declined_by))
            news = self.kept(task)[2][-1].data
            assert (news["code"], news["reason"], news["declined_by"]) == (code, "不", task.declined_by[-1])

    def ask(self, task, person):
        person = person or self.reader_of(task)
        allowed = self.owns(task, person) and self.lawful(task, "ask")
        if self.attempt(allowed, lambda: self.do(actions.ask, task.id, question="何时？", by=person)):
            self.after(task, "ask")
            task.lease_until, task.paused_since = None, self.now
            task.told.append("TaskAsked")

    def answer(self, task, person):
        person = person or self.county.nurse
        allowed = person is self.county.nurse and self.lawful(task, "answer")
        if self.attempt(allowed, lambda: self.do(actions.answer, task.id, answer="昨晚", by=person)):
            self.after(task, "answer")
            task.resumes(self.now)
            task.lease_until = self.now + LEASE
            task.told.append("TaskAnswered")

    def write(self, task, person):
        person = person or self.reader_of(task)
        draft = partial(self.do, save_draft, task.id, DRAFT, None, by=person)
        if self.attempt(self.owns(task, person), draft):
            task.draft = True
            if task.status == "accepted":
                self.after(task, "start")
                task.told.append("TaskStarted")

    def sign(self, task, person):
        person = person or self.reader_of(task)
        ready = self.owns(task, person) and task.status in LEASED
        if ready and not task.draft:
            self.write(task, person)
        reports = []
        if self.attempt(ready, lambda: reports.append(sign_task(*self.world, task.id, lambda _: b"%PDF", by=person))):
            if task.status == "accepted":
                self.after(task, "start")
                task.told.append("TaskStarted")
            late = task.breached_at is None and self.now > task.due_at
            self.after(task, "sign")
            task.lease_until, task.points["t4"] = None, self.now
            task.told += ["SlaBreached"] * late + ["ReportSigned"]
            task.breached_at = task.due_at if late else task.breached_at
            task.reports.append(reports[0].id)

    def amend(self, task, person):
        person, news = person or self.reader_of(task), self.pick(list(WAYS))
        for number, report in enumerate(task.reports[:]):
            allowed = self.reads(task, person) and number + 1 == len(task.reports) and not task.withdrawn
            reports = []
            amending = partial(WAYS[news], *self.world, report, lambda _: b"%PDF", by=person)
            if self.attempt(allowed, lambda amending=amending, reports=reports: reports.append(amending())):
                task.reports.append(reports[0].id)
                task.told.append(news)
                task.withdrawn = news == "ReportCancelled"

    def deliver(self, task, person):
        person, opened = person or self.county.nurse, self.pick([False, True])
        verb = partial(self.do, receipt if opened else delivered)
        for report in task.reports[-1:]:
            if self.attempt(person is self.county.nurse, lambda report=report: verb(report, by=person)):
                for point, type_ in (("t5", "ReportDelivered"), ("t6", "ReportRead"))[: 1 + opened]:
                    # No clock ends with news that there is no answer any more.
                    task.points[point] = task.points[point] or (None if task.withdrawn else self.now)
                    if (report, type_) not in task.acknowledged:
                        task.acknowledged.add((report, type_))
                        task.told.append(type_)

    def cancel(self, task, person):
        person = person or self.county.nurse
        allowed = person is self.county.nurse and self.lawful(task, "cancel")
        if self.attempt(allowed, lambda: self.do(actions.cancel, task.id, reason="转院", by=person)):
            self.cancelled(task, "cancel")

    def revoke(self, task, _=None):
        if self.lawful(task, "revoke"):
            with self.database.reading() as db:
                consent = request_by_id(db, self.kept(task)[0]["request_id"]).consent_id
            self.do(revoke_consent, consent, reason="不同意", by=self.county.nurse)
            self.cancelled(task, "revoke")

    def cancelled(self, task, deed):
        self.after(task, deed)
        task.unheld()
        task.resumes(self.now)
        task.told.append("TaskCancelled")

    def rest_comes(self, task, _):
        """The clock counts from the last image of a study that was asked about while it came, unless somebody has claimed it."""
        study = study_table.c.study_instance_uid == task.study
        more = {"last_received_at": self.now, "instance_count": study_table.c.instance_count + 1, "settled_at": self.now}
        news = {"institution": self.county.clinic, "study_instance_uid": task.study}
        with self.database.transaction() as db:
            db.execute(update(study_table).where(study).values(more))
            event = self.chronicle.events.append(db, "StudySettled", task.study, news)
        write = Intake(self.database, self.chronicle).prepare(event)
        with self.database.transaction() as db:
            write(db)
        if task.status == "cancelled":
            return
        unclaimed = task.points["t3"] is None and task.breached_at is None
        if task.points["t2"] is None and task.status == "requested" and unclaimed:
            task.t0 = max(task.t0, self.now)
        if task.points["t4"] is None:
            task.points["t2"] = max(task.points["t2"] or self.now, self.now)

    @invariant()
    def everything_is_as_expected(self):
        for task in self.tasks:
            self.is_as_expected(task)

    def is_as_expected(self, task):
        row, clock, told = self.kept(task)
        expected, ledger = task.row(), task.ledger()
        if task.status == "cancelled":  # its deadline is nobody's any more
            del expected["due_at"]
        assert {name: row[name] for name in expected} == expected
        assert {name: clock[name] for name in ledger} == ledger
        assert [one.type for one in told] == task.told
        assert (row["open_key"] is None) == (task.status in {"completed", "cancelled"})
        points = [clock[f"t{number}_at"] for number in (0, 3, 4, 5, 6)]
        reached = [at for at in points if at is not None]
        assert reached == sorted(reached)
        if task.status != "cancelled":
            assert row["due_at"] == clock["t0_at"] + timedelta(seconds=clock["budget_s"] + clock["paused_s"])


MOMENTS, MINUTES, HOURS = range(1, 600), range(1000, 90_000), range(60_000, 1_500_000)
#: What happens by itself, some of it more often; spans are in milliseconds.
WORLD = [
    lambda self: self.time_passes(self.pick(MOMENTS)),
    lambda self: self.time_passes(self.pick(MINUTES)),
    lambda self: self.time_passes(self.pick(HOURS)),
    *[lambda self: self.time_passes_over_readers_who_stay(self.pick(range(1, 12)))] * 2,
    *[lambda self: self.the_clinic_asks(complete=self.pick([True, False]))] * 3,
    lambda self: self.both_servers_are_away(self.pick(self.pick([range(1, 600), range(1, 90_000)]))),
    lambda self: self.one_server_is_started_again(self.pick([0, 1])),
    *[lambda self: self.agreements_end(self.pick(self.hospitals), yesterday=self.pick([True, False]))] * 2,
    lambda self: self.an_agreement_begins(self.pick(self.hospitals), in_days=self.pick([-1, 0, 1])),
]


def test_whatever_is_done_a_task_has_one_owner_one_clock_and_each_rung_once(database, chronicle):
    limits = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    house = House(database, chronicle)
    run_state_machine_as_test(lambda: Fates(house), settings=limits)
    assert len(house.seen) > SEEN_AT_LEAST * sum(map(len, LAW.values()))
