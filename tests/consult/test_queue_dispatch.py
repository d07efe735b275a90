"""Who is chosen to answer: the law by properties, the rest by the story of a day."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.builders import SEEN, a_county, a_hospital, a_specialist, a_task, an_agreement, an_institution

from consult.practitioners.actions import end_agreement, qualify
from consult.practitioners.model import SYSTEM, Agreement, Expertise, Institution, Level, Practitioner, Qualification, Role
from consult.practitioners.views import agreements_of
from consult.queue import actions, views
from consult.queue.candidates import assign
from consult.queue.dispatch import SENTENCES, Candidate, Need, choose
from consult.queue.model import Declined
from consult.requests.model import Lane
from consult.schedule.actions import plan
from consult.schedule.model import Availability, DutyKind
from consult.triage.model import READING
from telemed.kernel.errors import Refused

AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
PLACES = [Institution(str(number), f"院{number}", "", level) for number, level in enumerate([*Level, Level.COUNTY])]
NEED = Need("clinic", Role.RADIOLOGIST, Lane.IMAGING, AT)


def an_agreement_with(place: Institution, **terms) -> Agreement:
    return Agreement(**{"id": f"a{place.id}", "institution_id": "clinic", "performer_id": place.id} | TERMS | terms)


TERMS = {"valid_from": date(2020, 1, 1), "valid_until": None, "services": ()}


@st.composite
def agreements(draw):
    found = []
    for place in PLACES:
        if draw(st.booleans()):
            begin = draw(st.dates(date(2024, 1, 1), date(2028, 1, 1)))
            end = draw(st.none() | st.dates(begin, date(2030, 1, 1)))
            services = draw(st.sampled_from([(), (Role.RADIOLOGIST,), (Role.CARDIOLOGIST,)]))
            found.append(an_agreement_with(place, valid_from=begin, valid_until=end, services=services))
    return found


@st.composite
def candidates(draw):
    people = []
    for number in range(draw(st.integers(0, 8))):
        qualification = Qualification(
            draw(st.sampled_from(["", "1104"])),
            draw(st.none() | st.dates(date(2015, 1, 1), date(2026, 3, 1))),
            tuple(draw(st.sets(st.sampled_from(Expertise), max_size=2))),
        )
        roles = draw(st.sampled_from([(Role.RADIOLOGIST,), (Role.CARDIOLOGIST,), (Role.CARDIOLOGIST, Role.RADIOLOGIST)]))
        person = Practitioner(f"p{number}", f"医{number}", roles, draw(st.sampled_from(PLACES)), qualification)
        times = (draw(st.integers(0, 6)), draw(st.integers(60, 1800)))
        people.append(Candidate(person, draw(st.sampled_from(Availability)), *times))
    return people


needs = st.builds(
    Need,
    institution_id=st.just("clinic"),
    specialty=st.sampled_from([Role.RADIOLOGIST, Role.CARDIOLOGIST]),
    lane=st.sampled_from(Lane),
    at=st.just(AT),
    wanted=st.none() | st.sampled_from(Expertise),
    tried=st.frozensets(st.sampled_from([place.id for place in PLACES]), max_size=3),
    beside=st.frozensets(st.sampled_from(["p0", "p1", "p2"])),
    due_at=st.none() | st.builds(lambda minutes: AT + timedelta(minutes=minutes), st.integers(-20, 60)),
)


@settings(max_examples=50)
@given(needs, agreements(), candidates())
def test_nothing_is_assigned_but_under_an_agreement_to_somebody_registered_for_three_years_who_is_there(need, agreed, people):
    choice = choose(need, hospitals=PLACES, agreements=agreed, candidates=people)
    valid = {each.performer_id for each in agreed if each.covers(date(2026, 3, 2), need.specialty)} - need.tried
    assert (choice.performer_id in valid) if valid else (choice.performer_id is None)
    if choice.person is not None:
        (chosen,) = [one for one in people if one.practitioner.id == choice.person.id]
        person = chosen.practitioner
        assert person.institution.id == choice.performer_id
        assert need.specialty in person.roles
        assert person.qualification.registration
        assert person.qualification.practising_since <= date(2023, 3, 2)
        assert chosen.availability not in (Availability.OFF, Availability.AWAY)
        assert person.id not in need.beside


@settings(max_examples=50)
@given(needs, agreements(), candidates(), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_never_changes_the_choice(need, agreed, people, shuffling: random.Random):
    before = choose(need, hospitals=PLACES, agreements=agreed, candidates=people)
    hospitals, agreed, people = PLACES[:], agreed[:], people[:]
    for each in (hospitals, agreed, people):
        shuffling.shuffle(each)
    assert choose(need, hospitals=hospitals, agreements=agreed, candidates=people) == before


@settings(max_examples=50)
@given(needs, agreements(), candidates())
def test_everybody_is_told_why_they_or_why_not_in_both_languages(need, agreed, people):
    choice = choose(need, hospitals=PLACES, agreements=agreed, candidates=people)
    about = [verdict.person.id for verdict in choice.verdicts if verdict.person]
    assert sorted(about) == sorted(one.practitioner.id for one in people)
    assert [verdict.code for verdict in choice.verdicts].count("chosen") == (choice.person is not None)
    for verdict in choice.verdicts:
        assert verdict.code in SENTENCES
        assert verdict.text.zh.strip()
        assert verdict.text.en.strip()
        assert "{" not in verdict.text.zh + verdict.text.en


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_of_equals_whoever_has_least_in_hand_is_chosen(loads):
    place = PLACES[1]
    people = [
        Candidate(Practitioner(f"p{number}", "", (Role.RADIOLOGIST,), place, SEEN), Availability.DUTY, load, 300)
        for number, load in enumerate(loads)
    ]
    choice = choose(NEED, hospitals=[place], agreements=[an_agreement_with(place)], candidates=people)
    assert choice.person.id == f"p{loads.index(min(loads))}"


def one(name, place, **how) -> Candidate:
    terms = {"availability": Availability.DUTY, "load": 0, "reading_s": 300} | how
    qualification = terms.pop("qualification", SEEN)
    return Candidate(Practitioner(name, name, (Role.RADIOLOGIST,), place, qualification), **terms)


def chosen(people, need=NEED) -> str | None:
    agreed = [an_agreement_with(place) for place in PLACES]
    choice = choose(need, hospitals=PLACES, agreements=agreed, candidates=people)
    return choice.person and choice.person.id


def test_a_question_overflows_to_the_next_tier_when_nobody_qualified_is_there():
    tiers = [one(level, place) for level, place in zip(Level, PLACES, strict=False)]
    for number, level in enumerate(Level):
        assert chosen(tiers) == level
        tiers[number] = replace(tiers[number], availability=Availability.AWAY)
    assert chosen(tiers) is None


def test_duty_comes_before_standby_a_wished_expertise_before_none_and_soonest_before_later():
    county = PLACES[1]
    quick, slow = one("quick", county, load=2, reading_s=120), one("slow", county, load=0, reading_s=900)
    assert chosen([quick, slow]) == "quick"
    assert chosen([one("standby", county, availability=Availability.STANDBY), slow]) == "slow"
    heart = one("heart", county, load=5, qualification=replace(SEEN, expertise=(Expertise.CHEST,)))
    assert chosen([quick, heart], replace(NEED, wanted=Expertise.CHEST)) == "heart"


def do(database, chronicle, action, *args, **kwargs):
    with database.transaction() as db:
        return action(db, chronicle, *args, **kwargs)


def on_duty(database, chronicle, person, kind=DutyKind.DUTY, role=Role.RADIOLOGIST):
    now = chronicle.clock.now()
    span = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=8)}
    do(database, chronicle, plan, practitioner_id=person.practitioner_id, specialty=role, kind=kind, **span, by=SYSTEM)


def task_of(database, viewer, task_id):
    with database.reading() as db:
        return views.task(db, viewer, task_id)


def test_how_long_a_reading_takes_somebody_is_the_median_of_their_newest_on_that_lane(database, chronicle, clock, monkeypatch):
    monkeypatch.setattr("consult.queue.candidates.NEWEST", 3)
    county = a_county(database, chronicle)
    taken = {county.radiologist: (50, 7, 1, 9), county.colleague: (2, 2)}
    for reader, minutes in taken.items():
        for each in minutes:
            task_id = a_task(database, chronicle, county.nurse)
            do(database, chronicle, actions.claim, task_id, by=reader)
            do(database, chronicle, actions.start, task_id, by=reader)
            clock.pass_(minutes=each)
            do(database, chronicle, actions.complete, task_id, report_id=task_id, by=reader)
    spoken = {}
    with database.reading() as db:
        need = Need(county.clinic, Role.RADIOLOGIST, Lane.IMAGING, clock.now())
        for verdict in assign(db, need).verdicts:
            spoken[verdict.person.id] = verdict.text.zh
    usual = READING[Lane.IMAGING].total_seconds() / 60
    assert "平均每例 7.0 分钟：预计 7 分钟内完成" in spoken[county.radiologist.practitioner_id]
    assert f"预计 {usual:.0f} 分钟才能完成" in spoken[county.colleague.practitioner_id]


def test_a_task_goes_to_whoever_is_on_duty_and_says_why_them_and_why_nobody_else(database, chronicle):
    county = a_county(database, chronicle)
    junior = a_specialist(database, chronicle, county.hospital, name="新人")
    with database.transaction() as db:
        qualify(db, chronicle, junior.practitioner_id, Qualification("1104", date(2025, 1, 1)), by=SYSTEM)
    on_duty(database, chronicle, county.colleague)
    on_duty(database, chronicle, junior)
    task = task_of(database, county.nurse, a_task(database, chronicle, county.nurse))
    assert (task.assigned.name, task.performer.name, task.owner) == ("陈涛", "青山县医院", None)
    said = {verdict.person.name: verdict.code for verdict in task.dispatch}
    assert said == {"陈涛": "chosen", "王敏": "off-duty", "新人": "too-junior"}


def test_with_nobody_on_duty_at_the_county_the_province_is_asked_and_without_anybody_the_nearest_queue(database, chronicle):
    county = a_county(database, chronicle)
    province = an_institution(database, chronicle, kind=Level.PROVINCIAL, name="省医院")
    an_agreement(database, chronicle, county.clinic, province, valid_from=date(2019, 1, 1))
    expert = a_specialist(database, chronicle, province, name="专家")
    first = task_of(database, county.nurse, a_task(database, chronicle, county.nurse))
    assert (first.performer.name, first.assigned.name in {"王敏", "陈涛"}) == ("青山县医院", True)
    for person in (county.radiologist, county.colleague):
        on_duty(database, chronicle, person, DutyKind.HOLIDAY)
    second = task_of(database, county.nurse, a_task(database, chronicle, county.nurse))
    assert (second.performer.name, second.assigned.name) == ("省医院", "专家")
    on_duty(database, chronicle, expert, DutyKind.HOLIDAY)
    third = task_of(database, county.nurse, a_task(database, chronicle, county.nurse))
    assert (third.performer.name, third.assigned, third.dispatch[0].code) == ("青山县医院", None, "nobody")


def test_a_declined_task_is_assigned_to_somebody_else_of_the_same_hospital_when_there_is_no_other(database, chronicle):
    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    first = task_of(database, county.nurse, task_id).assigned
    reader = next(one for one in (county.radiologist, county.colleague) if one.practitioner_id == first.id)
    do(database, chronicle, actions.decline, task_id, code=Declined.NO_CAPACITY, reason="手术中", by=reader)
    task = task_of(database, county.nurse, task_id)
    assert (task.performer.name, {task.assigned.name, first.name}) == ("青山县医院", {"王敏", "陈涛"})


def test_an_agreement_that_has_ended_stops_dispatch_the_day_after(database, chronicle):
    county = a_county(database, chronicle)
    far = a_hospital(database, chronicle, "市医院")
    an_agreement(database, chronicle, county.clinic, far, valid_until=date(2026, 3, 2), services=[Role.RADIOLOGIST])
    a_specialist(database, chronicle, far, name="远")
    for person in (county.radiologist, county.colleague):
        on_duty(database, chronicle, person, DutyKind.HOLIDAY)
    assert task_of(database, county.nurse, a_task(database, chronicle, county.nurse)).assigned.name == "远"
    chronicle.clock.pass_(hours=24)
    for person in (county.radiologist, county.colleague):
        on_duty(database, chronicle, person, DutyKind.HOLIDAY)
    task = task_of(database, county.nurse, a_task(database, chronicle, county.nurse))
    assert (task.performer.name, task.assigned) == ("青山县医院", None)
    with database.transaction() as db:
        for held in agreements_of(db, county.clinic):
            end_agreement(db, chronicle, held.id, on=date(2026, 3, 2), by=SYSTEM)
    with pytest.raises(Refused, match="no cooperation agreement"):
        a_task(database, chronicle, county.nurse)


def test_a_farther_hospital_answers_what_the_nearer_one_would_answer_too_late():
    county, province = PLACES[1], PLACES[3]
    seen = Qualification("1104", date(2015, 1, 1))
    near, far = (
        Candidate(Practitioner(name, name, (Role.RADIOLOGIST,), place, seen), Availability.DUTY, load, 480)
        for name, place, load in (("near", county, 3), ("far", province, 0))
    )
    world = {
        "hospitals": PLACES,
        "agreements": [an_agreement_with(county), an_agreement_with(province)],
        "candidates": [near, far],
    }
    assert choose(replace(NEED, due_at=AT + timedelta(minutes=40)), **world).performer_id == county.id
    hurried = choose(replace(NEED, due_at=AT + timedelta(minutes=20)), **world)
    assert (hurried.performer_id, [verdict.code for verdict in hurried.verdicts]) == (province.id, ["chosen", "too-late"])
    overdue = choose(replace(NEED, due_at=AT), **world)
    assert (overdue.performer_id, [verdict.code for verdict in overdue.verdicts]) == (province.id, ["chosen", "later"])
