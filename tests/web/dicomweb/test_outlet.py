"""Stored files on their way into an answer, to readers of every kind."""

from __future__ import annotations

import io
import logging
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from urllib.parse import urlsplit

import aiohttp
import pydicom
import pytest

from dicom_node.archive.archive import Stored
from web import deadlines

from .conftest import FILES, Service, path_of

#: More than the two ends of a connection hold between them.
PIXELS = bytes((24 << 20) - 1) + b"\1"


def large(service: Service) -> tuple[Stored, bytes]:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.add_new("PixelData", "OW", PIXELS)
    data_set.Rows, data_set.Columns = 3 << 10, 4 << 10
    data_set.save_as(buffer := io.BytesIO())
    return service.keep_bytes(buffer.getvalue()), buffer.getvalue()


@contextmanager
def asking(service: Service, *paths: str, accept: Sequence[str] = ("*/*",)) -> Iterator[socket.socket]:
    """Ask for each of *paths* in turn over one connection, which takes little until it is read from."""
    at = urlsplit(service.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        connection.settimeout(60)
        connection.connect((at.hostname, at.port))
        for path, media in zip(paths, cycle(accept), strict=False):
            head = f"GET {at.path}{path} HTTP/1.1\r\nHost: here\r\nX-Test-Person: nurse\r\nAccept: {media}\r\n\r\n"
            connection.sendall(head.encode())
        yield connection


def answer_on(stream: io.BufferedReader) -> tuple[bytes, bytes]:
    head = b"".join(iter(stream.readline, b"\r\n"))
    length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
    return head, stream.read(length)


def test_a_slow_reader_gets_the_whole(service):
    stored, data = large(service)
    with asking(service, path_of(stored)) as connection, connection.makefile("rb") as stream:
        head, body = answer_on(stream)
    boundary = head.partition(b'boundary="')[2].partition(b'"')[0]
    assert head.startswith(b"HTTP/1.1 200")
    assert body.partition(b"\r\n\r\n")[2] == data + b"\r\n--" + boundary + b"--\r\n"


def test_answers_that_are_asked_for_at_once_come_one_after_the_other(service):
    stored, data = large(service)
    asked, accept = [f"{path_of(stored)}/frames/1", path_of(stored)] * 2, ["application/octet-stream", "*/*"]
    with asking(service, *asked, accept=accept) as connection, connection.makefile("rb") as stream:
        for _ in range(2):
            assert answer_on(stream)[1] == PIXELS
            assert data in answer_on(stream)[1]


def test_readers_who_do_not_read_keep_no_thread(service):
    stored, data = large(service)
    with ExitStack() as waiting:
        for _ in range(8):  # twice as many as there are threads
            assert waiting.enter_context(asking(service, path_of(stored))).recv(1) == b"H"
        assert data in service.get(path_of(stored)).body
    assert service.get(f"{path_of(stored)}/metadata").status == 200


def test_who_takes_nothing_is_left_after_a_while_and_is_no_failure_of_ours(service, monkeypatch, caplog):
    monkeypatch.setattr(deadlines, "TAKES_WITHIN_S", 1)
    stored, data = large(service)
    with asking(service, path_of(stored)) as connection:
        time.sleep(4)
        with pytest.raises(ConnectionError):
            b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]
    assert data in service.get(path_of(stored)).body


def test_a_file_that_is_shorter_than_it_was_ends_the_connection(service):
    stored, data = large(service)
    file = service.archive.file(service.clinic, stored.sop_instance_uid)
    file.chmod(0o644)
    file.write_bytes(data[:-100])
    with pytest.raises(aiohttp.ClientPayloadError):
        service.get(path_of(stored))
