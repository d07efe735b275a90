import random
import socket
import subprocess
import time
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pydicom
import pytest
from conformance.mutations import mutate, recorded
from support import dcmtk
from support.destinations import free_port, storescp

from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.tables import instance_table, study_table
from dicom_node.directory import Directory, Entry, add_peer
from dicom_node.forwarding.queue import destinations
from dicom_node.forwarding.rules import Rule, add_rule
from dicom_node.forwarding.sending import Forwarding
from dicom_node.node import DicomNode
from dicom_node.peers import Peer, echo, send
from dicom_node.services.query_retrieve import Finding
from dicom_node.tls import TlsSettings, client_context, fingerprint, fingerprint_of
from dicom_node.upper_layer.lobby import SECONDS_TO_ASK
from telemed.kernel.audit import Witness
from telemed.kernel.database import Database, metadata
from telemed.kernel.errors import Invalid, Unavailable

MUTATED = 60
LOOPBACK = (ip_network("127.0.0.0/8"),)
KNOWN = KnownPeers([KnownPeer("CT1", LOOPBACK, "lianhua"), KnownPeer("US1", LOOPBACK, "hehua")])


def path_of(name):
    return pydicom.data.get_testdata_file(name, download=False)


def openssl(*arguments):
    subprocess.run(["/usr/bin/openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with an authority, our certificate, a modality's, and one that a stranger signed."""
    folder = tmp_path_factory.mktemp("certificates")
    for authority in ("ca", "stranger"):
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={authority}",
            "-keyout", folder / f"{authority}.key", "-out", folder / f"{authority}.pem",
        )  # fmt: skip
    for name, authority in (("TELEMED", "ca"), ("CT1", "ca"), ("OTHER", "ca"), ("FORGED", "stranger")):
        subject = f"/CN={name if name in ('TELEMED', 'CT1') else 'CT1'}"
        request, key = folder / f"{name}.csr", folder / f"{name}.key"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", key, "-out", request)
        signer = ("-CA", folder / f"{authority}.pem", "-CAkey", folder / f"{authority}.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-out", folder / f"{name}.pem")
    return folder


@pytest.fixture
def database(tmp_path):
    """The kind of database makes no difference here."""
    database = Database(f"sqlite:///{tmp_path}/telemed.sqlite")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


def settings(folder, port=0, **other):
    files = {"certificate": folder / "TELEMED.pem", "key": folder / "TELEMED.key", "client_ca": folder / "ca.pem"}
    return TlsSettings("127.0.0.1", port, **files | other)


@pytest.fixture
def node(archive, certificates):
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0, tls=settings(certificates))
    node.start()
    yield node
    node.stop(1)


def call(program, node, certificates, certificate, *paths, calling="CT1"):
    pair = (certificates / f"{certificate}.key", certificates / f"{certificate}.pem")
    secured = ("+tls", *pair, "+cf", certificates / "ca.pem")
    return dcmtk.run(program, "-v", *secured, "-aet", calling, "-aec", "TELEMED", *node.tls_address, *paths)


def test_a_modality_with_a_certificate_stores_over_tls_and_one_without_over_the_other_port(node, certificates, database):
    done = call("storescu", node, certificates, "CT1", path_of("CT_small.dcm"))
    assert done.returncode == 0, done.stderr
    done = dcmtk.run("storescu", "-aet", "CT1", "-aec", "TELEMED", *node.address, path_of("MR_small.dcm"))
    assert done.returncode == 0, done.stderr
    with database.reading() as db:
        assert len(db.execute(instance_table.select()).all()) == 2


def test_a_certificate_that_a_stranger_signed_or_none_at_all_is_turned_away(node, certificates):
    assert call("echoscu", node, certificates, "CT1").returncode == 0
    assert call("echoscu", node, certificates, "FORGED").returncode != 0
    anonymous = ("+tla", "+cf", certificates / "ca.pem")
    assert dcmtk.run("echoscu", *anonymous, "-aet", "CT1", "-aec", "TELEMED", *node.tls_address).returncode != 0
    assert dcmtk.run("echoscu", "-aet", "CT1", "-aec", "TELEMED", "-to", "2", *node.tls_address).returncode != 0


def test_a_certificate_speaks_only_for_the_ae_title_it_names(node, certificates):
    done = call("echoscu", node, certificates, "CT1", calling="US1")
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr


