"""The clock of record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import a_clinic, a_county, a_nurse, a_task

from consult.queue import actions as queue
from consult.turnaround.actions import begin, stamp
from consult.turnaround.model import Point, percentile
from consult.turnaround.views import reached, turnaround
from telemed.kernel.errors import NotFound


def stamped(database, task_id, point, at):
    with database.transaction() as db:
        stamp(db, task_id, point, at)
    with database.reading() as db:
        return reached(db, task_id, point)


@pytest.fixture
def task(database, clock):
    with database.transaction() as db:
        begin(db, "t1", institution="c", performer="h", lane="imaging", budget=timedelta(minutes=20), t0=clock.now())
    return "t1"


def test_the_first_write_of_a_point_wins(database, clock, task):
    for point in (Point.T1, Point.T3, Point.T4, Point.T5, Point.T6):
        first = clock.pass_(minutes=1)
        assert stamped(database, task, point, first) == first
        assert stamped(database, task, point, first + timedelta(minutes=1)) == first
        assert stamped(database, task, point, first - timedelta(minutes=1)) == first


def test_t0_is_the_later_and_stands_once_the_study_is_complete(database, clock, task):
    began = clock.now()
    assert stamped(database, task, Point.T0, began - timedelta(seconds=5)) == began
    later = began + timedelta(seconds=5)
    assert stamped(database, task, Point.T0, later) == later
    stamped(database, task, Point.T2, later)
    assert stamped(database, task, Point.T0, later + timedelta(seconds=5)) == later


def test_t2_follows_late_images_until_the_report_is_signed(database, clock, task):
    began, late = clock.now(), clock.now() + timedelta(minutes=4)
    stamped(database, task, Point.T2, began)
    assert stamped(database, task, Point.T2, late) == late
    stamped(database, task, Point.T4, late)
    assert stamped(database, task, Point.T2, late + timedelta(minutes=4)) == late


def test_a_consultation_passes_its_points_in_order(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    began = chronicle.clock.now()
    for verb, arguments in ((queue.claim, {}), (queue.start, {}), (queue.complete, {"report_id": "r1"})):
        chronicle.clock.pass_(minutes=2)
        with database.transaction() as db:
            verb(db, chronicle, task_id, **arguments, by=county.radiologist)
    stamped(database, task_id, Point.T5, chronicle.clock.pass_(minutes=1))
    chronicle.clock.pass_(minutes=60)
    with database.reading() as db:
        shown = turnaround(db, county.nurse, task_id, chronicle.clock.now())
    assert began == shown.T0 == shown.T1
    assert shown.T0 <= shown.T2 < shown.T3 < shown.T4 < shown.T5
    assert (shown.T6, shown.elapsed_s, shown.budget_s, shown.paused_s) == (None, 7 * 60, 20 * 60, 0)


def test_an_open_clock_runs_on(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    now = chronicle.clock.pass_(seconds=90)
    with database.reading() as db:
        assert turnaround(db, county.radiologist, task_id, now).elapsed_s == 90


def test_another_institution_does_not_see_the_clock(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    with database.reading() as db, pytest.raises(NotFound):
        turnaround(db, stranger, task_id, chronicle.clock.now())


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_percentile_is_a_value_that_was_measured_with_enough_below_it(values, share):
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)
