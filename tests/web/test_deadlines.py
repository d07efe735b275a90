"""Connections that do nothing are ended; slow ones that do something are not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from support.objects import an_image
from support.site import Site

from web import application, deadlines

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.hea"\r\n\r\na 1 500 10\r\n\r\n'
    b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n61\r\n--x--\r\n'
)
RECORDINGS = "/api/v1/recordings"
UPLOADS = pytest.mark.parametrize(
    ("path", "media", "whole"),
    [
        ("/dicom-web/studies", "application/dicom", an_image()),
        (RECORDINGS, "multipart/form-data; boundary=x", FORM),
        (RECORDINGS, "application/octet-stream", b"0.1,0.2\n" * 100),
    ],
    ids=("STOW-RS", "form", "file"),
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch) -> None:
    """Wait a second or two where a minute and more would be waited."""
    monkeypatch.setattr(application, "ASKS_WITHIN_S", 1)
    monkeypatch.setattr(deadlines, "TAKES_WITHIN_S", 1)
    monkeypatch.setattr(deadlines, "PIECE_WITHIN_S", 2)


def connected(site: Site) -> socket.socket:
    at = urlsplit(site.url)
    return socket.create_connection((at.hostname, at.port), 20)


def ends(connection: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def drip(connection: socket.socket) -> None:
    """One more header every 100 ms, for as long as they are taken but not for ever."""
    for _ in range(200):
        connection.sendall(b"X-One: more\r\n")
        time.sleep(0.1)


def test_who_does_not_ask_is_not_waited_for(site):
    silent, begun, done = (connected(site) for _ in range(3))
    begun.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    done.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    with silent, begun, done:
        assert (ends(silent), ends(begun)) == (b"", b"")
        assert ends(done).startswith(b"HTTP/1.1 200")


def test_who_drips_a_question_is_not_waited_for(site):
    with connected(site) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(ConnectionError):
            drip(connection)


async def paced(whole: bytes, pause: float) -> AsyncIterator[bytes]:
    """*whole* in ten pieces, with a pause after each."""
    step = -(-len(whole) // 10)
    for at in range(0, len(whole), step):
        yield whole[at : at + step]
        await asyncio.sleep(pause)


@UPLOADS
def test_an_upload_that_comes_slowly_is_as_good_as_one_that_comes_at_once(site, path, media, whole):
    clinic = site.browser("clinic")
    at_once, slowly = (clinic.post(path, data=paced(whole, pause), headers={"Content-Type": media}) for pause in (0, 0.3))
    assert (at_once.status, at_once.json().get("code")) == (slowly.status, slowly.json().get("code"))
    assert at_once.status != 408


@UPLOADS
def test_an_upload_that_stops_is_not_waited_for(site, path, media, whole):
    answer = site.browser("clinic").post(path, data=paced(whole, 20), headers={"Content-Type": media})
    assert (answer.status, answer.json()["code"]) == (408, "request-timeout")
    assert answer.json()["detail"] == "the content took too long to arrive"


def test_who_takes_nothing_of_an_answer_is_not_waited_for(site):
    (site.folder / "static" / "assets").mkdir(parents=True)
    (site.folder / "static" / "assets" / "film.bin").write_bytes(bytes(32 << 20))
    with connected(site) as connection:
        connection.sendall(b"GET /assets/film.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(4)
        with pytest.raises(ConnectionError):
            ends(connection)