def test_whoever_is_turned_away_over_tls_is_told_of(archive, certificates):
    refusals = []
    access = Access(KNOWN, "TELEMED", refused=refusals.append)
    node = DicomNode(archive, access, host="127.0.0.1", port=0, tls=settings(certificates))
    node.start()
    try:
        for certificate, calling in (("FORGED", "CT1"), ("CT1", "US1"), ("CT1", "CT1")):
            call("echoscu", node, certificates, certificate, calling=calling)
    finally:
        node.stop(1)
    forged, misnamed = refusals
    assert (forged.calling_aet, forged.address) == ("", "127.0.0.1")
    assert forged.why.startswith("TLS: ")
    assert (misnamed.calling_aet, misnamed.called_aet) == ("US1", "TELEMED")


def test_questions_are_answered_over_tls(archive, database, chronicle, certificates):
    archive.store(Path(path_of("CT_small.dcm")).read_bytes(), institution="lianhua", transfer_syntax_uid=None, source="CT1")
    finding = Finding(
        database, Witness(database, chronicle.trail), lambda institution: study_table.c.institution == institution, aet="TELEMED"
    )
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0, tls=settings(certificates), services=[finding])
    node.start()
    try:
        asked = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=1CT1", "-k", "StudyInstanceUID")
        pair = (certificates / "CT1.key", certificates / "CT1.pem")
        secured = ("-v", "+tls", *pair, "+cf", certificates / "ca.pem", "-aec", "TELEMED")
        done = dcmtk.run("findscu", *secured, "-aet", "CT1", *asked, *node.tls_address)
        assert (done.stdout + done.stderr).count("(Pending)") == 1, done.stderr
        done = dcmtk.run("findscu", *secured, "-aet", "US1", *asked, *node.tls_address)
        assert "Calling AE Title Not Recognized" in done.stdout + done.stderr
    finally:
        node.stop(1)


def test_a_title_bound_to_one_certificate_is_refused_with_another_of_that_name_and_without_any(archive, certificates):
    ours = KnownPeer("CT1", LOOPBACK, "lianhua", fingerprint_of(certificates / "CT1.pem"))
    node = DicomNode(archive, Access(KnownPeers([ours]), "TELEMED"), host="127.0.0.1", port=0, tls=settings(certificates))
    node.start()
    try:
        assert call("echoscu", node, certificates, "CT1").returncode == 0
        plain = dcmtk.run("echoscu", "-v", "-aet", "CT1", "-aec", "TELEMED", *node.address)
        for refused in (call("echoscu", node, certificates, "OTHER"), plain):
            assert refused.returncode != 0
            assert "Calling AE Title Not Recognized" in refused.stdout + refused.stderr
    finally:
        node.stop(1)


def test_a_fingerprint_is_read_as_people_write_it(certificates, tmp_path):
    sha256 = fingerprint_of(certificates / "CT1.pem")
    openssl("x509", "-in", certificates / "CT1.pem", "-outform", "DER", "-out", tmp_path / "CT1.der")
    assert fingerprint_of(tmp_path / "CT1.der") == sha256
    assert fingerprint(":".join(sha256[i : i + 2] for i in range(0, 64, 2)).upper()) == sha256
    for wrong in ("", "11:22", sha256 + "0", "g" * 64):
        with pytest.raises(Invalid, match="fingerprint"):
            fingerprint(wrong)
    with pytest.raises(Invalid, match="certificate"):
        fingerprint_of(certificates / "CT1.key")


def test_a_caller_that_never_shakes_hands_holds_up_nobody(node, certificates):
    silent = [socket.create_connection(node.tls_address) for _ in range(20)]
    began = time.monotonic()
    assert call("echoscu", node, certificates, "CT1").returncode == 0
    assert time.monotonic() - began < SECONDS_TO_ASK / 2
    for connection in silent:
        connection.close()


def secured(node, certificates):
    context = client_context(certificates / "ca.pem", certificates / "CT1.pem", certificates / "CT1.key")
    return context.wrap_socket(socket.create_connection(node.tls_address, timeout=10))


def test_a_request_that_cannot_be_understood_is_one_line_in_the_log(node, certificates, caplog):
    request = recorded(random.Random(1), "CT1")[0]
    broken = request[:74] + b"\xff" * 8 + request[82:]
    for sent in (b"GET / HTTP/1.1\r\n\r\n", broken, request[:2] + b"\x7f" + request[3:]):
        caplog.clear()
        with secured(node, certificates) as connection:
            connection.sendall(sent)
            assert connection.recv(100)[:1] == b"\x07"  # A-ABORT
            assert not connection.recv(100)
        [line] = [record for record in caplog.records if record.name.startswith("dicom_node")]
        assert "over TLS was ended" in line.getMessage()
        assert line.exc_info is None


