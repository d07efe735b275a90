"""`telemed send` to a node that takes, refuses, is away, or speaks TLS only."""

from __future__ import annotations

import socket
import threading
import zipfile

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from telemed import sending
from telemed.acknowledged import Acknowledged
from telemed.kernel.errors import Invalid
from telemed.sending import Sending


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    for number in range(1, 7):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


class Node:
    """A storage SCP that answers each instance with what `answers` says, Success where it says nothing."""

    def __init__(self):
        self.received, self.answers, self.associations = [], {}, set()
        self._lock = threading.Lock()
        ae = AE("DEST")
        ae.maximum_associations = 100
        ae.add_supported_context(CTImageStorage, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        self.address = f"DEST@127.0.0.1:{self.server.server_address[1]}"

    def _store(self, event):
        uid = str(event.request.AffectedSOPInstanceUID)
        with self._lock:
            self.received.append(uid)
            self.associations.add(event.assoc)
            left = self.answers.get(uid, [])
            return left.pop(0) if left else 0


@pytest.fixture
def node():
    node = Node()
    yield node
    node.server.shutdown()


@pytest.fixture
def how(tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "PAUSES_S", (0.01, 0.01))
    return Sending(state=tmp_path / "state", parallel=3)


def test_everything_arrives_over_as_many_associations_as_are_asked_for(files, node, how, capsys):
    assert sending.send([files], node.address, how) == 0
    assert sorted(node.received) == [f"1.2.3.{number}" for number in range(1, 7)]
    assert len(node.associations) == 3
    assert "6 of 6 arrived in" in capsys.readouterr().err


def test_a_file_refused_for_the_moment_is_offered_again(files, node, how):
    node.answers["1.2.3.4"] = [0xA700]
    assert sending.send([files], node.address, how) == 0
    assert node.received.count("1.2.3.4") == 2


def test_what_failed_is_named_and_only_that_is_sent_the_next_time(files, node, how, capsys):
    (files / "notes.txt").write_text("not DICOM")
    node.answers["1.2.3.5"] = [0xC000] * 3
    assert sending.send([files], node.address, how) == 1
    said = capsys.readouterr().err
    assert "5.dcm: the peer refused it with status C000" in said
    assert "notes.txt: is not a DICOM file" in said
    assert "1.dcm" not in said
    node.received.clear()
    (files / "notes.txt").unlink()
    assert sending.send([files], node.address, how) == 0
    assert node.received == ["1.2.3.5"]
    assert "6 of 6 arrived, 5 of them before" in capsys.readouterr().err
    node.received.clear()
    assert sending.send([files], node.address, how) == 0  # a sending that is complete leaves nothing to go on with
    assert len(node.received) == 6


def test_what_one_destination_took_is_not_counted_for_another(files, node, tmp_path):
    with Acknowledged(node.address, tmp_path) as here, Acknowledged("OTHER@127.0.0.1:104", tmp_path) as there:
        here.add("a")
        assert "a" in here
        assert "a" not in there
    with Acknowledged(node.address, tmp_path) as again:
        assert "a" in again


def test_a_node_that_is_away_fails_every_file(files, how, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert sending.send([files], f"DEST@127.0.0.1:{port}", how) == 1
    assert capsys.readouterr().err.count("cannot be reached") == 6


def test_a_zip_archive_is_sent_by_its_members(files, node, how, tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in files.iterdir():
            archive.write(file, f"study/{file.name}")
    assert sending.send([tmp_path / "study.zip"], node.address, how) == 0
    assert len(node.received) == 6


def test_so_many_associations_are_a_mistake(files, node, how):
    with pytest.raises(Invalid, match="--parallel"):
        sending.send([files], node.address, Sending(parallel=1000))
