"""One socket's share of the news."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consult.practitioners.model import Role, Viewer
from telemed.kernel.events import Event
from web.live import hub
from web.security import SignedIn

AT = datetime(2026, 3, 2, tzinfo=UTC)


def a_viewer(*roles: Role) -> Viewer:
    return Viewer("p", "n", frozenset(roles), "here")


def test_a_reader_that_falls_behind_is_sent_away():
    listener = hub.Listener(SignedIn(a_viewer(Role.CLINIC), "a", "u", "d", None, by_cookie=True), 0)
    for number in range(hub.MOST_WAITING + 1):
        listener.offer(Event(number, "News", "s", AT, {"institution": "here"}))
    assert listener.waiting.get_nowait() == hub.TOO_SLOW
    assert listener.waiting.empty()


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        ({"institution": "here"}, True),
        ({"institution": "there", "performer": "here"}, True),
        ({"institution": "there", "performer": "there", "declined_by": "here"}, True),
        ({"institution": "there", "invited": ["here", "there"]}, True),
        ({"institution": "there", "invited": "here"}, False),
        ({"institution": "there"}, False),
        ({}, False),
    ],
)
def test_an_event_is_for_those_it_concerns(data, seen):
    assert hub.may_see(a_viewer(Role.CLINIC), Event(1, "News", "s", AT, data)) is seen


def test_the_regulator_and_the_administrator_hear_of_no_patient():
    assert not hub.may_see(a_viewer(Role.REGULATOR, Role.ADMIN), Event(1, "News", "s", AT, {"institution": "here"}))
