import os
import re
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from dicom_node import peers
from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.matching import Query
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.search import search_instances
from dicom_node.archive.tables import study_table
from dicom_node.node import DicomNode
from dicom_node.peers import Peer
from dicom_node.upper_layer.lobby import SECONDS_TO_ASK
from telemed.kernel.database import Database, metadata
from telemed.kernel.errors import Unavailable

# Inside a virtual environment that has pynetdicom, the bare names are pynetdicom's own programs.
STORESCU, ECHOSCU = "/usr/bin/storescu", "/usr/bin/echoscu"
LOOPBACK = (ip_network("127.0.0.0/8"),)
KNOWN = KnownPeers([KnownPeer("CT1", LOOPBACK, "lianhua"), KnownPeer("US1", LOOPBACK, "hehua")])
FILES = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "waveform_ecg.dcm", "MR_small_RLE.dcm", "rtplan.dcm",
    "image_dfl.dcm", "SC_rgb_jpeg_gdcm.dcm", "ExplVR_BigEnd.dcm", "liver_1frame.dcm",
    "examples_overlay.dcm", "test-SR.dcm",
]  # fmt: skip


def path_of(name):
    return Path(pydicom.__file__).parent / "data" / "test_files" / name  # only what the package brings: nothing is fetched


def data_set_of(file):
    data = memoryview(file)
    return bytes(data[read_preface(data).length :])


@pytest.fixture
def database(tmp_path):
    """The kind of database makes no difference here: test_archive asks both."""
    database = Database(f"sqlite:///{tmp_path}/telemed.sqlite")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


@pytest.fixture
def node(archive):
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0)
    node.start()
    yield node
    node.stop(1)


def program(path, node, *arguments, calling="CT1", called="TELEMED"):
    host, port = node.address
    command = [path, "-aet", calling, "-aec", called, *arguments[:-1], host, str(port), *filter(None, arguments[-1:])]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "TCP_NODELAY": "1"}
    )


def peer_of(node):
    return Peer("TELEMED", *node.address)


def kept(database, institution="lianhua"):
    with database.reading() as db:
        return search_instances(db, study_table.c.institution == institution, Query(limit=None))


def test_dcmtk_asks_whether_we_are_there(node):
    assert program(ECHOSCU, node, "").returncode == 0


def test_an_unknown_or_misaddressed_caller_is_rejected_with_its_reason(node, archive, database):
    stranger = program(STORESCU, node, "-v", str(path_of("CT_small.dcm")), calling="STRANGER")
    assert stranger.returncode != 0
    assert "Calling AE Title Not Recognized" in stranger.stdout + stranger.stderr
    misaddressed = program(ECHOSCU, node, "-v", "", called="ORTHANC")
    assert "Called AE Title Not Recognized" in misaddressed.stdout + misaddressed.stderr
    assert kept(database) == []


def test_dcmtk_stores_a_ct_and_its_bytes_are_kept(node, archive, database):
    done = program(STORESCU, node, "-v", str(path_of("CT_small.dcm")))
    assert "Received Store Response (Success)" in done.stdout + done.stderr
    [found] = kept(database)
    assert (found.instance.source, found.study.patient.patient_id) == ("CT1", "1CT1")
    assert found.instance.transfer_syntax_uid.startswith("1.2.840.10008.1.2")


def test_every_kind_of_object_is_stored_as_it_was_sent(node, database, tmp_path):
    paths = [path_of(name) for name in FILES]
    seen = []
    outcome = peers.send(paths, peer_of(node), lambda done, total, path: seen.append((done, total, path)), calling_aet="CT1")
    assert outcome.failures == ()
    assert (outcome.sent, [path for _, _, path in seen]) == (len(FILES), paths)
    assert seen[-1][:2] == (len(FILES), len(FILES))
    stored = {data_set_of(path.read_bytes()) for path in (tmp_path / "blobs").glob("*/*/*.dcm")}
    assert stored == {data_set_of(path.read_bytes()) for path in paths}
    assert kept(database, "hehua") == []


def test_two_clinics_send_into_their_own_institutions(node, database):
    for title in ("CT1", "US1"):
        peers.send([path_of("CT_small.dcm")], peer_of(node), calling_aet=title)
    assert len(kept(database, "lianhua")) == len(kept(database, "hehua")) == 1


def test_sending_says_which_file_failed_and_why(node, tmp_path):
    (tmp_path / "letter.dcm").write_text("Dear colleague")
    outcome = peers.send([tmp_path / "letter.dcm", path_of("CT_small.dcm"), tmp_path / "none"], peer_of(node), calling_aet="CT1")
    assert outcome.sent == 1
    assert {failure.path.name: failure.reason[:20] for failure in outcome.failures} == {
        "letter.dcm": "this is not a DICOM ",
        "none": "it cannot be read: [",
    }
    refused = peers.send([path_of("CT_small.dcm")], peer_of(node), calling_aet="STRANGER")
    assert refused.failures[0].reason.endswith("rejected the association: it does not know STRANGER")


