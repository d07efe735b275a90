"""A node with every service before a small archive of two clinics, and dcmtk's programs that ask it."""

from __future__ import annotations

import re
import time
from ipaddress import ip_network

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from support import dcmtk

from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.tables import study_table
from dicom_node.directory import Entry, add_peer
from dicom_node.node import DicomNode
from dicom_node.services.mpps import Performed
from dicom_node.services.query_retrieve import Finding
from dicom_node.services.retrieval import Getting, Moving
from dicom_node.services.storage_commitment import Commitments, Committing
from telemed.kernel.audit import Witness

LOOPBACK = (ip_network("127.0.0.0/8"),)
KNOWN = KnownPeers([KnownPeer("CT1", LOOPBACK, "lianhua"), KnownPeer("US1", LOOPBACK, "hehua")])


def visible_to(institution):
    return study_table.c.institution == institution


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def archive(database, chronicle, blobs):
    return Archive(database, chronicle, blobs)


def an_object(uid="1.2.3", *, study="1.2", series="1.2.1", name="WANG^Fang=王芳", patient_id="P1", **attributes):
    """A small CT image as the bytes of a file."""
    image = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm", download=False))
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.PatientName, image.PatientID = name, patient_id
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = pydicom.filebase.DicomBytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def put(archive):
    def put(uid="1.2.3", institution="lianhua", **attributes):
        return archive.store(an_object(uid, **attributes), institution=institution, transfer_syntax_uid=None, source="test")

    return put


@pytest.fixture
def witness(database, chronicle):
    witness = Witness(database, chronicle.trail)
    witness.start()
    yield witness
    witness.stop()


@pytest.fixture
def commitments(database, chronicle, archive):
    return Commitments(database, chronicle, archive, aet="TELEMED")


@pytest.fixture
def services(database, chronicle, archive, commitments, witness):
    held = (database, chronicle, archive, visible_to)
    return (
        Finding(database, witness, visible_to, aet="TELEMED"),
        Moving(*held, aet="TELEMED"),
        Getting(*held, aet="TELEMED"),
        Committing(commitments, filing_s=1),
        Performed(database, chronicle),
    )


@pytest.fixture
def node(archive, services):
    node = DicomNode(archive, Access(KNOWN, "TELEMED"), host="127.0.0.1", port=0, services=services)
    node.start()
    yield node
    node.stop(1)


class Asking:
    """findscu, getscu and movescu at one node."""

    def __init__(self, node, folder):
        self.node, self.folder = node, folder

    def _run(self, program, *arguments, calling):
        return dcmtk.run(program, "-v", "-aet", calling, "-aec", "TELEMED", *arguments, *self.node.address)

    def find(self, *keys, model="-S", calling="CT1", options=()):
        """Return the answers, each as a pydicom Dataset."""
        folder = self.folder / f"answers{time.monotonic_ns()}"
        folder.mkdir()
        given = [part for key in keys for part in ("-k", key)]
        done = self._run("findscu", model, "-X", "-od", folder, *options, *given, calling=calling)
        assert done.returncode == 0, done.stderr
        self.said = done.stdout + done.stderr
        return [pydicom.dcmread(file, force=True) for file in sorted(folder.iterdir())]

    def get(self, *keys, model="-S", calling="CT1", options=()):
        folder = self.folder / f"got{time.monotonic_ns()}"
        folder.mkdir()
        given = [part for key in keys for part in ("-k", key)]
        done = self._run("getscu", model, "-od", folder, *options, *given, calling=calling)
        self.said = done.stdout + done.stderr
        return sorted(folder.iterdir())

    def move(self, destination, *keys, model="-S", calling="CT1", options=()):
        given = [part for key in keys for part in ("-k", key)]
        done = self._run("movescu", model, "-aem", destination, *options, *given, calling=calling)
        self.said = done.stdout + done.stderr
        return re.findall(r"Received Final Move Response \((.*)\)", self.said)


@pytest.fixture
def asking(node, tmp_path):
    return Asking(node, tmp_path)


@pytest.fixture
def many_studies(database, put):
    """Rows of so many studies, made from one that was really stored."""

    def many(count):
        put("1.1", study="1")
        with database.transaction() as db:
            row = dict(db.execute(study_table.select()).mappings().one())
            copies = [row | {"id": f"{number:032x}", "study_instance_uid": f"1.{number}"} for number in range(1, count)]
            db.execute(study_table.insert(), copies)

    return many


@pytest.fixture
def known(database, chronicle):
    def known(title, port, institution=""):
        with database.transaction() as db:
            add_peer(db, chronicle, Entry(title, "127.0.0.1", port, institution), actor="test")

    return known
