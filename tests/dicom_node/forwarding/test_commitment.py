"""What is forwarded is done once its destination has committed to keep it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from sqlalchemy import delete, func, select
from support import orthanc
from support.destinations import free_port, storescp
from support.server import until

from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.tables import instance_table
from dicom_node.forwarding.queue import MOST_REFUSALS
from dicom_node.forwarding.sending import Forwarding
from dicom_node.node import DicomNode
from dicom_node.services.commitment_request import PUSH_MODEL, PUSH_MODEL_INSTANCE, Report, Reports
from dicom_node.services.status import SUCCESS
from dicom_node.services.storage_commitment import Commitments, Committing
from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.database import Database, metadata
from telemed.kernel.events import EventLog

LOOPBACK = (ip_network("127.0.0.0/8"),)


def node_of(archive, calling, *services, aet, port=0):
    """A node that *calling* may come to."""
    access = Access(KnownPeers([KnownPeer(calling, LOOPBACK, "county")]), aet)
    node = DicomNode(archive, access, aet=aet, host="127.0.0.1", port=port, services=services)
    node.start()
    return node


@pytest.fixture
def second(tmp_path, clock):
    """The database of another server of ours."""
    database = Database(f"sqlite:///{tmp_path}/second.sqlite")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def destination(second, node, tmp_path, clock):
    """Another server of ours, the peer DEST of the first, which is to commit to everything that it gets."""
    chronicle = Chronicle(clock, EventLog(second, clock), AuditTrail(clock))
    archive = Archive(second, chronicle, Blobs(tmp_path / "second"))
    held = node_of(archive, "TELEMED", Committing(Commitments(second, chronicle, archive, aet="DEST")), aet="DEST")
    node.forward_to("DEST", held.address[1], commits=True)
    yield held
    held.stop(1)


def state(node):
    found = node.destination()
    return found.sent, found.waiting, found.given_up


def test_an_object_leaves_the_queue_when_its_destination_has_committed_to_it(node, destination):
    node.put("1.1", "1.2", "1.3")
    node.worker.take()
    assert node.worker.send("DEST") == 3
    assert state(node) == (0, 3, 0)
    assert "not committed" in node.destination().error
    node.worker.send("DEST")
    assert state(node) == (3, 0, 0)
    assert node.destination().error == ""


def test_what_is_not_committed_to_is_sent_again(node, destination, second):
    node.put("1.1", "1.2")
    node.worker.take()
    node.worker.send("DEST")
    with second.transaction() as db:
        db.execute(delete(instance_table).where(instance_table.c.sop_instance_uid == "1.2"))
    node.worker.send("DEST")
    assert state(node) == (1, 1, 0)
    assert "failure reason 0112" in node.destination().error
    node.clock.pass_(minutes=1)
    assert node.worker.send("DEST") == 1
    node.worker.send("DEST")
    assert state(node) == (2, 0, 0)
    with second.reading() as db:
        assert db.scalar(select(func.count()).select_from(instance_table)) == 2


def test_orthanc_commits_on_an_association_of_its_own(node, tmp_path):
    port = free_port()
    ours = node_of(node.archive, "ORTHANC", Committing(None, reports=Reports(node.worker.told)), aet="TELEMED", port=port)
    modalities = {"telemed": ["TELEMED", "127.0.0.1", port]}
    try:
        with orthanc.running(tmp_path / "orthanc", modalities=modalities, servers={}) as peer:
            node.forward_to("ORTHANC", peer.port, commits=True)
            node.put("1.1", "1.2")
            node.worker.take()
            assert node.worker.send("ORTHANC") == 2
            node.worker.send("ORTHANC")
            until(lambda: node.destination("ORTHANC").sent == 2, 20)
            assert node.destination("ORTHANC").waiting == 0
    finally:
        ours.stop(1)


class Silent:
    """Takes requests for storage commitment, and never reports."""

    sop_classes = (PUSH_MODEL,)

    def answer(self, exchange):
        exchange.answer(SUCCESS, fields={"AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE, "ActionTypeID": 1})


def test_a_destination_that_never_commits_is_asked_again_and_given_up_in_the_end(node, tmp_path):
    archive = Archive(node.database, node.chronicle, Blobs(tmp_path / "silent"))
    silent = node_of(archive, "TELEMED", Silent(), aet="DEST")
    worker = Forwarding(node.database, node.chronicle, node.archive, aet="TELEMED", report_s=0.01)
    try:
        node.forward_to("DEST", silent.address[1], commits=True)
        node.put("1.1")
        worker.take()
        assert worker.send("DEST") == 1
        for _ in range(MOST_REFUSALS):
            assert state(node) == (0, 1, 0)
            assert worker.send("DEST") == 1
            assert worker.send("DEST") == 0  # not at once
            node.clock.pass_(minutes=11)
        assert state(node) == (0, 0, 1)
    finally:
        silent.stop(1)


def test_a_destination_without_storage_commitment_gets_what_else_comes_and_says_why(node, tmp_path, clock):
    port = free_port()
    node.forward_to("DEST", port, commits=True)
    node.put("1.1")
    node.worker.take()
    with storescp(tmp_path / "received", port):
        assert node.worker.send("DEST") == 1
        assert node.worker.send("DEST") == 1  # asked
        assert node.worker.send("DEST") == 0  # left in peace
        node.put("1.2")
        node.worker.take()
        assert node.worker.send("DEST") == 1
        assert state(node) == (0, 2, 0)
        assert "has not" in node.destination().error
        for _ in range(MOST_REFUSALS):
            clock.pass_(seconds=3600)
            node.worker.send("DEST")
    assert state(node) == (0, 0, 2)


def test_nobody_else_reports_for_a_destination(node, destination):
    node.put("1.1")
    node.worker.take()
    node.worker.send("DEST")
    assert not node.worker.told(Report("OTHER", frozenset({"1.1"}), {}))
    assert state(node) == (0, 1, 0)
