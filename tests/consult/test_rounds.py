from __future__ import annotations

import threading

import pytest
from support.builders import a_clinic, a_county, a_hospital, a_nurse, a_person, a_study, a_task

from consult import access
from consult.practitioners.model import Role
from consult.rounds import actions, views
from consult.rounds.model import MOST_PARTICIPANTS
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused


@pytest.fixture
def county(database, chronicle):
    return a_county(database, chronicle)


@pytest.fixture
def study(database, chronicle, county):
    uid = a_study(database, chronicle, county.clinic)
    a_task(database, chronicle, county.nurse, uid)
    return uid


def opened(database, chronicle, county, study, *, invited=(), title="颅脑 CT 会诊", by=None):
    with database.transaction() as db:
        return actions.open_round(
            db,
            chronicle,
            title=title,
            institution_id=county.clinic,
            study_instance_uid=study,
            invited=invited,
            by=by or county.coordinator,
        )


def test_a_round_shows_its_study_its_people_and_who_is_invited(database, chronicle, county, study):
    round_ = opened(database, chronicle, county, study)
    with database.transaction() as db:
        actions.join(db, chronicle, round_.id, by=county.nurse)
    with database.reading() as db:
        (shown,) = views.rounds(db, county.radiologist, chronicle.clock.now())
    assert shown.title == "颅脑 CT 会诊"
    assert shown.patient.name == "王小东"
    assert {place.id for place in shown.invited} == {county.clinic, county.hospital}
    assert [one.name for one in shown.participants] == [county.nurse.name]
    assert [event.type for event in chronicle.events.after(0) if event.subject == round_.id] == ["RoundOpened", "RoundJoined"]


def test_a_nurse_joins_but_does_not_convene(database, chronicle, county, study):
    with pytest.raises(Refused, match="coordinator or a specialist"):
        opened(database, chronicle, county, study, by=county.nurse)


def test_a_round_needs_a_name(database, chronicle, county, study):
    with pytest.raises(Invalid, match="title"):
        opened(database, chronicle, county, study, title="  ")


def test_a_stranger_neither_sees_nor_joins_and_an_invitation_opens_the_study_while_the_round_lasts(
    database, chronicle, county, study
):
    province = a_hospital(database, chronicle, name="省医院")
    expert = a_person(database, chronicle, province, Role.RADIOLOGIST, name="何平")
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, name="白云乡卫生院"))
    round_ = opened(database, chronicle, county, study, invited=[province])
    with database.reading() as db:
        assert views.rounds(db, stranger, chronicle.clock.now()) == []
        with pytest.raises(NotFound):
            views.round_of(db, stranger, round_.id)
        with pytest.raises(NotFound):
            access.may_read_study(db, stranger, study)
        assert access.may_read_study(db, expert, study) == county.clinic
    with database.transaction() as db:
        with pytest.raises(NotFound):
            actions.join(db, chronicle, round_.id, by=stranger)
        actions.close(db, chronicle, round_.id, by=county.coordinator)
    with database.reading() as db, pytest.raises(NotFound):
        access.may_read_study(db, expert, study)


def test_joining_twice_is_one_seat_and_leaving_gives_it_back(database, chronicle, clock, county, study):
    round_ = opened(database, chronicle, county, study)
    with database.transaction() as db:
        seat = actions.join(db, chronicle, round_.id, by=county.nurse)
        assert actions.join(db, chronicle, round_.id, by=county.nurse) == seat
        actions.leave(db, chronicle, round_.id, by=county.nurse)
        actions.leave(db, chronicle, round_.id, by=county.nurse)
        clock.pass_(seconds=5)
        assert actions.join(db, chronicle, round_.id, by=county.nurse) != seat
        shown = views.round_of(db, county.nurse, round_.id)
    assert [one.left_at is None for one in shown.participants] == [False, True]


def test_the_last_chair_is_taken_once(database, chronicle, county, study):
    round_ = opened(database, chronicle, county, study)
    people = [
        a_person(database, chronicle, county.hospital, Role.RADIOLOGIST, name=f"医师{n}") for n in range(MOST_PARTICIPANTS + 3)
    ]
    outcomes = []

    def come(person):
        try:
            with database.transaction() as db:
                outcomes.append(actions.join(db, chronicle, round_.id, by=person))
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=come, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("round-full") == 3
    assert len(set(outcomes) - {"round-full"}) == MOST_PARTICIPANTS


def test_a_closed_round_admits_nobody_and_only_its_opener_or_a_coordinator_closes_it(database, chronicle, county, study):
    round_ = opened(database, chronicle, county, study)
    with database.transaction() as db:
        actions.join(db, chronicle, round_.id, by=county.radiologist)
        with pytest.raises(Refused):
            actions.close(db, chronicle, round_.id, by=county.radiologist)
        actions.close(db, chronicle, round_.id, by=county.coordinator)
        with pytest.raises(Conflict, match="closed"):
            actions.join(db, chronicle, round_.id, by=county.nurse)
        with pytest.raises(Conflict):
            actions.close(db, chronicle, round_.id, by=county.coordinator)
        shown = views.round_of(db, county.coordinator, round_.id)
    assert shown.closed_at is not None
    assert all(one.left_at is not None for one in shown.participants)
