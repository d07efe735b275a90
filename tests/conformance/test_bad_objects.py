"""Objects of many makers, good and hostile: all good ones are kept as they came, no bad one does any harm.

The corpus is not part of the repository: TELEMED_TEST_DATA names the folder that has dicom/MANIFEST.csv.
"""

import csv
import os
import socket
import struct
import time
from contextlib import suppress
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path

import pydicom
import pytest
from conformance.raw_scu import RawAssociation
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context
from sqlalchemy import func, select
from support.server import until

from dicom_node import peers
from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences
from dicom_node.imaging.frames import frame
from dicom_node.node import DicomNode
from dicom_node.upper_layer.lobby import SECONDS_TO_ASK
from telemed.kernel.database import Database, metadata
from telemed.kernel.errors import Invalid

CORPUS = os.environ.get("TELEMED_TEST_DATA")
needs_corpus = pytest.mark.skipif(not CORPUS, reason="TELEMED_TEST_DATA is not set: it names the folder with dicom/MANIFEST.csv")
CT_CLASS, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
CT = (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()
DATA = CT[read_preface(memoryview(CT)).length :]


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
    known = KnownPeers([KnownPeer("CT1", (ip_network("127.0.0.0/8"),), "lianhua")])
    node = DicomNode(archive, Access(known, "TELEMED"), host="127.0.0.1", port=0)
    node.start()
    yield node
    node.stop(1)


def rows(database):
    with database.reading() as db:
        return db.execute(select(func.count()).select_from(instance_table)).scalar_one()


def store_raw(node, data):
    """Send *data* as the data set of a C-STORE, whatever it is, and return the status."""
    association = AE("CT1").associate(*node.address, contexts=[build_context(CT_CLASS, EXPLICIT)], ae_title="TELEMED")
    request = C_STORE()
    request.MessageID, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = 1, UID(CT_CLASS), UID("1.2.3")
    request.Priority, request.DataSet = 2, BytesIO(data)
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, 1)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    return answer.Status


@pytest.mark.parametrize("data", [b"Dear colleague, please find attached", DATA[:-100], DATA[:300], b"\0" * 64])
def test_a_bad_object_gets_a_failure_status_and_the_node_lives(node, database, tmp_path, data):
    assert store_raw(node, data) == 0xC000
    assert rows(database) == 0
    kept = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and "journal" not in path.parts]
    assert kept == []
    peers.echo(peers.Peer("TELEMED", *node.address), calling_aet="CT1")
    assert store_raw(node, DATA) == 0x0000


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BBI", 1, 0, 0),
        struct.pack(">BBI", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 4, 0, 12) + b"\0" * 12,
        struct.pack(">BBI", 9, 0, 4) + b"\0" * 4,
        b"\x01",
    ],
)
def test_a_stranger_who_speaks_no_dicom_is_survived(node, said):
    with socket.create_connection(node.address) as connection:
        connection.sendall(said)
        began = time.monotonic()
        peers.echo(peers.Peer("TELEMED", *node.address), calling_aet="CT1")
        assert time.monotonic() - began < SECONDS_TO_ASK / 2


def corpus():
    with (Path(CORPUS) / "dicom" / "MANIFEST.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            yield Path(CORPUS) / "dicom" / row["file"], row


def names_no_study(path):
    """Tell whether this is an object that belongs to no study (a DICOMDIR, a palette) or does not say what it is."""
    identity = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=identity)
    return not all(dataset.get(name) for name in identity)


