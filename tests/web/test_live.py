"""The live socket: who hears what, resuming, T5, and when it ends."""

from __future__ import annotations

import time

import aiohttp
import pytest
from support.builders import a_task
from support.server import until

from dicom_node.archive.events import INSTANCE_STORED
from web.accounts import sessions
from web.accounts.actions import account_named
from web.live import hub, socket

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def tell(site, type_: str, subject: str, **data) -> int:
    with site.database.transaction() as db:
        return site.chronicle.events.append(db, type_, subject, data).position


def test_both_sides_of_a_task_hear_of_it_and_a_stranger_does_not(site, database, chronicle):
    sockets = {name: site.browser(name).live() for name in ("clinic", "radiologist", "stranger", "regulator")}
    for live in sockets.values():
        assert live.hear()["type"] == "Connected"
    task_id = a_task(database, chronicle, site.people["clinic"])
    for name in ("clinic", "radiologist"):
        news = sockets[name].hear_until("TaskRequested")
        assert news["data"]["task_id"] == task_id
        assert news["at"].endswith("Z")
        assert news["cursor"] > 0
    for name in ("stranger", "regulator"):
        tell(site, "Marker", "x", institution=site.people[name].institution_id)
    assert sockets["stranger"].hear()["type"] == "Marker"
    with pytest.raises(TimeoutError):
        sockets["regulator"].hear(0.5)


def test_a_client_resumes_after_its_cursor_and_hears_nothing_twice(site):
    live = site.browser("clinic").live(after=0)
    first = tell(site, "First", "s", institution=site.clinic)
    assert live.hear_until("First")["cursor"] == first
    live.close()
    second = tell(site, "Second", "s", institution=site.clinic)
    tell(site, "Foreign", "s", institution=site.hospital)
    time.sleep(0.7)
    again = site.browser("clinic").live(after=first)
    heard = [again.hear(), again.hear()]
    assert [(news["type"], news["cursor"]) for news in heard[:1]] == [("Second", second)]
    assert heard[1]["type"] == "Connected"
    third = tell(site, "Third", "s", institution=site.clinic)
    assert again.hear()["cursor"] == third


def test_resuming_from_too_long_ago_asks_for_everything_anew(site, monkeypatch):
    monkeypatch.setattr(hub, "MOST_REPLAYED", 3)
    for number in range(5):
        tell(site, f"Event{number}", "s", institution=site.clinic)
    time.sleep(0.7)
    live = site.browser("clinic").live(after=0)
    assert live.hear()["type"] == "Resync"


def test_a_study_that_is_arriving_is_told_of_at_most_twice_a_second_and_its_last_count_comes(site):
    live = site.browser("clinic").live()
    live.hear_until("Connected")
    began, heard = time.monotonic(), []
    for count in range(1, 61):
        tell(site, INSTANCE_STORED, "1.2.3", institution=site.clinic, study_instance_uid="1.2.3", instance_count=count)
    while not heard or heard[-1] != 60:
        heard.append(live.hear(3)["data"]["instance_count"])
    assert heard == sorted(heard)
    assert len(heard) <= 2 + (time.monotonic() - began) / hub.COALESCE_S


def test_signing_out_ends_the_socket(site):
    browser = site.browser("clinic")
    live = browser.live()
    live.hear_until("Connected")
    assert browser.request("DELETE", "/api/v1/session").status == 204
    assert live.close_code() == hub.SESSION_ENDED


def test_a_session_that_ends_elsewhere_takes_its_socket_along(site, monkeypatch):
    monkeypatch.setattr(socket, "CHECK_S", 0.1)
    live = site.browser("clinic").live()
    live.hear_until("Connected")
    with site.database.transaction() as db:
        sessions.close_sessions_of(db, account_named(db, "clinic").id)
    assert live.close_code() == hub.SESSION_ENDED


def test_the_socket_is_closed_to_other_sites_and_to_those_not_signed_in(site):
    browser = site.browser("clinic")
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({"Cookie": ""}, 401)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            browser.live(headers=headers)
        assert refused.value.status == status


@pytest.mark.parametrize("said", ["no json", "[]", "[" * 4000, "x" * 10_000])
def test_what_cannot_be_read_closes_the_socket_and_nothing_else(site, said):
    live = site.browser("clinic").live()
    site.run(live.socket.send_str(said))
    assert live.close_code() in {1006, 1007, 1009}
    assert site.browser("clinic").get("/api/v1/session").status == 200


def test_half_a_character_is_no_json(site):
    live = site.browser("clinic").live()
    site.run(live.socket.send_str(r'{"shown": "\ud800"}'))
    assert live.close_code() == 1007


def test_a_report_that_was_shown_is_delivered_and_one_that_is_not_theirs_is_a_problem(site):
    live = site.browser("clinic").live()
    live.say(shown="no-such-report")
    assert live.hear_until("Problem")["data"]["report_id"] == "no-such-report"


def test_news_go_on_after_a_log_that_could_not_be_read(site, caplog):
    live = site.browser("clinic").live()
    live.hear_until("Connected")
    for name, becomes in (("event", "away"), ("away", "event")):
        with site.database.engine.begin() as db:
            db.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {becomes}")
        until(lambda: "live hub failed" in caplog.text)
    tell(site, "Marker", "x", institution=site.clinic)
    assert live.hear_until("Marker")
