"""Associations that only ask, on a bare socket: what no toolkit would send, and what must be answered all the same."""

import socket
import struct
import time

import pytest
from conformance.raw_scu import ABORT, ASSOCIATE_AC, COMMAND, IMPLICIT, LAST, P_DATA, RELEASE_RQ, associate_rq, pdu, pdv
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import until

from dicom_node.services.exchange import Caller
from dicom_node.services.query_retrieve import STUDY_ROOT_FIND
from dicom_node.upper_layer import link, questions
from dicom_node.upper_layer.link import Message
from dicom_node.upper_layer.messages import C_CANCEL_RQ, C_FIND_RQ, Command, Malformed, answer_to, p_data, parse_command
from dicom_node.upper_layer.negotiation import Proposal

VERIFICATION = "1.2.840.10008.1.1"
RELEASE_RP, REJECTED = 0x06, 0x03


def element(group, number, value):
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", group, number, len(value)) + value


def command(field, *, sop_class=STUDY_ROOT_FIND, message_id=1, with_data=True):
    values = element(0, 0x0002, sop_class.encode()) + element(0, 0x0100, struct.pack("<H", field))
    values += element(0, 0x0120 if field == C_CANCEL_RQ else 0x0110, struct.pack("<H", message_id))
    values += element(0, 0x0800, struct.pack("<H", 1 if with_data else 0x0101))
    return element(0, 0, struct.pack("<I", len(values))) + values


#: Every study, its UID.
EVERYTHING = element(0x0008, 0x0052, b"STUDY ") + element(0x0020, 0x000D, b"")


class Asking:
    """An association that proposes the Study Root's C-FIND alone."""

    def __init__(self, node, *, calling="CT1", sop_class=STUDY_ROOT_FIND):
        self.socket = socket.create_connection(node.address, timeout=20)
        self.socket.sendall(pdu(0x01, associate_rq("TELEMED", calling, sop_class, IMPLICIT)))
        self.answer = self.receive()[0]

    def receive(self):
        head = self._exactly(6)
        return (head[0], self._exactly(int.from_bytes(head[2:6], "big"))) if head else (0, b"")

    def _exactly(self, count):
        received = b""
        while len(received) < count:
            try:
                some = self.socket.recv(count - len(received))
            except ConnectionResetError:
                some = b""
            if not some:
                return b""
            received += some
        return received

    def send(self, *items):
        self.socket.sendall(pdu(P_DATA, b"".join(items)))

    def statuses(self):
        """Return the statuses of the responses, to the last of a request."""
        found = [0xFF00]
        while found[-1] in (0xFF00, 0xFF01):
            kind, content = self.receive()
            assert kind == P_DATA
            found.append(parsed_status(content))
        return found[1:]


@pytest.fixture
def asking(node):
    """Return a function that opens such associations; they are closed at the end."""
    opened = []

    def asking(**how):
        opened.append(Asking(node, **how))
        return opened[-1]

    yield asking
    for one in opened:
        one.socket.close()


def parsed_status(content):
    length = int.from_bytes(content[:4], "big")
    at = content.index(element(0, 0x0900, b"\0\0")[:8], 6, 4 + length)
    return struct.unpack_from("<H", content, at + 8)[0]


def test_one_association_asks_again_and_again_and_echoes(put, node, asking):
    put()
    client = asking()
    assert client.answer == ASSOCIATE_AC
    for number in (1, 2, 3):
        client.send(pdv(command(C_FIND_RQ, message_id=number), COMMAND | LAST), pdv(EVERYTHING, LAST))
        assert client.statuses() == [0xFF00, 0x0000]
    client.send(pdv(command(0x0030, sop_class=VERIFICATION, with_data=False), COMMAND | LAST))
    assert client.statuses() == [0x0000]
    client.socket.sendall(pdu(RELEASE_RQ, bytes(4)))
    assert client.receive()[0] == RELEASE_RP
    assert client.receive()[0] == 0
    assert until(lambda: node._questions.associations == 0, 5)


def test_a_request_in_the_smallest_pieces_is_answered(put, asking):
    put()
    client = asking()
    for control, content in ((COMMAND, command(C_FIND_RQ)), (0, EVERYTHING)):
        for at in range(len(content)):
            client.send(pdv(content[at : at + 1], control | (LAST if at + 1 == len(content) else 0)))
    assert client.statuses() == [0xFF00, 0x0000]


def test_a_class_that_nobody_answers_and_one_that_was_not_agreed(asking):
    client = asking()
    client.send(pdv(command(C_FIND_RQ, sop_class="1.2.3"), COMMAND | LAST), pdv(EVERYTHING, LAST))
    assert client.statuses() == [0x0122]
    client.send(pdv(command(0x0001), COMMAND | LAST))
    assert client.receive()[0] == ABORT