def test_a_sequence_that_ends_within_its_items_delimiter_is_kept_whole_and_hides_no_truncation(archive):
    image = pydicom.dcmread(BytesIO(CT))
    pixels, image.file_meta.TransferSyntaxUID = image.PixelData, "1.2.840.10008.1.2"
    del image.PixelData, image.DataSetTrailingPadding
    buffer = DicomBytesIO()
    image.save_as(buffer, implicit_vr=True, little_endian=True, enforce_file_format=True)
    item = bytes.fromhex("feff00e0ffffffff") + bytes.fromhex("1800369000000000") + bytes.fromhex("feff0de000000000")
    sequence = bytes.fromhex("05200f14") + struct.pack("<I", len(item) - 4) + item
    data = buffer.getvalue() + sequence + bytes.fromhex("e07f1000") + struct.pack("<I", len(pixels)) + pixels
    kept = archive.store(data, institution="lianhua", transfer_syntax_uid=None, source="CT1")
    assert archive.read("lianhua", kept.sop_instance_uid) == data
    assert frame(archive.file("lianhua", kept.sop_instance_uid), 1).data == pixels
    for cut in (1, 2, len(pixels), len(pixels) + 4):
        with pytest.raises(Invalid, match="truncated"):
            archive.store(data[:-cut], institution="lianhua", transfer_syntax_uid=None, source="CT1")


@needs_corpus
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom remarks on what the corpus is full of
def test_every_valid_object_of_the_corpus_is_kept_byte_for_byte(archive, blobs_of, database):
    stored = 0
    for path, row in corpus():
        if row["class"] != "valid" or row["valid"] != "valid" or row["pydicom_parse"] != "ok":
            continue
        data = path.read_bytes()
        if data[128:132] != b"DICM" or names_no_study(path):
            continue
        kept = archive.store(data, institution="lianhua", transfer_syntax_uid=None, source="corpus")
        assert kept.conflicting or not kept.new or archive.read("lianhua", kept.sop_instance_uid) == data, path.name
        assert blobs_of(kept.digest).endswith(data[read_preface(memoryview(data)).length :]), path.name
        stored += 1
    assert stored > 200
    assert list(differences(database, archive._blobs)) == []


@pytest.fixture
def blobs_of(archive):
    return archive._blobs.read


def sent_raw(node, path):
    """Store the file's data set, as it lies there, on an association of its own; return the data set and the status."""
    content = path.read_bytes()
    given = read_preface(memoryview(content))
    data = content[given.length :]
    with RawAssociation(node.address[1], syntax=given.transfer_syntax_uid, calling="CT1") as association:
        return data, association.store(data).status


@needs_corpus
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_valid_object_of_the_corpus_that_is_sent_to_the_node_is_kept_byte_for_byte(node, archive, database):
    sent = set()
    for path, row in corpus():
        if row["class"] != "valid" or row["valid"] != "valid" or row["pydicom_parse"] != "ok":
            continue
        if path.read_bytes()[128:132] != b"DICM" or names_no_study(path):
            continue
        data, status = sent_raw(node, path)
        assert status == 0, path.name
        sent.add(data)
    assert len(sent) > 200
    until(lambda: all_filed(archive, sent))
    assert list(differences(database, archive._blobs)) == []


def all_filed(archive, sent):
    kept = [archive.blobs.read(digest) for digest in archive.blobs.digests()]
    return {content[read_preface(memoryview(content)).length :] for content in kept} == sent


@needs_corpus
def test_no_hostile_object_of_the_corpus_harms_the_node(node):
    seen = 0
    for path, row in corpus():
        if row["valid"] == "valid" or path.suffix in {".zip", ".hl7", ".json", ".xml"}:
            continue
        began = time.monotonic()
        with suppress(Invalid, AssertionError):  # no file at all, or a transfer syntax that cannot be proposed
            sent_raw(node, path)
        assert time.monotonic() - began < 10, path.name
        seen += 1
    assert seen > 100
    peers.echo(peers.Peer("TELEMED", *node.address), calling_aet="CT1")


@needs_corpus
def test_no_hostile_object_of_the_corpus_does_harm(archive, database):
    seen = 0
    for path, row in corpus():
        if row["valid"] == "valid" or path.suffix in {".zip", ".hl7", ".json", ".xml"}:
            continue
        data, began = path.read_bytes(), time.monotonic()
        for syntax in (None, EXPLICIT):
            with suppress(Invalid):
                archive.store(data, institution="lianhua", transfer_syntax_uid=syntax, source="corpus")
        assert time.monotonic() - began < 10, path.name
        seen += 1
    assert seen > 100
    assert list(differences(database, archive._blobs)) == []
