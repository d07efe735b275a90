"""One task, one owner, one clock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from support.builders import a_county, a_hospital, a_nurse, a_specialist, a_study, a_task, an_agreement

from consult.practitioners.model import Role
from consult.queue import actions, views
from consult.queue.dispatch import Choice
from consult.queue.model import OPEN, TRANSITIONS, Declined, TaskEvent, TaskStatus, status_after
from consult.queue.sla import LADDER, LEASE, climbs_at
from consult.queue.tables import task_table
from consult.queue.watch import QueueWatch
from consult.requests.model import Lane, Priority
from consult.requests.views import request_by_id
from consult.triage.model import Urgency
from consult.turnaround.tables import turnaround_table
from consult.turnaround.views import turnaround
from telemed.kernel.audit import broken_seals
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import events_of


def do(database, chronicle, verb, task_id, **arguments):
    with database.transaction() as db:
        return verb(db, chronicle, task_id, **arguments)


def shown(database, viewer, task_id):
    with database.reading() as db:
        return views.task(db, viewer, task_id)


def types_of(database, subject):
    with database.reading() as db:
        return [event.type for event in events_of(db, subject)]


def test_of_two_specialists_who_claim_at_the_same_instant_exactly_one_wins(database, chronicle):
    county = a_county(database, chronicle)
    rivals = (county.radiologist, county.colleague)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(25)]
    outcomes: dict[tuple[str, str], object] = {}
    line = threading.Barrier(2, timeout=60)

    def claim_all(viewer):
        for task_id in tasks:
            line.wait()
            try:
                outcomes[task_id, viewer.practitioner_id] = do(database, chronicle, actions.claim, task_id, by=viewer)
            except Conflict as conflict:
                outcomes[task_id, viewer.practitioner_id] = conflict

    threads = [threading.Thread(target=claim_all, args=(viewer,)) for viewer in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(outcomes) == 50
    for task_id in tasks:
        results = [outcomes[task_id, viewer.practitioner_id] for viewer in rivals]
        (won,) = [result for result in results if isinstance(result, views.Task)]
        (lost,) = [result for result in results if isinstance(result, Conflict)]
        assert lost.sentence == f"already claimed by {won.owner.name} at 09:30 (UTC+8)"
        assert shown(database, county.coordinator, task_id).owner == won.owner
        assert types_of(database, task_id).count("TaskClaimed") == 1


def test_of_two_hundred_clients_who_claim_at_the_same_instant_exactly_one_wins(database, chronicle):
    county = a_county(database, chronicle)
    readers = [a_specialist(database, chronicle, county.hospital, name=f"读者{number}") for number in range(200)]
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(3)]
    line = threading.Barrier(len(readers), timeout=120)

    def claim_all(viewer):
        won = []
        for task_id in tasks:
            line.wait()
            with suppress(Conflict):
                won.append(do(database, chronicle, actions.claim, task_id, by=viewer).id)
        return viewer.practitioner_id, won

    with ThreadPoolExecutor(len(readers)) as clients:
        won = [(task_id, owner) for owner, won in clients.map(claim_all, readers) for task_id in won]
    winners = dict(won)
    assert sorted(tasks) == sorted(task_id for task_id, _ in won)
    for task_id in tasks:
        assert types_of(database, task_id) == ["TaskRequested", "TaskClaimed"]
        assert shown(database, county.coordinator, task_id).owner.id == winners[task_id]


def test_claiming_again_what_one_holds_changes_nothing(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    first = do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    chronicle.clock.pass_(minutes=1)
    assert do(database, chronicle, actions.claim, task_id, by=county.radiologist) == first
    assert types_of(database, task_id) == ["TaskRequested", "TaskClaimed"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_of_the_queue_is_found_without_a_look_at_all_that_wait_even_before_stock_was_taken(database, chronicle):
    """PostgreSQL knows by itself, after a minute, how full a table is."""
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    others = [{"id": f"{number:032}", "open_key": f"{number}"} for number in range(3_000)]
    with database.transaction() as db:
        one = dict(db.execute(select(task_table).where(task_table.c.id == task_id)).mappings().one())
        db.execute(insert(task_table), [one | other for other in others])
    for viewer in (county.radiologist, county.coordinator, county.nurse):
        for status in (None, {TaskStatus.REQUESTED}, {TaskStatus.COMPLETED}, {TaskStatus.REQUESTED, TaskStatus.IN_PROGRESS}):
            hundreds = []
            with database.reading() as db:
                connection = db.connection.dbapi_connection
                connection.set_progress_handler(lambda: hundreds.append(1), 100)  # noqa: B023 - called in this turn only
                page = views.queue(db, viewer, status=status, limit=5)
                connection.set_progress_handler(None, 0)
            assert len(page.items) == (0 if status == {TaskStatus.COMPLETED} else 5)
            assert len(hundreds) < 60, (viewer.roles, status)


def test_a_task_is_shown_with_everything_a_screen_needs(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    task = shown(database, county.radiologist, task_id)
    assert (task.patient.name, task.patient.age, task.modalities, task.instance_count) == ("王小东", 68, ("CT",), 2)
    assert (task.institution.name, task.performer.name, task.owner) == ("莲花乡卫生院", "青山县医院", None)
    assert task.due_at == task.placed_at + timedelta(minutes=20)
    assert task.budget_s == 1200


def test_a_cardiologist_cannot_take_a_ct_nor_another_hospital_s_reader(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    stranger = a_specialist(database, chronicle, a_hospital(database, chronicle, "邻县医院"))
    for viewer in (county.cardiologist, stranger):
        with pytest.raises(NotFound):
            do(database, chronicle, actions.claim, task_id, by=viewer)
    for viewer in (county.coordinator, county.nurse):
        with pytest.raises(Refused):
            do(database, chronicle, actions.claim, task_id, by=viewer)
    assert shown(database, county.radiologist, task_id).status is TaskStatus.REQUESTED


def test_an_ecg_goes_to_the_cardiologist(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse, modality="ECG")
    assert do(database, chronicle, actions.claim, task_id, by=county.cardiologist).status is TaskStatus.ACCEPTED
    with pytest.raises(NotFound):
        shown(database, county.radiologist, task_id)


def test_only_the_owner_starts_and_only_owner_or_coordinator_releases(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    with pytest.raises(Conflict, match="nobody holds"):
        do(database, chronicle, actions.start, task_id, by=county.radiologist)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with pytest.raises(Conflict, match="already claimed by 王敏"):
        do(database, chronicle, actions.start, task_id, by=county.colleague)
    assert do(database, chronicle, actions.start, task_id, by=county.radiologist).status is TaskStatus.IN_PROGRESS
    with pytest.raises(Conflict):
        do(database, chronicle, actions.release, task_id, by=county.colleague)
    released = do(database, chronicle, actions.release, task_id, by=county.coordinator)
    assert (released.status, released.owner, released.claimed_at) == (TaskStatus.REQUESTED, None, None)
    assert do(database, chronicle, actions.claim, task_id, by=county.colleague).owner.name == "陈涛"


def test_a_handover_reaches_a_specialist_of_the_same_kind_only(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with pytest.raises(Refused, match="周宁 is no radiologist"):
        do(database, chronicle, actions.handover, task_id, to=county.cardiologist.practitioner_id, by=county.radiologist)
    given_to = do(database, chronicle, actions.handover, task_id, to=county.colleague.practitioner_id, by=county.radiologist)
    assert (given_to.owner.name, given_to.status) == ("陈涛", TaskStatus.ACCEPTED)


def test_a_declined_task_goes_to_the_next_hospital_and_the_clinic_hears_why(database, chronicle):
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    an_agreement(database, chronicle, county.clinic, province, valid_from=date(2021, 1, 1))
    task_id = a_task(database, chronicle, county.nurse)
    with pytest.raises(Invalid, match="say why"):
        do(database, chronicle, actions.decline, task_id, code=Declined.NO_CAPACITY, reason=" ", by=county.radiologist)
    do(database, chronicle, actions.decline, task_id, code=Declined.NO_CAPACITY, reason="夜班无人", by=county.radiologist)
    task = shown(database, county.nurse, task_id)
    assert (task.performer.name, task.status) == ("省医院", TaskStatus.REQUESTED)
    assert [(why.code, why.text.zh) for why in task.why] == [("declined:no-capacity", "曾被退回：夜班无人")]
    with pytest.raises(NotFound):
        shown(database, county.radiologist, task_id)
    with database.reading() as db:
        told = events_of(db, task_id)[-1]
        clock = db.execute(select(turnaround_table)).one()
    assert (told.type, told.data["code"], told.data["declined_by"]) == ("TaskDeclined", "no-capacity", county.hospital)
    assert clock.performer == province


def test_a_declined_task_without_another_hospital_waits_again_at_the_same(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    do(database, chronicle, actions.decline, task_id, code=Declined.OTHER, reason="家属", by=county.radiologist)
    task = shown(database, county.colleague, task_id)
    assert (task.performer.name, task.status, task.owner) == ("青山县医院", TaskStatus.REQUESTED, None)


def test_only_the_clinic_withdraws_and_only_before_it_is_read(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    with pytest.raises(Refused):
        do(database, chronicle, actions.cancel, task_id, reason="转院", by=county.radiologist)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    do(database, chronicle, actions.start, task_id, by=county.radiologist)
    with pytest.raises(Conflict, match="in-progress cannot be cancelled"):
        do(database, chronicle, actions.cancel, task_id, reason="转院", by=county.nurse)
    do(database, chronicle, actions.release, task_id, by=county.radiologist)
    do(database, chronicle, actions.cancel, task_id, reason="转院", by=county.nurse)
    assert types_of(database, task_id)[-1] == "TaskCancelled"


def test_completing_stamps_the_report_and_frees_the_study_for_a_new_question(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    task_id = a_task(database, chronicle, county.nurse, uid)
    with pytest.raises(Conflict, match="already asked"):
        a_task(database, chronicle, county.nurse, uid)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with pytest.raises(Conflict, match="accepted cannot be signed"):
        do(database, chronicle, actions.complete, task_id, report_id="r1", by=county.radiologist)
    do(database, chronicle, actions.start, task_id, by=county.radiologist)
    signed_at = chronicle.clock.pass_(minutes=7)
    do(database, chronicle, actions.complete, task_id, report_id="r1", by=county.radiologist)
    task = shown(database, county.nurse, task_id)
    assert (task.status, task.report_id, task.completed_at) == (TaskStatus.COMPLETED, "r1", signed_at)
    assert a_task(database, chronicle, county.nurse, uid) != task_id


def test_a_study_never_has_two_open_tasks_whoever_makes_them(database, chronicle):
    county = a_county(database, chronicle)
    task = shown(database, county.nurse, a_task(database, chronicle, county.nurse))
    urgency = Urgency(task.priority, task.lane)
    with database.reading() as db:
        again = request_by_id(db, task.request_id)
    terms = {
        "choice": Choice(county.hospital),
        "specialty": task.specialty,
        "t0": task.placed_at,
        "due_at": task.due_at,
        "instance_count": 2,
    }
    with pytest.raises(Conflict, match="already waits"), database.transaction() as db:
        actions.create(db, chronicle, again, urgency, **terms, by=county.nurse)
    with database.reading() as db:
        assert len(views.queue(db, county.nurse).items) == 1


def test_of_two_who_ask_about_one_study_at_the_same_instant_one_is_told_of_the_other(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    line, outcomes = threading.Barrier(2, timeout=60), []

    def ask_once():
        line.wait()
        try:
            outcomes.append(a_task(database, chronicle, county.nurse, uid))
        except Conflict as conflict:
            outcomes.append(conflict)

    threads = [threading.Thread(target=ask_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "str"]


def test_the_queue_is_ordered_by_priority_then_deadline_and_pages_without_gap_or_repeat(database, chronicle):
    county = a_county(database, chronicle)
    wanted = []
    for priority in ("routine", "stat", "urgent", "routine", "asap", "stat"):
        task_id = a_task(database, chronicle, county.nurse, priority=Priority(priority))
        wanted.append((Priority(priority).rank, chronicle.clock.pass_(seconds=5), task_id))
    wanted.sort()
    seen, cursor = [], None
    with database.reading() as db:
        for _ in range(4):
            page = views.queue(db, county.radiologist, limit=2, cursor=cursor)
            seen += [task.id for task in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert views.queue(db, county.radiologist, lane=Lane.ECG).items == ()
        assert views.queue(db, county.radiologist, status=[TaskStatus.COMPLETED]).items == ()
    assert seen == [task_id for _, _, task_id in wanted]
    assert cursor is None


def test_a_cursor_that_is_not_ours_is_refused_with_a_sentence(database, chronicle):
    county = a_county(database, chronicle)
    with database.reading() as db:
        for cursor in ("", "!", "e30", "W10", "bnVsbA", "WzEsMiwzXQ", "é", "[" * 150):
            with pytest.raises(Invalid, match="cursor"):
                views.queue(db, county.radiologist, cursor=cursor)


def test_everybody_sees_their_side_only(database, chronicle):
    county = a_county(database, chronicle)
    a_task(database, chronicle, county.nurse)
    other = a_nurse(database, chronicle, a_hospital(database, chronicle, "邻县医院"))
    regulator = a_specialist(database, chronicle, county.hospital, Role.REGULATOR)
    admin = a_specialist(database, chronicle, county.clinic, Role.ADMIN)
    with database.reading() as db:
        sees = {viewer: len(views.queue(db, viewer).items) for viewer in (county.nurse, county.radiologist, county.coordinator)}
        blind = [len(views.queue(db, viewer).items) for viewer in (other, regulator, admin, county.cardiologist)]
    assert set(sees.values()) == {1}
    assert blind == [0, 0, 0, 0]


@pytest.fixture
def watch(database, chronicle):
    """A watch over the queue whose first lease has passed since it began."""
    begun = QueueWatch(database, chronicle)
    chronicle.clock.pass_(seconds=LEASE.total_seconds())
    return begun


def told_of(database, task_id, type_):
    with database.reading() as db:
        return [event.data for event in events_of(db, task_id) if event.type == type_]


def test_a_breach_is_dated_by_its_deadline_and_told_once(database, chronicle, watch):
    county = a_county(database, chronicle)
    late = a_task(database, chronicle, county.nurse)
    chronicle.clock.pass_(minutes=11)
    in_time = a_task(database, chronicle, county.nurse)
    chronicle.clock.pass_(minutes=9, seconds=30)
    for _ in range(2):
        watch.look()
    task = shown(database, county.nurse, late)
    assert (task.breached_at, task.escalated) == (task.due_at, 3)
    assert shown(database, county.nurse, in_time).breached_at is None
    assert types_of(database, late) == ["TaskRequested", "TaskEscalated", "TaskEscalated", "TaskEscalated", "SlaBreached"]
    assert types_of(database, in_time) == ["TaskRequested"]


def test_a_task_nobody_takes_climbs_to_the_next_doctor_hospital_and_phone_each_at_its_moment(database, chronicle, watch):
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    an_agreement(database, chronicle, county.clinic, province, valid_from=date(2021, 1, 1))
    busy = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, busy, by=county.radiologist)
    task_id = a_task(database, chronicle, county.nurse)
    began = chronicle.clock.now()
    for minutes, climbed in ((9, 0), (1, 1), (4, 1), (1, 2), (4, 2), (1, 3), (30, 3)):
        chronicle.clock.pass_(minutes=minutes)
        with database.transaction() as db:
            actions.renew(db, chronicle, by=county.radiologist)
        watch.look()
        assert shown(database, county.nurse, task_id).escalated == climbed
    doctor, hospital, phone = told_of(database, task_id, "TaskEscalated")
    assert [told["climbed_at"] for told in (doctor, hospital, phone)] == [
        rfc3339(began + timedelta(minutes=minutes)) for minutes in (10, 15, 20)
    ]
    # Dispatch had chosen 陈涛, who had less in hand; who is next is told once the half of the time is gone.
    assert [one["name"] for one in doctor["to"]] == ["王敏"]
    assert (hospital["rung"], hospital["moved_to"], hospital["left"]) == ("next-hospital", province, county.hospital)
    assert (phone["rung"], phone["performer"]) == ("duty-phone", province)
    task = shown(database, county.nurse, task_id)
    assert (task.performer.name, task.status) == ("省医院", TaskStatus.REQUESTED)
    assert task.why[-1].text.zh == "时限已过四分之三，转至省医院"


def test_a_task_that_is_read_stays_with_its_reader_while_others_are_told(database, chronicle, watch):
    county = a_county(database, chronicle)
    province = a_hospital(database, chronicle, "省医院")
    an_agreement(database, chronicle, county.clinic, province, valid_from=date(2021, 1, 1))
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    for _ in range(25):
        chronicle.clock.pass_(minutes=1)
        with database.transaction() as db:
            actions.renew(db, chronicle, by=county.radiologist)
        watch.look()
    task = shown(database, county.radiologist, task_id)
    assert (task.owner.name, task.performer.name, task.escalated) == ("王敏", "青山县医院", 3)
    told = told_of(database, task_id, "TaskEscalated")
    assert [[one["name"] for one in each["to"]] for each in told] == [
        ["陈涛"],
        [county.coordinator.name],
        [county.coordinator.name],
    ]


def test_of_two_watches_that_look_at_once_each_rung_is_climbed_by_one(database, chronicle):
    county = a_county(database, chronicle)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(12)]
    watches = [QueueWatch(database, chronicle) for _ in range(3)]
    for minutes in (10, 5, 5):
        chronicle.clock.pass_(minutes=minutes)
        threads = [threading.Thread(target=watch.look) for watch in watches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for task_id in tasks:
        assert [told["rung"] for told in told_of(database, task_id, "TaskEscalated")] == [rung for _, rung in LADDER]
        assert types_of(database, task_id).count("SlaBreached") == 1


def test_a_claim_that_is_not_renewed_ends_and_the_task_waits_again(database, chronicle, watch):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    do(database, chronicle, actions.start, task_id, by=county.radiologist)
    for _ in range(3):
        chronicle.clock.pass_(seconds=60)
        with database.transaction() as db:
            assert actions.renew(db, chronicle, by=county.radiologist) == (task_id,)
        watch.look()
    chronicle.clock.pass_(seconds=89)
    watch.look()
    assert shown(database, county.radiologist, task_id).owner is not None
    chronicle.clock.pass_(seconds=1)
    watch.look()
    task = shown(database, county.radiologist, task_id)
    assert (task.status, task.owner, task.lease_until) == (TaskStatus.REQUESTED, None, None)
    assert told_of(database, task_id, "TaskReleased")[0]["cause"] == "lease"
    with database.transaction() as db:
        assert actions.renew(db, chronicle, by=county.radiologist) == ()
    assert do(database, chronicle, actions.claim, task_id, by=county.colleague).owner.name == "陈涛"


def test_a_server_that_was_away_gives_readers_the_time_of_a_lease_to_come_back(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    chronicle.clock.pass_(minutes=5)
    started_again = QueueWatch(database, chronicle)
    started_again.look()
    assert shown(database, county.radiologist, task_id).owner is not None
    chronicle.clock.pass_(seconds=LEASE.total_seconds())
    started_again.look()
    assert shown(database, county.radiologist, task_id).owner is None


def test_claims_that_end_together_end_at_one_look_however_few_do_in_one_transaction(database, chronicle, watch, monkeypatch):
    monkeypatch.setattr("consult.queue.escalation.AT_ONCE", 2)
    county = a_county(database, chronicle)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(5)]
    for task_id in tasks:
        do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    chronicle.clock.pass_(seconds=LEASE.total_seconds())
    watch.look()
    for task_id in tasks:
        [told] = told_of(database, task_id, "TaskReleased")
        assert (told["task_id"], told["cause"], told["status"]) == (task_id, "lease", "requested")
        assert shown(database, county.radiologist, task_id).owner is None
    with database.reading() as db:
        assert list(broken_seals(db)) == []


def test_however_many_rungs_are_due_a_claim_ends_with_its_lease(database, chronicle, watch, monkeypatch):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    chronicle.clock.pass_(seconds=LEASE.total_seconds())
    monkeypatch.setattr("consult.queue.watch.climb", rungs_without_end(task_id, county.radiologist))
    watch.look()
    assert shown(database, county.radiologist, task_id).owner is None


def test_a_look_that_began_before_claims_may_end_ends_them_once_they_may(database, chronicle, monkeypatch):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    chronicle.clock.pass_(minutes=15)
    monkeypatch.setattr("consult.queue.watch.climb", rungs_without_end(task_id, county.radiologist))
    QueueWatch(database, chronicle).look()
    assert shown(database, county.radiologist, task_id).owner is None


def rungs_without_end(task_id, reader):
    """Return a ladder whose rungs, a second each, fall due as fast as they are climbed until the claim has ended."""
    climbed = []

    def climb(db, chronicle, by):
        climbed.append(by)
        assert len(climbed) <= LEASE.total_seconds() + 2
        chronicle.clock.pass_(seconds=1)
        return views.task(db, reader, task_id).owner is not None

    return climb


def test_a_question_to_the_clinic_stops_the_clock_of_record_and_its_answer_starts_it_again(database, chronicle, watch):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    due_at = shown(database, county.nurse, task_id).due_at
    chronicle.clock.pass_(minutes=8)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with pytest.raises(Invalid, match="ask in 1 to"):
        do(database, chronicle, actions.ask, task_id, question=" ", by=county.radiologist)
    asked = do(database, chronicle, actions.ask, task_id, question="何时起病？", by=county.radiologist)
    assert (asked.status, asked.question.question, asked.question.asked_by.name) == (TaskStatus.ON_HOLD, "何时起病？", "王敏")
    chronicle.clock.pass_(minutes=30)
    watch.look()
    waiting = shown(database, county.nurse, task_id)
    assert (waiting.status, waiting.escalated, waiting.breached_at, waiting.owner.name) == (TaskStatus.ON_HOLD, 0, None, "王敏")
    with database.reading() as db:
        clock = turnaround(db, county.nurse, task_id, chronicle.clock.now())
    assert (clock.paused_s, clock.elapsed_s) == (30 * 60, 38 * 60)
    with pytest.raises(Refused, match="only the institution that was asked"):
        do(database, chronicle, actions.answer, task_id, answer="昨晚", by=county.radiologist)
    answered = do(database, chronicle, actions.answer, task_id, answer="昨晚八点", by=county.nurse)
    assert (answered.status, answered.due_at) == (TaskStatus.IN_PROGRESS, due_at + timedelta(minutes=30))
    assert answered.question is None
    chronicle.clock.pass_(minutes=2)
    watch.look()
    assert shown(database, county.nurse, task_id).escalated == 1
    with database.reading() as db:
        (kept,) = views.questions(db, county.radiologist, task_id)
        assert turnaround(db, county.nurse, task_id, chronicle.clock.now()).paused_s == 30 * 60
    assert (kept.answer, kept.answered_by.name) == ("昨晚八点", county.nurse.name)


def test_what_is_on_hold_is_not_signed_but_may_be_declined_and_withdrawn(database, chronicle):
    county = a_county(database, chronicle)
    for end in (
        lambda task_id: do(database, chronicle, actions.decline, task_id, code=Declined.OTHER, reason="x", by=county.radiologist),
        lambda task_id: do(database, chronicle, actions.cancel, task_id, reason="转院", by=county.nurse),
    ):
        task_id = a_task(database, chronicle, county.nurse)
        do(database, chronicle, actions.claim, task_id, by=county.radiologist)
        do(database, chronicle, actions.ask, task_id, question="何时起病？", by=county.radiologist)
        with pytest.raises(Conflict, match="on-hold cannot be signed"):
            do(database, chronicle, actions.complete, task_id, report_id="r", by=county.radiologist)
        chronicle.clock.pass_(minutes=3)
        end(task_id)
        with database.reading() as db:
            clock = turnaround(db, county.nurse, task_id, chronicle.clock.now())
        assert (clock.paused_s, clock.paused_since) == (180, None)
        assert shown(database, county.nurse, task_id).question is None


def test_a_task_is_taken_over_only_with_a_reason_that_its_reader_is_told(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    with pytest.raises(Conflict, match="requested cannot be taken over"):
        do(database, chronicle, actions.take_over, task_id, reason="急", by=county.colleague)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with pytest.raises(Invalid, match="say why"):
        do(database, chronicle, actions.take_over, task_id, reason=" ", by=county.colleague)
    taken = do(database, chronicle, actions.take_over, task_id, reason="卒中，主诊在台上", by=county.colleague)
    assert (taken.owner.name, taken.status) == ("陈涛", TaskStatus.ACCEPTED)
    (told,) = told_of(database, task_id, "TaskTakenOver")
    assert (told["from"], told["reason"]) == (county.radiologist.practitioner_id, "卒中，主诊在台上")
    with pytest.raises(Conflict, match="already claimed by 陈涛"):
        do(database, chronicle, actions.release, task_id, by=county.radiologist)


@given(st.integers(0, 3), st.integers(60, 86_400))
def test_rungs_lie_between_the_beginning_and_the_deadline_in_order(climbed, seconds):
    due_at, budget = datetime(2026, 3, 2, tzinfo=UTC), timedelta(seconds=seconds)
    moments = [climbs_at(due_at, budget, number) for number in range(climbed)]
    assert moments == sorted(moments)
    assert all(due_at - budget < moment <= due_at for moment in moments)
    assert climbs_at(due_at, budget, len(LADDER)) is None


def test_the_watch_runs_until_it_is_stopped(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    chronicle.clock.pass_(hours=1)
    watch = QueueWatch(database, chronicle, look_every_s=0.01)
    watch.start()
    while shown(database, county.nurse, task_id).breached_at is None:
        chronicle.events.wait(chronicle.events.latest(), 1)
    watch.stop()


def test_every_deed_is_in_the_audit_trail_and_its_chain_holds(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    do(database, chronicle, actions.claim, task_id, by=county.radiologist)
    with database.reading() as db:
        assert list(broken_seals(db)) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(list(TaskEvent)), max_size=25))
def test_no_order_of_events_leads_out_of_the_table_or_back_from_an_end(happened):
    status = TaskStatus.REQUESTED
    for event in happened:
        if (status, event) in TRANSITIONS:
            status = status_after(status, event)
        else:
            with pytest.raises(Conflict, match=f"a task that is {status} cannot be"):
                status_after(status, event)
    assert status in OPEN or not any(origin is status for origin, _ in TRANSITIONS)