def test_a_rejection_that_comes_before_we_look_for_it_is_told_as_one(node, monkeypatch):
    class LateEvent(threading.Event):
        def wait(self, timeout=None):
            ready = super().wait(timeout)
            time.sleep(0.3)
            return ready

    class BusySocket(peers.ClosingSocket):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self._ready = LateEvent()

    monkeypatch.setattr(peers, "ClosingSocket", BusySocket)
    with pytest.raises(Unavailable, match="rejected the association: it does not know STRANGER"):
        peers.echo(peer_of(node), calling_aet="STRANGER")


def test_echo_reaches_the_node_and_says_when_nobody_is_there(node):
    peers.echo(peer_of(node), calling_aet="CT1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        peers.echo(Peer("TELEMED", "127.0.0.1", 1))


def test_a_taken_port_is_one_sentence(node, archive):
    second = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=node.address[1])
    with pytest.raises(Unavailable, match="cannot be used"):
        second.start()


def test_more_than_ten_associations_are_served_at_once(node):
    ae = AE("CT1")
    contexts = [build_context("1.2.840.10008.1.1")]
    opened = [ae.associate(*node.address, contexts=contexts, ae_title="TELEMED") for _ in range(30)]
    assert all(association.is_established for association in opened)
    assert opened[-1].send_c_echo().Status == 0
    for association in opened:
        association.release()


def test_a_huge_announcement_or_a_stranger_that_stays_silent_keeps_nobody_waiting(node):
    silent = [socket.create_connection(node.address) for _ in range(5)]
    huge = socket.create_connection(node.address)
    huge.settimeout(5)
    huge.sendall(struct.pack(">BBI", 1, 0, 1 << 30) + b"x" * 1000)
    began = time.monotonic()
    assert program(ECHOSCU, node, "").returncode == 0
    assert time.monotonic() - began < SECONDS_TO_ASK / 2
    with suppress(ConnectionResetError):
        assert huge.recv(100)[:1] in {b"", b"\x07"}
    for connection in (*silent, huge):
        connection.close()


def test_a_connection_that_closes_without_a_word_frees_its_place(node):
    for _ in range(5):
        socket.create_connection(node.address).close()
    began = time.monotonic()
    while node._server.active_associations and time.monotonic() - began < 5:
        time.sleep(0.05)
    assert node._server.active_associations == []


def test_an_object_beyond_the_configured_size_ends_the_association(archive, database):
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0, maximum_object_bytes=20_000)
    node.start()
    outcome = peers.send([path_of("CT_small.dcm"), path_of("rtplan.dcm")], peer_of(node), calling_aet="CT1")
    node.stop(1)
    assert [failure.path.name for failure in outcome.failures] == ["CT_small.dcm"]
    assert len(kept(database)) == 1


def test_stop_waits_for_an_association_and_then_aborts_it(node):
    aborted = []
    association = AE("CT1").associate(
        *node.address,
        contexts=[build_context("1.2.840.10008.1.1")],
        ae_title="TELEMED",
        evt_handlers=[(evt.EVT_ABORTED, aborted.append)],
    )
    began = time.monotonic()
    node.stop(0.5)
    assert 0.5 <= time.monotonic() - began < 5
    time.sleep(0.3)
    assert not association.is_established
    assert aborted
    with pytest.raises(OSError, match=re.compile("refused|reset", re.IGNORECASE)):
        socket.create_connection(node.address, timeout=1)


def test_a_study_can_be_read_back_while_it_arrives(node, database):
    peers.send([path_of("CT_small.dcm")], peer_of(node), calling_aet="CT1")
    [found] = kept(database)
    with database.reading() as db:
        assert index.study(db, "lianhua", found.study.study_instance_uid).settled_at is None


def test_plain_storage_is_received_beside_the_main_process(tmp_path, database, chronicle):
    class Unused(Archive):
        def store(self, *_arguments, **_keywords):
            raise AssertionError("the main process was asked to store it")

    archive = Unused(database, chronicle, Blobs(tmp_path / "blobs"))
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), aet="TELEMED", host="127.0.0.1", port=0, processes=2)
    node.start()
    try:
        file = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
        command = [STORESCU, "-v", "-aec", "TELEMED", "-aet", "CT1", "127.0.0.1", str(node.address[1]), str(file)]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert "Received Store Response (Success)" in said.stdout + said.stderr
        uid = str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
        assert read_preface(memoryview(archive.read("lianhua", uid))).transfer_syntax_uid
    finally:
        node.stop()