def test_a_stranger_is_rejected(asking):
    assert asking(calling="STRANGER").answer == REJECTED


@pytest.mark.parametrize(
    "sent",
    [
        pdu(P_DATA, b"", length=1 << 30),
        pdu(P_DATA, pdv(b"x", LAST)),
        pdu(P_DATA, pdv(b"x", COMMAND | LAST)),
        pdu(P_DATA, pdv(b"x", COMMAND, length=99)),
        pdu(P_DATA, b"\0\0\0\3\5\3xx"),
        pdu(0x99, b"x" * 10),
    ],
    ids=["long", "data first", "no command", "long item", "other context", "no such PDU"],
)
def test_who_breaks_the_protocol_is_hung_up_on(node, asking, sent):
    client = asking()
    client.socket.sendall(sent)
    assert client.receive()[0] == ABORT
    assert until(lambda: node._questions.associations == 0, 5)


def test_a_message_without_end_is_not_kept(node, asking):
    client = asking()
    client.send(pdv(command(C_FIND_RQ), COMMAND | LAST))
    piece = pdu(P_DATA, pdv(bytes(1 << 19), 0))
    kind = 0
    for _ in range(8):
        try:
            client.socket.sendall(piece)
        except OSError:
            break
    kind, _ = client.receive()
    assert kind in (ABORT, 0)
    assert until(lambda: node._questions.associations == 0, 5)


def test_who_does_not_read_is_left(node, asking, many_studies, monkeypatch):
    monkeypatch.setattr(link, "_SECONDS_WITHOUT_READING", 0.5)
    many_studies(5_000)
    client = asking()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    identifier = element(0x0008, 0x0052, b"STUDY ") + element(0x0010, 0x0010, b"") + element(0x0020, 0x000D, b"")
    for number in range(1, 40):  # each of some hundred thousand bytes, of which the sockets keep only a part
        client.socket.settimeout(0.2)
        try:
            client.send(pdv(command(C_FIND_RQ, message_id=number), COMMAND | LAST), pdv(identifier, LAST))
        except OSError:
            break
    assert until(lambda: node._questions.associations == 0, 20)


def test_the_longest_silent_gives_way_when_all_places_are_taken(node, asking, monkeypatch):
    monkeypatch.setattr(questions, "_LAG_S", 0.2)
    node._questions._most = 3
    waiting = [asking() for _ in range(3)]
    assert asking().answer == REJECTED
    time.sleep(0.3)
    assert asking().answer == ASSOCIATE_AC
    assert waiting[0].receive()[0] == 0
    assert node._questions.associations == 3


def test_an_answer_is_cut_to_what_the_peer_takes():
    request = Command(C_FIND_RQ, b"\1\0", STUDY_ROOT_FIND.encode(), b"")
    answer, data_set = answer_to(request, 0xFF00, with_data=True), bytes(range(250)) * 4
    whole = p_data(1, answer, data_set)
    assert whole[6:] == pdv(answer, COMMAND | LAST) + pdv(data_set, LAST)
    parts = p_data(1, answer, data_set, 100)
    at, complete = 0, []
    while at < len(parts):
        length = int.from_bytes(parts[at + 2 : at + 6], "big")
        assert length <= 100
        content = parts[at + 6 : at + 6 + length]
        complete.append((content[5], content[6:]))
        at += 6 + length
    assert b"".join(content for control, content in complete if control & COMMAND) == answer
    assert b"".join(content for control, content in complete if not control & COMMAND) == data_set
    assert [control for control, _ in complete if control & LAST] == [COMMAND | LAST, LAST]


def test_a_cancel_names_the_request_that_is_to_end():
    cancel = parse_command(command(C_CANCEL_RQ, message_id=7, with_data=False))
    assert (cancel.field, cancel.message_id) == (C_CANCEL_RQ, b"\7\0")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5), st.data())
def test_no_bytes_make_a_message_anything_but_whole_unfinished_or_malformed(pdus, data):
    good = pdv(command(C_FIND_RQ), COMMAND | LAST) + pdv(EVERYTHING, LAST)
    at = data.draw(st.integers(0, len(good)))
    message = Message()
    try:
        for content in [good[:at] + b"".join(pdus), *pdus]:
            if message.is_whole_with(content, {1: IMPLICIT}):
                assert message.command.field
                break
    except Malformed:
        pass


def test_an_association_that_no_thread_can_serve_takes_no_place(node):
    asked = node._questions
    asked.stop(0)
    here, there = socket.socketpair()
    with here, there:
        proposal = Proposal("CT1", "TELEMED", b"", {1: IMPLICIT}, asks=True)
        with pytest.raises(RuntimeError):
            asked.take(here, Caller("CT1", "127.0.0.1", "lianhua"), proposal)
        assert asked.associations == 0
        assert here.fileno() < 0
