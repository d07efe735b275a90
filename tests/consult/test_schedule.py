"""Rotas: who is there, which promised hours nobody covers, and changes that need both."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.builders import a_county, a_specialist

from consult.practitioners.actions import end_agreement
from consult.practitioners.model import SYSTEM, Role
from consult.practitioners.views import agreements_of
from consult.requests.model import HOUSE_ZONE, Lane
from consult.schedule import actions, views
from consult.schedule.model import HOUR, Availability, Duty, DutyKind, Promise, Span, availability, joined, uncovered
from consult.schedule.watch import RotaWatch
from telemed.kernel.audit import broken_seals
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from telemed.kernel.events import event_table

MONDAY = datetime(2026, 3, 2, tzinfo=HOUSE_ZONE)
ALWAYS = Promise("h", Role.RADIOLOGIST, "1111111", 0, 24)


def a_duty(person: str, begins: float, ends: float, kind: DutyKind = DutyKind.DUTY, lane: Lane | None = None) -> Duty:
    return Duty(person + str(begins), "h", person, Role.RADIOLOGIST, lane, kind, MONDAY + begins * HOUR, MONDAY + ends * HOUR)


duties = st.lists(
    st.builds(
        lambda person, begins, length, kind: a_duty(person, begins / 2, (begins + length) / 2, kind),
        st.sampled_from("ab"),
        st.integers(0, 60),
        st.integers(1, 40),
        st.sampled_from(DutyKind),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(duties)
def test_an_hour_is_covered_exactly_when_somebody_is_there_at_every_moment_of_it(planned):
    people = {duty.practitioner_id for duty in planned}
    bare = uncovered(ALWAYS, planned, MONDAY, MONDAY + 40 * HOUR)
    for hour in range(40):
        moments = [MONDAY + hour * HOUR + timedelta(minutes=15 * quarter) for quarter in range(4)]
        there = [
            any(
                availability([duty for duty in planned if duty.practitioner_id == person], at, Lane.IMAGING)
                in (Availability.DUTY, Availability.STANDBY)
                for person in people
            )
            for at in moments
        ]
        assert (MONDAY + hour * HOUR in bare) is not all(there)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=8))
def test_joined_spans_hold_the_same_moments_and_never_touch(pairs):
    spans = [Span(MONDAY + begin * HOUR, MONDAY + (begin + length) * HOUR) for begin, length in pairs]
    union = joined(spans)
    held = {hour for begin, length in pairs for hour in range(begin, begin + length)}
    assert {hour for hour in range(70) for span in union if span.since <= MONDAY + hour * HOUR < span.until} == held
    assert all(before.until < after.since for before, after in pairwise(union))


def test_promised_hours_are_counted_in_the_house_s_zone():
    days = Promise("h", Role.RADIOLOGIST, "1111100", 8, 17)
    hours = list(days.hours(datetime(2026, 3, 6, 1, 30, tzinfo=UTC), datetime(2026, 3, 9, 1, 0, tzinfo=UTC)))
    assert [hour.astimezone(HOUSE_ZONE).strftime("%a %H") for hour in hours] == [f"Fri {hour:02}" for hour in range(9, 17)] + [
        "Mon 08"
    ]


def test_a_duty_for_one_lane_is_none_for_another():
    stroke = a_duty("a", 0, 8, lane=Lane.STROKE)
    assert availability([stroke], MONDAY, Lane.STROKE) is Availability.DUTY
    assert availability([stroke], MONDAY, Lane.IMAGING) is Availability.OFF


def do(database, chronicle, action, *args, **kwargs):
    with database.transaction() as db:
        return action(db, chronicle, *args, **kwargs)


def planned(database, chronicle, county, person, begins=MONDAY + 8 * HOUR, *, hours=9, kind=DutyKind.DUTY, by=None):
    terms = {"practitioner_id": person.practitioner_id, "specialty": Role.RADIOLOGIST, "kind": kind}
    span = {"starts_at": begins, "ends_at": begins + hours * HOUR}
    return do(database, chronicle, actions.plan, **terms, **span, by=by or county.coordinator)


def week(database, viewer):
    with database.reading() as db:
        return views.week(db, viewer, viewer.institution_id, MONDAY, MONDAY + timedelta(days=7))


def test_the_coordinator_plans_a_week_and_nobody_else_does(database, chronicle):
    county = a_county(database, chronicle)
    duty = planned(database, chronicle, county, county.radiologist)
    for by in (county.radiologist, county.nurse):
        with pytest.raises(Refused, match="coordinator"):
            planned(database, chronicle, county, county.colleague, by=by)
    with pytest.raises(Conflict, match="王敏 has a duty already, from 03-02 08:00"):
        planned(database, chronicle, county, county.radiologist, hours=1, kind=DutyKind.STANDBY)
    with pytest.raises(Invalid, match="is no radiologist"):
        planned(database, chronicle, county, county.cardiologist)
    for hours in (0, -1, 49):
        with pytest.raises(Invalid, match="ends after it begins"):
            planned(database, chronicle, county, county.colleague, hours=hours)
    planned(database, chronicle, county, county.radiologist, hours=24, kind=DutyKind.HOLIDAY)
    shown = week(database, county.coordinator)
    assert (sorted(each.kind for each in shown.duties), shown.may_edit) == (["duty", "holiday"], True)
    assert not week(database, county.radiologist).may_edit
    do(database, chronicle, actions.cancel, duty.id, by=county.coordinator)
    assert len(week(database, county.coordinator).duties) == 1
    with pytest.raises(NotFound):
        do(database, chronicle, actions.cancel, duty.id, by=county.coordinator)
    with database.reading() as db, pytest.raises(Refused, match="another institution"):
        views.week(db, county.radiologist, county.clinic, MONDAY, MONDAY + HOUR)


def test_a_swap_holds_once_both_have_agreed_and_is_in_the_trail(database, chronicle):
    county = a_county(database, chronicle)
    mine = planned(database, chronicle, county, county.radiologist)
    theirs = planned(database, chronicle, county, county.colleague, MONDAY + 32 * HOUR)
    terms = {"duty_id": mine.id, "taker_id": county.colleague.practitioner_id, "other_duty_id": theirs.id}
    change = do(database, chronicle, actions.propose, **terms, reason="外出会诊", by=county.coordinator)
    do(database, chronicle, actions.agree, change.id, by=county.radiologist)
    holders = {duty.id: duty.practitioner_id for duty in week(database, county.coordinator).duties}
    assert holders == {mine.id: county.radiologist.practitioner_id, theirs.id: county.colleague.practitioner_id}
    with pytest.raises(Refused, match="only the two"):
        do(database, chronicle, actions.agree, change.id, by=county.coordinator)
    agreed = do(database, chronicle, actions.agree, change.id, by=county.colleague)
    assert agreed.status == "agreed"
    holders = {duty.id: duty.practitioner_id for duty in week(database, county.coordinator).duties}
    assert holders == {mine.id: county.colleague.practitioner_id, theirs.id: county.radiologist.practitioner_id}
    with pytest.raises(Conflict, match="agreed already"):
        do(database, chronicle, actions.refuse, change.id, by=county.colleague)
    with database.reading() as db:
        assert list(broken_seals(db)) == []


def test_a_stand_in_asked_for_by_the_one_on_duty_needs_only_the_other(database, chronicle):
    county = a_county(database, chronicle)
    mine = planned(database, chronicle, county, county.radiologist)
    with pytest.raises(Refused, match="is no radiologist of this hospital"):
        do(
            database,
            chronicle,
            actions.propose,
            duty_id=mine.id,
            taker_id=county.cardiologist.practitioner_id,
            by=county.radiologist,
        )
    third = a_specialist(database, chronicle, county.hospital, name="第三人")
    taker = county.colleague.practitioner_id
    with pytest.raises(Refused, match="kept by the hospital's coordinator"):
        do(database, chronicle, actions.propose, duty_id=mine.id, taker_id=taker, by=third)
    change = do(database, chronicle, actions.propose, duty_id=mine.id, taker_id=taker, by=county.radiologist)
    assert [each.id for each in week(database, county.colleague).changes] == [change.id]
    planned(database, chronicle, county, county.colleague, MONDAY + 10 * HOUR, hours=2, kind=DutyKind.STANDBY)
    with pytest.raises(Conflict, match="陈涛 has a standby already"):
        do(database, chronicle, actions.agree, change.id, by=county.colleague)
    do(database, chronicle, actions.refuse, change.id, by=county.colleague)
    assert week(database, county.colleague).changes == ()


def news(database):
    with database.reading() as db:
        rows = db.execute(event_table.select().order_by(event_table.c.position)).all()
    return [(row.type, row.data.get("spans")) for row in rows if row.type in ("DutyUncovered", "DutyCovered", "AgreementEnding")]


def test_an_uncovered_hour_is_told_of_a_day_before_once_and_again_when_it_is_covered(database, chronicle):
    county = a_county(database, chronicle)
    promise = Promise(county.hospital, Role.RADIOLOGIST, "1111111", 8, 17)
    do(database, chronicle, actions.promise_hours, promise, by=county.coordinator)
    planned(database, chronicle, county, county.radiologist)  # Monday, in which 09:30 is now
    watches = [RotaWatch(database, chronicle) for _ in range(2)]

    def look():
        for watch in watches:
            watch.look()
        return news(database)

    chronicle.clock.at = (MONDAY + 7.9 * HOUR).astimezone(UTC)
    assert look() == []
    chronicle.clock.at = (MONDAY + 8 * HOUR).astimezone(UTC)
    spans = [{"since": "2026-03-03T00:00:00.000Z", "until": "2026-03-03T09:00:00.000Z"}]
    assert look() == [("DutyUncovered", spans)]
    with database.reading() as db:
        (gap,) = views.gaps(db, county.coordinator)
        assert views.gaps(db, county.nurse) == []
    assert (gap.specialty, gap.span.since, gap.institution.name) == (Role.RADIOLOGIST, MONDAY + 32 * HOUR, "青山县医院")
    assert [each.span for each in week(database, county.coordinator).uncovered if each.span.since < MONDAY + 48 * HOUR] == [
        gap.span
    ]
    planned(database, chronicle, county, county.colleague, MONDAY + 32 * HOUR)
    assert look()[1:] == [("DutyCovered", spans)]
    with database.reading() as db:
        assert views.gaps(db, county.coordinator) == []


def test_promised_hours_are_the_coordinator_s_and_whole(database, chronicle):
    county = a_county(database, chronicle)
    with pytest.raises(Refused):
        do(
            database,
            chronicle,
            actions.promise_hours,
            Promise(county.hospital, Role.RADIOLOGIST, "1111111", 8, 17),
            by=county.nurse,
        )
    for days, begin, end in (("111", 8, 17), ("1111112", 8, 17), ("1111111", 17, 8), ("1111111", 0, 25)):
        promise = Promise(county.hospital, Role.RADIOLOGIST, days, begin, end)
        with pytest.raises(Invalid, match="promised hours"):
            do(database, chronicle, actions.promise_hours, promise, by=county.coordinator)


def test_an_agreement_that_ends_is_told_of_thirty_days_before_once(database, chronicle):
    county = a_county(database, chronicle)
    with database.transaction() as db:
        (held,) = agreements_of(db, county.clinic)
        end_agreement(db, chronicle, held.id, on=date(2026, 4, 2), by=SYSTEM)
    watch = RotaWatch(database, chronicle)
    watch.look()
    assert news(database) == []
    chronicle.clock.pass_(days=1)
    for _ in range(2):
        watch.look()
    assert [type_ for type_, _ in news(database)] == ["AgreementEnding"]
