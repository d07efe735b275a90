"""An archive of two clinics, and a worker that forwards from it."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian
from support.destinations import free_port, storescp

from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.directory import Entry, add_peer
from dicom_node.forwarding.queue import destinations
from dicom_node.forwarding.rules import Rule, add_rule
from dicom_node.forwarding.sending import Forwarding
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.confinement import Confinement


class Node:
    """What a test does to the node: put objects into its archive, enter peers and rules, look at a queue."""

    def __init__(self, database, chronicle, folder: Path) -> None:
        self.database, self.chronicle, self.clock = database, chronicle, chronicle.clock
        self.archive = Archive(database, chronicle, Blobs(folder / "blobs"))
        self.confinement = Confinement(processes=1)
        imaging = Imaging(self.confinement, shelf=Shelf(folder / "shelf", 64 << 20))
        self.worker = Forwarding(
            database,
            chronicle,
            self.archive,
            aet="TELEMED",
            rewrite=lambda one, syntax: imaging.file_in(one.path, syntax, digest=one.digest),
            look_every_s=0.05,
        )

    def put(self, *uids, institution="lianhua", source="CT1", modality="CT", study="1", file="CT_small.dcm"):
        for uid in uids:
            image = pydicom.dcmread(get_testdata_file(file, download=False))
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
            image.StudyInstanceUID, image.SeriesInstanceUID, image.Modality = study, f"{study}.1", modality
            if not image.file_meta.TransferSyntaxUID.is_compressed:
                image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            buffer = pydicom.filebase.DicomBytesIO()
            image.save_as(buffer, enforce_file_format=True)
            self.archive.store(buffer.getvalue(), institution=institution, transfer_syntax_uid=None, source=source)

    def peer(self, title, port, institution="", *, commits=False):
        entry = Entry(title, "127.0.0.1", port, institution, commits=commits)
        with self.database.transaction() as db:
            add_peer(db, self.chronicle, entry, actor="test")

    def rule(self, title, institution="", modality=""):
        with self.database.transaction() as db:
            add_rule(db, self.chronicle, Rule(title, institution, modality), actor="test")

    def forward_to(self, title, port, *, commits=False):
        """Enter a peer that gets everything."""
        self.peer(title, port, commits=commits)
        self.rule(title)

    def destination(self, title="DEST"):
        with self.database.reading() as db:
            return next(one for one in destinations(db, self.clock.now()) if one.ae_title == title)


@pytest.fixture
def node(database, chronicle, tmp_path):
    node = Node(database, chronicle, tmp_path)
    yield node
    node.worker.stop(1)
    node.confinement.close()


@pytest.fixture
def receiver(tmp_path, node):
    """A storescp that is the peer DEST and gets everything; the folder it fills."""
    port = free_port()
    node.forward_to("DEST", port)
    with storescp(tmp_path / "received", port, "+xa") as folder:
        yield folder
