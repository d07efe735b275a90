"""Urgency: only ever raised, and always explained."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consult.requests.model import DATED, Lane, Priority
from consult.triage.actions import keep_analysis
from consult.triage.model import HEAD_START, LONGEST_READING, READING, TARGETS, Analysis, begin_by, standing, urgency
from consult.triage.views import analyses_of_study, analysis_of
from ecg.analysis import Severity


def an_analysis(*severities: str, uid: str = "1.2.3") -> Analysis:
    stated = [{"code": f"C{n}", "severity": s, "text": {"zh": f"中{n}", "en": f"en{n}"}} for n, s in enumerate(severities)]
    return Analysis(uid, {"statements": stated})


a_severity = st.sampled_from([str(severity) for severity in Severity])
some_analyses = st.lists(
    st.one_of(
        st.lists(a_severity, max_size=6).map(lambda each: an_analysis(*each)),
        st.builds(Analysis, st.just("1.2.4"), st.none(), st.text(max_size=20)),
    ),
    max_size=4,
)
clocked = st.sampled_from([lane for lane in Lane if lane not in DATED])
an_age = st.none() | st.integers(0, 120)


@given(st.sampled_from(Priority), clocked, some_analyses, an_age)
def test_urgency_is_never_lower_than_asked(priority, lane, analyses, age):
    found = urgency(priority, lane, analyses=analyses, age_years=age)
    assert found.priority.rank <= priority.rank
    assert TARGETS[found.lane] <= TARGETS[lane]


@given(st.sampled_from(Priority), clocked, some_analyses, some_analyses, an_age)
def test_more_evidence_never_makes_it_less_urgent(priority, lane, some, more, age):
    less = urgency(priority, lane, analyses=some, age_years=age)
    full = urgency(priority, lane, analyses=[*some, *more], age_years=age)
    assert full.priority.rank <= less.priority.rank
    assert TARGETS[full.lane] <= TARGETS[less.lane]


@given(st.sampled_from(Priority), clocked, some_analyses, an_age)
def test_whatever_was_changed_is_explained_in_both_languages(priority, lane, analyses, age):
    found = urgency(priority, lane, analyses=analyses, age_years=age)
    if (found.priority, found.lane) != (priority, lane):
        assert found.why
    assert all(why.code and why.text.zh and why.text.en for why in found.why)


@given(st.sampled_from(Priority), st.sampled_from(sorted(DATED)), some_analyses)
def test_a_dated_lane_can_be_triaged_too(priority, lane, analyses):
    assert urgency(priority, lane, analyses=analyses).priority.rank <= priority.rank


def test_a_critical_statement_opens_the_critical_lane_and_says_it_is_no_diagnosis():
    found = urgency(Priority.ROUTINE, Lane.ECG, analyses=[an_analysis("normal", "critical")])
    assert (found.priority, found.lane) == (Priority.STAT, Lane.ECG_CRITICAL)
    (why,) = found.why
    assert (why.code, why.text.zh) == ("ecg-critical:C1", "心电自动提示（非诊断）：中1")


def test_normal_and_borderline_statements_change_nothing():
    found = urgency(Priority.ROUTINE, Lane.ECG, analyses=[an_analysis("normal", "borderline")])
    assert (found.priority, found.lane, found.why) == (Priority.ROUTINE, Lane.ECG, ())


def test_a_lane_is_not_left_for_a_slower_one():
    targets = {**TARGETS, Lane.ECG_CRITICAL: timedelta(minutes=15)}
    found = urgency(Priority.STAT, Lane.CHEST_PAIN, analyses=[an_analysis("critical")], targets=targets)
    assert found.lane is Lane.CHEST_PAIN


def test_a_failed_analysis_is_said_and_raises_nothing():
    found = urgency(Priority.ROUTINE, Lane.ECG, analyses=[Analysis("1.2", None, "it carries no gain")])
    assert found.priority is Priority.ROUTINE
    assert [(why.code, why.text.en) for why in found.why] == [
        ("ecg-not-analysed", "this ECG could not be analysed: it carries no gain")
    ]


def test_an_infant_and_an_emergency_lane_raise_the_priority():
    assert urgency(Priority.ROUTINE, Lane.IMAGING, age_years=0).priority is Priority.URGENT
    assert urgency(Priority.ROUTINE, Lane.STROKE, age_years=70).priority is Priority.ASAP


def test_an_analysis_is_kept_once_and_found_by_recording_and_by_study(database, chronicle):
    first, failed = an_analysis("critical", uid="1.2.3"), Analysis("1.2.4", None, "no gain")
    with database.transaction() as db:
        for analysis in (first, failed, an_analysis("normal", uid="1.2.3")):
            keep_analysis(db, chronicle.clock, "clinic", "1.2", analysis)
    with database.reading() as db:
        assert analysis_of(db, "clinic", "1.2.3") == first
        assert analysis_of(db, "elsewhere", "1.2.3") is None
        assert analyses_of_study(db, "clinic", "1.2") == (first, failed)


T0 = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
#: Whatever comes later than this after a task was due stands behind it: the promise that nothing starves.
OVERTAKEN_FOR = max(HEAD_START.values()) + LONGEST_READING
a_reading = st.timedeltas(timedelta(seconds=30), LONGEST_READING)


a_case = st.tuples(st.sampled_from(Priority), clocked, a_reading)


@given(a_case, a_case, st.timedeltas(timedelta(), timedelta(days=9)))
def test_nothing_that_comes_after_its_time_stands_before_a_task(case, other, later):
    (priority, lane, reading), (theirs, quicker, quick) = case, other
    placed = T0 + TARGETS[lane] + OVERTAKEN_FOR + later
    assert begin_by(placed + TARGETS[quicker], theirs, quick) > begin_by(T0 + TARGETS[lane], priority, reading)


arrivals = st.lists(
    st.tuples(st.timedeltas(timedelta(seconds=1), timedelta(minutes=4)), st.sampled_from(Priority), clocked),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60)
@given(arrivals, st.sampled_from(Priority), clocked)
def test_under_any_stream_of_arrivals_a_task_becomes_first_in_bounded_time(stream, priority, lane):
    """One reader who always takes the first of the queue reads it before anything that came after its bound."""
    mine = (begin_by(T0 + TARGETS[lane], priority, READING[lane]), 0)
    waiting, at, coming, read = [mine], T0, T0, []
    pending = []
    for number, (gap, other, quicker) in enumerate(stream * 6, start=1):
        coming += gap
        pending.append((coming, (begin_by(coming + TARGETS[quicker], other, READING[quicker]), number)))
    arrived = {number: when for when, (_, number) in pending}
    while waiting:
        while pending and pending[0][0] <= at:
            heapq.heappush(waiting, pending.pop(0)[1])
        _, number = heapq.heappop(waiting)
        read.append(number)
        if number == 0:
            break
        at += timedelta(minutes=5)
    assert read[-1] == 0
    assert all(arrived[number] <= T0 + TARGETS[lane] + OVERTAKEN_FOR for number in read[:-1])


@given(st.sampled_from(Priority), clocked, a_reading)
def test_a_higher_priority_and_less_time_left_never_stand_later(priority, lane, reading):
    due_at = T0 + TARGETS[lane]
    for other in Priority:
        if other.rank <= priority.rank:
            assert begin_by(due_at, other, reading) <= begin_by(due_at, priority, reading)
    assert begin_by(due_at - timedelta(seconds=1), priority, reading) < begin_by(due_at, priority, reading)


def test_where_a_task_stands_is_told_in_a_sentence_for_each_reason():
    told = standing(Priority.STAT, T0 + timedelta(minutes=20), timedelta(minutes=8))
    assert [(why.code, why.text.zh) for why in told] == [
        ("due", "时限 03-02 09:50"),
        ("reading", "预计阅片 8 分钟，最迟 09:42 开始"),
        ("head-start", "优先级提前 60 分钟排序"),
    ]
    assert [why.code for why in standing(Priority.ROUTINE, T0, timedelta(minutes=8))] == ["due", "reading"]
