"""When an answer is to be expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.builders import a_county, a_task

from consult.queue import actions
from consult.queue.forecast import DELIVERY, forecast
from consult.queue.views import forecast_of
from consult.queue.watch import FORETELL_EVERY, QueueWatch
from telemed.kernel.events import events_of

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
minutes = st.builds(lambda count: timedelta(minutes=count), st.integers(1, 60))


def test_half_is_the_chance_of_an_answer_expected_at_its_deadline():
    found = forecast(
        NOW, NOW + timedelta(minutes=24) + DELIVERY, timedelta(minutes=8), before=[timedelta(minutes=8)] * 4, readers=2
    )
    assert (found.expected_at, found.late, found.late_by_min, found.ahead) == (NOW + timedelta(minutes=24) + DELIVERY, 0.5, 0, 4)


@given(st.lists(minutes, max_size=6), minutes, minutes, minutes, st.integers(1, 5))
def test_one_more_before_it_is_never_sooner_and_one_more_reader_never_later(before, one, reading, left, readers):
    found = forecast(NOW, NOW + left, reading, before=before, readers=readers)
    assert forecast(NOW, NOW + left, reading, before=[*before, one], readers=readers).expected_at >= found.expected_at
    assert forecast(NOW, NOW + left, reading, before=before, readers=readers + 1).expected_at <= found.expected_at
    assert 0 <= found.late <= 1
    assert (found.late > 0.5) == (found.expected_at > NOW + left) or abs(found.late - 0.5) < 0.01


def test_nobody_there_is_no_forecast_and_a_long_reading_is_still_expected_to_last():
    assert forecast(NOW, NOW, timedelta(minutes=8), readers=0) is None
    begun = forecast(NOW, NOW, timedelta(minutes=8), readers=0, begun_at=NOW - timedelta(hours=1))
    assert begun.expected_at == NOW + timedelta(minutes=2) + DELIVERY


def test_a_task_behind_too_many_is_foretold_once_to_the_coordinator(database, chronicle, clock):
    county = a_county(database, chronicle)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(9)]
    with database.reading() as db:
        shown = [forecast_of(db, county.nurse, task_id, clock.now()) for task_id in tasks]
    assert sorted(one.ahead for one in shown) == list(range(9))
    watch = QueueWatch(database, chronicle)
    for _ in range(3):
        watch.look()
        clock.pass_(seconds=FORETELL_EVERY.total_seconds())
    with database.reading() as db:
        told = {task_id: [each for each in events_of(db, task_id) if each.type == "LatenessForecast"] for task_id in tasks}
    assert [len(told[task_id]) for task_id, one in zip(tasks, shown, strict=True)] == [int(one.late >= 0.8) for one in shown]
    [event] = told[max(tasks, key=lambda task_id: shown[tasks.index(task_id)].ahead)]
    assert [one["id"] for one in event.data["to"]] == [county.coordinator.practitioner_id]


def test_of_many_that_will_be_late_some_are_foretold_at_each_look(database, chronicle, clock, monkeypatch):
    monkeypatch.setattr("consult.queue.escalation.AT_ONCE", 2)
    county = a_county(database, chronicle)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(12)]
    with database.reading() as db:
        late = [id_ for id_ in tasks if forecast_of(db, county.nurse, id_, clock.now()).late >= 0.8]
    assert len(late) > 2
    watch, told = QueueWatch(database, chronicle), []
    for _ in late:
        watch.look()
        with database.reading() as db:
            told.append(sum(each.type == "LatenessForecast" for id_ in late for each in events_of(db, id_)))
    assert told == [min(2 * look, len(late)) for look in range(1, len(late) + 1)]


def test_what_is_being_read_waits_for_nobody_and_what_is_answered_is_awaited_no_more(database, chronicle, clock):
    county = a_county(database, chronicle)
    tasks = [a_task(database, chronicle, county.nurse) for _ in range(3)]
    with database.transaction() as db:
        actions.claim(db, chronicle, tasks[2], by=county.radiologist)
        assert forecast_of(db, county.nurse, tasks[2], clock.now()).ahead == 0
        actions.start(db, chronicle, tasks[2], by=county.radiologist)
        actions.complete(db, chronicle, tasks[2], report_id="r1", by=county.radiologist)
        assert forecast_of(db, county.nurse, tasks[2], clock.now()) is None
