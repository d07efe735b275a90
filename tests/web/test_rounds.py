"""Rounds over HTTP and their socket: who comes in, what all see, and when it ends."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import VideoStreamTrack
from support.builders import a_study, a_task
from support.limits import full_disk
from support.server import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

STATE = {"sop_instance_uid": "1.2.3", "frame": 7}


@pytest.fixture
def round_(site, database, chronicle):
    study = a_study(database, chronicle, site.clinic)
    a_task(database, chronicle, site.people["clinic"], study)
    answer = site.browser("coordinator").post(
        "/api/v1/rounds", json={"study_instance_uid": study, "title": "疑难 CT, 会诊; 第一次"}
    )
    assert answer.status == 201, answer.body
    return answer.json()


class Seat:
    def __init__(self, site, browser, round_, **headers):
        connect = site.client.ws_connect(
            f"{site.url}/api/v1/rounds/{round_['id']}/signal", headers=browser.headers() | {"Origin": site.url} | headers
        )
        self.site, self.socket = site, site.run(connect)

    def say(self, **content):
        self.site.run(self.socket.send_json(content))

    def hear(self):
        return self.site.run(self.socket.receive_json(timeout=10))

    def hear_until(self, type_):
        while (news := self.hear())["type"] != type_:
            pass
        return news

    def close_code(self):
        while (message := self.site.run(self.socket.receive(timeout=10))).type is aiohttp.WSMsgType.TEXT:
            pass
        return message.data

    def leave(self):
        self.site.run(self.socket.close())


def test_what_one_shows_all_see_and_a_late_comer_too(site, round_):
    coordinator, clinic = (Seat(site, site.browser(name), round_) for name in ("coordinator", "clinic"))
    assert coordinator.hear()["type"] == "welcome"
    welcome = clinic.hear()
    assert [one["name"] for one in welcome["participants"]] == [site.people["coordinator"].name]
    assert coordinator.hear_until("came")["participant"]["name"] == site.people["clinic"].name
    coordinator.say(type="view", state=STATE)
    assert clinic.hear_until("view")["state"] == STATE
    clinic.say(type="point", pointer={"at": [3, 4]})
    assert coordinator.hear_until("point")["pointer"] == {"at": [3, 4]}
    late = Seat(site, site.browser("radiologist"), round_)
    assert late.hear()["view"]["state"] == STATE
    clinic.leave()
    assert coordinator.hear_until("gone")["id"] == welcome["you"]
    shown = site.browser("coordinator").get(f"/api/v1/rounds/{round_['id']}").json()
    assert sum(one["left_at"] is None for one in shown["participants"]) == 2
    for seat in (coordinator, late):
        seat.leave()


def test_nonsense_is_answered_and_the_seat_is_kept(site, round_):
    seat = Seat(site, site.browser("clinic"), round_)
    seat.hear()
    for nonsense in (
        "{",
        "[]",
        '{"type":"dance"}',
        '{"type":"view"}',
        '{"type":"view","state":3}',
        '{"type":"view","state":"x"}',
        '{"type":"view","state":{"x":NaN}}',
        '{"type":"view","state":{"x":"\\ud800"}}',
        '{"type":"publish","sdp":"v=0"}',
    ):
        site.run(seat.socket.send_str(nonsense))
        assert seat.hear()["type"] == "refused", nonsense
    seat.say(type="watch", who="nobody", sdp="")
    assert "send nothing" in seat.hear()["sentence"]
    seat.leave()


async def an_offer() -> str:
    browser = RTCPeerConnection()
    browser.addTrack(VideoStreamTrack())
    await browser.setLocalDescription(await browser.createOffer())
    offer = browser.localDescription.sdp
    await browser.close()
    return offer


def test_who_sends_an_offer_that_is_none_leaves_as_everybody_does(site, round_):
    coordinator = Seat(site, site.browser("coordinator"), round_)
    clinic = Seat(site, site.browser("clinic"), round_)
    mine = clinic.hear()["you"]
    clinic.say(type="publish", sdp=site.run(an_offer()).replace("a=group:BUNDLE 0", "a=group:BUNDLE 7 0"))
    assert clinic.hear()["type"] == "refused"
    clinic.leave()
    assert coordinator.hear_until("gone")["id"] == mine
    coordinator.leave()


def test_a_flood_and_a_message_too_long_end_the_seat(site, round_):
    flood = Seat(site, site.browser("clinic"), round_)
    for _ in range(300):
        site.run(flood.socket.send_json({"type": "point", "pointer": None}))
    assert flood.close_code() == 1008
    long = Seat(site, site.browser("clinic"), round_)
    site.run(long.socket.send_str(json.dumps({"type": "view", "state": {"x": "y" * 100_000}})))
    assert long.close_code() == 1009


def test_signing_out_gives_the_seat_up(site, round_):
    browser = site.browser("clinic")
    seat = Seat(site, browser, round_)
    seat.hear()
    assert browser.request("DELETE", "/api/v1/session").status == 204
    assert seat.close_code() == 4001


def test_a_stranger_neither_sees_nor_joins_nor_hears(site, round_):
    stranger = site.browser("stranger")
    assert stranger.get("/api/v1/rounds").json()["items"] == []
    assert stranger.get(f"/api/v1/rounds/{round_['id']}").status == 404
    assert stranger.post(f"/api/v1/rounds/{round_['id']}/join", json={}).status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        Seat(site, stranger, round_)
    assert refused.value.status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError) as foreign:
        Seat(site, site.browser("clinic"), round_, Origin="https://elsewhere.example")
    assert foreign.value.status == 403


def test_the_end_is_told_to_all_and_nobody_comes_after(site, round_):
    seat = Seat(site, site.browser("clinic"), round_)
    seat.hear()
    assert site.browser("clinic").post(f"/api/v1/rounds/{round_['id']}/close", json={}).status == 403
    assert site.browser("coordinator").post(f"/api/v1/rounds/{round_['id']}/close", json={}).json()["status"] == "closed"
    assert seat.hear_until("closed")
    assert site.browser("clinic").post(f"/api/v1/rounds/{round_['id']}/join", json={}).status == 409
    seat.leave()


def test_the_calendar_entry_names_no_patient(site, round_):
    answer = site.browser("clinic").get(f"/api/v1/rounds/{round_['id']}.ics")
    text = answer.body.decode().replace("\r\n ", "")
    assert answer.headers["Content-Type"].startswith("text/calendar")
    assert "SUMMARY:疑难 CT\\, 会诊\\; 第一次" in text
    assert "王小东" not in text
    assert all(len(line) <= 75 for line in answer.body.split(b"\r\n"))


def present(site, round_):
    shown = site.browser("coordinator").get(f"/api/v1/rounds/{round_['id']}").json()
    return [one["name"] for one in shown["participants"] if one["left_at"] is None]


def test_a_request_that_opens_no_socket_takes_no_chair(site, round_):
    assert site.browser("clinic").get(f"/api/v1/rounds/{round_['id']}/signal").status == 400
    assert present(site, round_) == []


def test_an_offer_that_was_refused_is_no_picture_to_watch(site, round_):
    clinic = Seat(site, site.browser("clinic"), round_)
    clinic.hear()
    clinic.say(type="publish", sdp="v=0")
    assert clinic.hear()["type"] == "refused"
    other = Seat(site, site.browser("coordinator"), round_)
    assert [one["publishing"] for one in other.hear()["participants"]] == [False]
    for seat in (clinic, other):
        seat.leave()


def test_who_comes_back_by_another_socket_is_there_whatever_becomes_of_the_first(site, round_):
    browser = site.browser("clinic")
    first = Seat(site, browser, round_)
    first.hear()
    second = Seat(site, browser, round_)
    second.hear()
    first.say(type="point", pointer=None)
    assert first.close_code() == 1000  # what it says counts no more
    assert present(site, round_) == [site.people["clinic"].name]
    other = Seat(site, site.browser("coordinator"), round_)
    assert [one["name"] for one in other.hear()["participants"]] == [site.people["clinic"].name]
    for seat in (second, other):
        seat.leave()


def test_who_leaves_while_the_database_is_away_is_written_down_as_gone(site, round_, caplog):
    seat = Seat(site, site.browser("clinic"), round_)
    seat.hear()
    with full_disk():
        seat.leave()
        until(lambda: "written down later" in caplog.text)
    until(lambda: present(site, round_) == [])
