import socket
import struct
import threading
import time
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.presentation import build_context
from support import dcmtk

from dicom_node.services import exchange
from dicom_node.services.identifier import MAXIMUM_BYTES
from dicom_node.services.query_retrieve import STUDY_ROOT_FIND, STUDY_ROOT_MOVE

NESTED = struct.pack("<HH2sHI", 0x0040, 0x0100, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


def asked_with(node, data):
    """Send a C-FIND whose identifier is *data*, and return the final status."""
    context = build_context(STUDY_ROOT_FIND, "1.2.840.10008.1.2.1")
    association = AE("CT1").associate(*node.address, contexts=[context], ae_title="TELEMED")
    request = C_FIND()
    request.MessageID, request.AffectedSOPClassUID, request.Priority = 1, STUDY_ROOT_FIND, 2
    request.Identifier = BytesIO(data)
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    return response.Status


@pytest.mark.parametrize(
    "data",
    [
        NESTED * 20_000,
        b"\xff" * 200,
        struct.pack("<HH2sH", 0x0008, 0x0052, b"CS", 60_000) + b"STUDY",
        struct.pack("<HH2sH", 0x0008, 0x0052, b"CS", 6) + b"STUDY " + b"\0" * MAXIMUM_BYTES,
    ],
    ids=["nested", "noise", "truncated", "huge"],
)
def test_an_identifier_made_to_do_harm_is_refused_and_the_node_goes_on(node, data):
    began = time.monotonic()
    assert asked_with(node, data) == 0xA900
    assert time.monotonic() - began < 5
    assert dcmtk.run("echoscu", "-aet", "CT1", "-aec", "TELEMED", *node.address).returncode == 0


def test_termscu_ends_nothing(node):
    dcmtk.run("termscu", "-aet", "CT1", "-aec", "TELEMED", *node.address, timeout=30)
    assert dcmtk.run("echoscu", "-aet", "CT1", "-aec", "TELEMED", *node.address).returncode == 0


def test_a_service_that_took_longer_than_the_network_timeout_does_not_end_the_association(put, node, known):
    """The peer was not idle: it was being answered."""
    for number in range(10):
        put(f"1.{number}", study="1")

    def slowly(_event):
        time.sleep(0.1)
        return 0x0000

    sink = AE("SLOW")
    sink.add_supported_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    server = sink.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, slowly)])
    known("SLOW", server.server_address[1])
    node._server.ae.network_timeout = 0.5
    contexts = [build_context(STUDY_ROOT_MOVE), build_context("1.2.840.10008.1.1")]
    association = AE("CT1").associate(*node.address, contexts=contexts, ae_title="TELEMED")
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1"
    statuses = [status.Status for status, _ in association.send_c_move(identifier, "SLOW", STUDY_ROOT_MOVE)]
    assert (statuses[-1], len(statuses)) == (0x0000, 10)
    assert association.send_c_echo().Status == 0
    association.release()
    server.shutdown()


@pytest.fixture
def unread(node, many_studies):
    """A query of a thousand studies whose answers nobody reads: the node's association, and the peer's socket."""
    many_studies(1000)
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in ("PatientName", "PatientID", "StudyDescription", "ReferringPhysicianName", "StudyInstanceUID"):
        setattr(identifier, keyword, "")
    contexts = [build_context(STUDY_ROOT_FIND), build_context(STUDY_ROOT_MOVE)]  # more than questions: pynetdicom serves it
    association = AE("CT1").associate(*node.address, contexts=contexts, ae_title="TELEMED")
    [served] = node._server.active_associations
    connection = association.dul.socket.socket
    for end, buffer in ((connection, socket.SO_RCVBUF), (served.dul.socket.socket, socket.SO_SNDBUF)):
        end.setsockopt(socket.SOL_SOCKET, buffer, 4096)
    reading = threading.Event()
    association.dul.socket.recv = lambda _count: reading.wait(10) and b""
    answers = association.send_c_find(identifier, STUDY_ROOT_FIND)
    yield served, connection
    del answers
    reading.set()


def test_a_peer_that_does_not_read_its_answers_is_waited_for_and_then_left(unread, monkeypatch):
    """The answers of a query are not piled up in memory for it."""
    monkeypatch.setattr(exchange, "_SECONDS_WITHOUT_READING", 1.0)
    served, _ = unread
    most = 0
    deadline = time.monotonic() + 15
    while served.is_established and time.monotonic() < deadline:
        most = max(most, served.dul.to_provider_queue.qsize())
        time.sleep(0.01)
    assert not served.is_established
    assert 0 < most <= exchange._MOST_WAITING + 3


def test_a_peer_that_goes_while_it_is_waited_for_is_not_waited_for_any_longer(unread):
    served, connection = unread
    deadline = time.monotonic() + 5
    while served.dul.to_provider_queue.qsize() <= exchange._MOST_WAITING and time.monotonic() < deadline:
        time.sleep(0.01)
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    served.join(5)
    assert not served.is_alive()
