"""Urgency: only ever raised, and always explained."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from consult.requests.model import DATED, Lane, Priority
from consult.triage.actions import keep_analysis
from consult.triage.model import TARGETS, Analysis, urgency
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