def test_no_mutated_association_over_tls_ends_a_thread_or_stays(node, certificates):
    chance = random.Random(11)
    for _ in range(MUTATED):
        pdus = mutate(recorded(chance, "CT1"), chance)
        with secured(node, certificates) as connection:
            begun = time.monotonic()
            with suppress(OSError):  # it has hung up on us
                connection.sendall(b"".join(pdus))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass
            assert time.monotonic() - begun < 10, pdus
    assert call("echoscu", node, certificates, "CT1").returncode == 0


def test_a_certificate_that_cannot_be_used_is_named(archive, certificates, tmp_path):
    access = Access(KnownPeers([KnownPeer("*", LOOPBACK, "lianhua")]), None)
    broken = settings(certificates, certificate=tmp_path / "none.pem")
    with pytest.raises(Invalid, match=r"none\.pem"):
        DicomNode(archive, access, host="127.0.0.1", port=0, tls=broken).start()


def test_a_taken_tls_port_frees_the_other_one(archive, certificates):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tls = settings(certificates, port=taken.getsockname()[1])
        node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0, tls=tls)
        with pytest.raises(Unavailable, match="cannot be used"):
            node.start()
        assert not node.is_listening


def test_we_call_a_peer_over_tls_and_only_one_its_authority_signed(node, certificates):
    files = [Path(path_of("CT_small.dcm"))]
    pair = certificates / "CT1.pem", certificates / "CT1.key"
    peer = Peer("TELEMED", *node.tls_address, tls=client_context(certificates / "ca.pem", *pair))
    echo(peer, calling_aet="CT1")
    assert send(files, peer, calling_aet="CT1").failures == ()
    strange = Peer("TELEMED", *node.tls_address, tls=client_context(certificates / "stranger.pem", *pair))
    assert len(send(files, strange, calling_aet="CT1").failures) == 1
    assert len(send(files, Peer("TELEMED", *node.tls_address), calling_aet="CT1").failures) == 1
    with pytest.raises(Invalid, match=r"none\.pem"):
        client_context(certificates / "none.pem")


def test_a_peer_with_another_certificate_than_it_was_entered_with_is_sent_nothing(node, certificates):
    context = client_context(certificates / "ca.pem", certificates / "CT1.pem", certificates / "CT1.key")
    ours, other = (fingerprint_of(certificates / f"{name}.pem") for name in ("TELEMED", "CT1"))
    echo(Peer("TELEMED", *node.tls_address, tls=context, certificate_sha256=ours), calling_aet="CT1")
    with pytest.raises(Unavailable, match="another certificate"):
        echo(Peer("TELEMED", *node.tls_address, tls=context, certificate_sha256=other), calling_aet="CT1")


def test_what_arrives_is_forwarded_over_tls_and_waits_while_we_have_no_certificate(
    archive, database, chronicle, certificates, tmp_path
):
    port = free_port()
    entry = Entry("DEST", "127.0.0.1", port, tls=True, certificate_sha256=fingerprint_of(certificates / "CT1.pem"))
    with database.transaction() as db:
        add_peer(db, chronicle, entry, actor="test")
        add_rule(db, chronicle, Rule("DEST"), actor="test")
    data = Path(path_of("CT_small.dcm")).read_bytes()
    archive.store(data, institution="lianhua", transfer_syntax_uid=None, source="CT1")
    bare = Forwarding(database, chronicle, archive, aet="TELEMED")
    bare.take()
    assert bare.send("DEST") == 0
    context = client_context(certificates / "ca.pem", certificates / "TELEMED.pem", certificates / "TELEMED.key")
    able = Forwarding(database, chronicle, archive, aet="TELEMED", directory=Directory(context))
    with database.reading() as db:
        [state] = destinations(db, chronicle.clock.now())
        assert "dicom_tls_certificate" in state.error
    chronicle.clock.pass_(minutes=1)
    pair = certificates / "CT1.key", certificates / "CT1.pem"
    with storescp(tmp_path / "received", port, "+xa", "+tls", *pair, "+cf", certificates / "ca.pem") as folder:
        assert able.send("DEST") == 1
        [file] = folder.iterdir()
    sent = pydicom.dcmread(file)
    assert sent.SOPInstanceUID == pydicom.dcmread(path_of("CT_small.dcm")).SOPInstanceUID
