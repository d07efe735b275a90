"""Peer review: which reports are drawn, who may review them, and what becomes of a miss that matters."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.builders import a_county, a_task

from consult.peer_review import actions, views
from consult.peer_review.model import TRANSITIONS, ReviewEvent, ReviewStatus, Sampling, drawn, month_of, status_after
from consult.peer_review.watch import PeerReviews
from consult.practitioners.model import Role
from consult.queue import actions as queue
from consult.readings.actions import sign_task
from consult.readings.model import Radpeer
from consult.reports.actions import amend_report, save_draft
from consult.reports.model import Draft
from consult.requests.model import Kind
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound

MONTH = "2026-03"
CALM = Draft("颅内未见出血", "未见异常", Kind.DIAGNOSIS)


@pytest.fixture
def county(database, chronicle):
    return a_county(database, chronicle)


def signed(database, chronicle, county, by=None):
    reader = by or county.radiologist
    task_id = a_task(database, chronicle, county.nurse)
    with database.transaction() as db:
        queue.claim(db, chronicle, task_id, by=reader)
        save_draft(db, chronicle, task_id, CALM, 0, by=reader)
    return sign_task(database, chronicle, task_id, lambda _: b"%PDF", by=reader)


def follow(database, chronicle):
    """Answer every signature in the log, as the worker does."""
    reviews = PeerReviews(database, chronicle)
    for event in chronicle.events.after(0, types=["ReportSigned", "ReportAmended"], limit=1000):
        with database.transaction() as db:
            reviews.prepare(event)(db)


@pytest.fixture
def review_id(database, chronicle, county):
    """A report that was drawn, by a seed under which it is."""
    report = signed(database, chronicle, county)
    month = month_of(report.signed_at)
    seed = next(str(number) for number in range(10_000) if drawn(report.id, month, seed=str(number), percent=10))
    do(database, chronicle, actions.set_sampling, Sampling(Role.RADIOLOGIST, 10, seed), by=county.coordinator)
    follow(database, chronicle)
    with database.reading() as db:
        (review,) = views.due(db, county.colleague)
    return review.id


def do(database, chronicle, verb, *args, **arguments):
    with database.transaction() as db:
        return verb(db, chronicle, *args, **arguments)


@pytest.mark.parametrize("percent", [2, 5, 10])
def test_the_draw_follows_from_the_seed_and_takes_its_share(percent):
    ids = [new_id() for _ in range(20_000)]
    taken = {id_ for id_ in ids if drawn(id_, MONTH, seed="a", percent=percent)}
    assert taken == {id_ for id_ in reversed(ids) if drawn(id_, MONTH, seed="a", percent=percent)}
    assert percent / 100 == pytest.approx(len(taken) / len(ids), abs=0.01)
    assert taken != {id_ for id_ in ids if drawn(id_, MONTH, seed="b", percent=percent)}
    assert taken != {id_ for id_ in ids if drawn(id_, "2026-04", seed="a", percent=percent)}
    assert taken <= {id_ for id_ in ids if drawn(id_, MONTH, seed="a", percent=percent + 1)}


def test_a_review_shows_the_report_and_not_who_wrote_it(database, chronicle, county, review_id):
    with database.reading() as db:
        review = views.review(db, county.colleague, review_id)
        assert county.radiologist.name not in str(review)
        assert review.impression == CALM.impression
        for stranger in (county.radiologist, county.nurse, county.cardiologist, county.coordinator):
            assert views.due(db, stranger) == ()
            with pytest.raises(NotFound):
                views.review(db, stranger, review_id)


def test_a_report_is_drawn_once(database, chronicle, county, review_id):
    follow(database, chronicle)
    with database.reading() as db:
        assert [one.id for one in views.due(db, county.colleague)] == [review_id]


def test_a_score_changes_nothing_for_the_clinic(database, chronicle, county, review_id):
    before = chronicle.events.latest()
    do(database, chronicle, actions.claim, review_id, by=county.colleague)
    with pytest.raises(Conflict):
        do(database, chronicle, actions.claim, review_id, by=county.colleague)
    with pytest.raises(Invalid, match="where and why"):
        do(database, chronicle, actions.score, review_id, given=Radpeer.EXPECTED, comment=" ", raised=False, by=county.colleague)
    with pytest.raises(Invalid, match="likely to matter"):
        do(database, chronicle, actions.score, review_id, given=Radpeer.EXPECTED, comment="x", raised=True, by=county.colleague)
    scored = do(
        database,
        chronicle,
        actions.score,
        review_id,
        given=Radpeer.EXPECTED,
        comment="未描述萎缩",
        raised=False,
        by=county.colleague,
    )
    assert (scored.status, scored.score) == (ReviewStatus.SCORED, Radpeer.EXPECTED)
    news = chronicle.events.after(before)
    assert [event.type for event in news] == ["PeerReviewClaimed", "PeerReviewScored"]
    assert not [event for event in news if {"institution", "performer"} & event.data.keys()]
    with database.reading() as db:
        assert views.due(db, county.colleague) == views.due(db, county.radiologist) == ()


def raise_it(database, chronicle, county, review_id):
    do(database, chronicle, actions.claim, review_id, by=county.colleague)
    missed = {"given": Radpeer.EXPECTED_SIGNIFICANT, "comment": "漏诊左侧基底节区出血", "raised": True}
    do(database, chronicle, actions.score, review_id, **missed, by=county.colleague)
    with database.reading() as db:
        (asked,) = views.due(db, county.radiologist)
    assert (asked.status, asked.comment, asked.reviewer) == (ReviewStatus.RAISED, "漏诊左侧基底节区出血", None)
    return asked


def test_a_miss_that_matters_is_taken_to_the_author_who_amends_the_report(database, chronicle, county, review_id):
    asked = raise_it(database, chronicle, county, review_id)
    changed = Draft("左侧基底节区高密度影", "左侧基底节区脑出血", Kind.DIAGNOSIS)
    amend_report(database, chronicle, asked.report_id, changed, "复核补充", lambda _: b"%PDF", by=county.radiologist)
    follow(database, chronicle)
    with database.reading() as db:
        assert views.review(db, county.radiologist, review_id).status is ReviewStatus.AMENDED
        assert views.due(db, county.radiologist) == ()


def test_the_author_may_say_why_the_report_stands(database, chronicle, county, review_id):
    raise_it(database, chronicle, county, review_id)
    with pytest.raises(NotFound):
        do(database, chronicle, actions.uphold, review_id, reason="钙化", by=county.colleague)
    upheld = do(database, chronicle, actions.uphold, review_id, reason="CT 值符合钙化", by=county.radiologist)
    assert (upheld.status, upheld.answer) == (ReviewStatus.UPHELD, "CT 值符合钙化")


def test_a_claimed_review_can_be_given_back(database, chronicle, county, review_id):
    do(database, chronicle, actions.claim, review_id, by=county.colleague)
    released = do(database, chronicle, actions.release, review_id, by=county.colleague)
    assert (released.status, released.reviewer) == (ReviewStatus.OPEN, None)
    with pytest.raises(Conflict, match="claim this review"):
        do(database, chronicle, actions.release, review_id, by=county.colleague)


def test_the_share_is_set_for_each_specialty_between_two_and_ten(database, chronicle, county):
    for percent in (1, 11):
        with pytest.raises(Invalid):
            Sampling(Role.RADIOLOGIST, percent)
    do(database, chronicle, actions.set_sampling, Sampling(Role.CARDIOLOGIST, 10, "another"), by=county.coordinator)
    with pytest.raises(Invalid):
        do(database, chronicle, actions.set_sampling, Sampling(Role.CLINIC), by=county.coordinator)
    with database.reading() as db:
        assert views.sampling(db) == (Sampling(Role.CARDIOLOGIST, 10, "another"), Sampling(Role.RADIOLOGIST))


def test_every_step_of_a_review_is_one_of_the_table():
    for status in ReviewStatus:
        for event in ReviewEvent:
            if (status, event) in TRANSITIONS:
                assert status_after(status, event) is TRANSITIONS[status, event]
            else:
                with pytest.raises(Conflict):
                    status_after(status, event)


def test_the_month_is_the_house_s(clock):
    last = clock.now().replace(month=2, day=28, hour=15, minute=59)
    assert (month_of(last), month_of(last + timedelta(minutes=1))) == ("2026-02", "2026-03")
