"""A receiving process before a main process that is the test: what it is told is wrong, and what it needs is not there."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conformance.raw_scu import ASSOCIATE_RQ, CT_IMAGE, EXPLICIT, associate_rq, pdu
from support.limits import limited

from dicom_node.archive.arrivals import Tally
from dicom_node.upper_layer.channel import Channel, Kind

REQUEST = pdu(ASSOCIATE_RQ, associate_rq("TELEMED", "CT1", CT_IMAGE, EXPLICIT))
ACCEPTED = {"institution": "lianhua", "source": "CT1", "contexts": {1: EXPLICIT}}


class Reception:
    """The process, and the channel to it."""

    def __init__(self, folder: Path) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        ours, theirs = socket.socketpair()
        tally = Tally()
        settings = {
            "folder": str(folder), "name": "r", "listener": self.listener.fileno(), "channel": theirs.fileno(),
            "tally": tally.descriptor, "maximum_object_bytes": 1 << 30, "segment_bytes": 1 << 20, "segments": 2,
        }  # fmt: skip
        command = [sys.executable, "-m", "dicom_node.upper_layer.reception", json.dumps(settings)]
        descriptors = (settings["listener"], settings["channel"], tally.descriptor)
        self.process = subprocess.Popen(command, pass_fds=descriptors)
        theirs.close()
        ours.settimeout(60)
        self.channel = Channel(ours)
        self._said = self.channel.receive()
        self.hear(Kind.READY)

    def hear(self, wanted):
        """Return what it says of that kind; lines for the log are passed over."""
        for kind, head, _, connection in self._said:
            if connection is not None:
                connection.close()
            if kind is not Kind.LOGGED:
                assert kind is wanted, (kind, head)
                return head
        raise AssertionError("the process is gone")

    def call(self):
        """Ask for an association; return the caller's end and its number."""
        caller = socket.create_connection(self.listener.getsockname(), timeout=60)
        caller.sendall(REQUEST)
        return caller, self.hear(Kind.ASKED)["number"]

    def is_answering(self):
        caller, number = self.call()
        with caller:
            self.channel.send(Kind.REJECTED, {"number": number}, b"no")
            return caller.recv(10) == b"no"

    def close(self):
        self.channel.close()
        self.process.wait(60)
        self.listener.close()


@pytest.fixture
def reception(tmp_path):
    reception = Reception(tmp_path)
    yield reception
    reception.process.kill()
    reception.close()


def test_an_answer_that_comes_twice_changes_nothing(reception):
    caller, number = reception.call()
    with caller:
        for kind in (Kind.HANDED_OVER, Kind.REJECTED):
            reception.channel.send(kind, {"number": number}, b"")
        assert reception.is_answering()


def test_an_association_whose_connection_was_lost_on_the_way_gives_its_place_back(reception):
    reception.channel.send(Kind.ACCEPTED, {"number": 7, **ACCEPTED}, b"")
    assert reception.hear(Kind.ENDED) == {"number": 7}
    assert reception.is_answering()


@pytest.mark.parametrize("left", [0, 2 << 20, 3 << 20])
def test_an_association_for_which_there_is_no_memory_gives_its_place_back(reception, left):
    ours, theirs = socket.socketpair()
    status = Path(f"/proc/{reception.process.pid}/status").read_text(encoding="ascii")
    size = int(re.search(r"VmSize:\s+(\d+)", status)[1]) << 10
    with ours, limited(resource.RLIMIT_AS, size + left, reception.process.pid):
        with theirs:
            reception.channel.send(Kind.ACCEPTED, {"number": 7, **ACCEPTED}, b"", theirs)
        assert reception.hear(Kind.ENDED) == {"number": 7}
        ours.settimeout(60)
        assert ours.recv(10) == b""
    assert reception.is_answering()


def test_who_cannot_do_what_it_is_told_ends_and_leaves_nobody_waiting(reception):
    reception.channel.send(Kind.FREED, {"segment": "of somebody else"})
    assert reception.process.wait(60) == 0
