"""Channels, tried out on a receiver of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from consult.delivery.channels import Gateways, send
from consult.delivery.model import Channel, ChannelKind, Message
from consult.reports.model import ReportStatus

API = "/api/v1"


class Robot(HTTPServer):
    """A chat robot: it keeps what it is told, and answers what the test wants."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Hearing)
        self.heard, self.answer, self.status = [], b'{"errcode": 0, "code": 0}', 200
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/robot?key=1"


class Hearing(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), json.loads(body), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def robot():
    with Robot() as robot:
        yield robot
        robot.shutdown()


def add(site, robot, kind, **terms):
    body = {"institution": site.clinic, "kind": kind, "address": robot.url, "label": "值班群"} | terms
    answer = site.browser("admin").post(f"{API}/delivery/channels", json=body)
    assert answer.status == 201, answer.body
    return answer.json()["id"]


def tried(site, id_):
    return site.browser("admin").post(f"{API}/delivery/channels/{id_}/try")


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu", "webhook"])
def test_a_test_message_arrives_in_the_makers_own_form(site, robot, kind):
    assert tried(site, add(site, robot, kind, secret="SEC1")).status == 204
    [(path, headers, body, raw)] = robot.heard
    text = body.get("text", body.get("content"))
    assert "测试" in (text if isinstance(text, str) else text.get("content", text.get("text")))
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
    if kind == "dingtalk":
        said = f"{query['timestamp'][0]}\nSEC1".encode()
        assert query["sign"] == [base64.b64encode(hmac.new(b"SEC1", said, hashlib.sha256).digest()).decode()]
    if kind == "feishu":
        key = f"{body['timestamp']}\nSEC1".encode()
        assert body["sign"] == base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    if kind == "webhook":
        assert headers["X-Telemed-Signature"] == "sha256=" + hmac.new(b"SEC1", raw, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (ChannelKind.WECOM, lambda body: body["text"].get("mentioned_list") == ["@all"]),
        (ChannelKind.DINGTALK, lambda body: body["at"]["isAtAll"]),
        (ChannelKind.FEISHU, lambda body: '<at user_id="all"></at>' in body["content"]["text"]),
    ],
)
def test_a_critical_value_calls_everybody_in_the_group_and_an_ordinary_report_nobody(robot, clock, kind, calls):
    for critical in (True, False):
        channel = Channel("1", "2", kind, robot.url, "", "", critical_only=False)
        send(
            channel,
            Message("莲花乡卫生院", critical, ReportStatus.FINAL, report_id="3", signed_at=clock.now()),
            Gateways(),
            clock.now(),
        )
    assert [calls(body) for _, _, body, _ in robot.heard] == [True, False]


@pytest.mark.parametrize(("status", "answer"), [(200, b'{"errcode": 310000}'), (500, b""), (200, b"<html>"), (302, b"")])
def test_what_the_robot_does_not_take_is_said(site, robot, status, answer):
    robot.status, robot.answer = status, answer
    told = tried(site, add(site, robot, "wecom"))
    assert (told.status, told.json()["code"]) == (503, "channel")
    assert len(robot.heard) == 1


@pytest.mark.parametrize("address", ["http://[::1/", "http://host:port/", f"http://{'a' * 70}/"])
def test_an_address_that_leads_nowhere_is_said(site, robot, address):
    told = tried(site, add(site, robot, "webhook", address=address))
    assert (told.status, "address cannot be used" in told.json()["detail"]) == (503, True)


def test_channels_are_the_administrators_and_their_secret_stays_here(site, robot):
    id_ = add(site, robot, "feishu", secret="SEC1")
    listed = site.browser("admin").get(f"{API}/delivery/channels")
    assert [(one["id"], one["signed"]) for one in listed.json()["items"]] == [(id_, True)]
    assert b"SEC1" not in listed.body
    assert site.browser("clinic").get(f"{API}/delivery/channels").status == 403
    assert site.browser("admin").request("DELETE", f"{API}/delivery/channels/{id_}").status == 204
    assert tried(site, id_).status == 404


def test_an_email_channel_without_a_mail_server_says_so(site, robot):
    told = tried(site, add(site, robot, "email", address="duty@clinic.example"))
    assert (told.status, "smtp" in told.json()["detail"]) == (503, True)
