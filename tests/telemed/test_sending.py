"""`telemed send` to a node that takes, refuses, is away, or speaks TLS only."""

from __future__ import annotations

import socket
import threading
import zipfile
from dataclasses import replace

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from telemed import sending
from telemed.answered import Answered
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
    node.answers["1.2.3.5"] = [0xA700] * 3
    assert sending.send([files], node.address, how) == 1
    said = capsys.readouterr().err
    assert "5.dcm: the peer refused it with status A700" in said
    assert "1.dcm" not in said
    node.received.clear()
    assert sending.send([files], node.address, how) == 0
    assert node.received == ["1.2.3.5"]
    assert "6 of 6 arrived, 5 of them before" in capsys.readouterr().err
    node.received.clear()
    assert sending.send([files], node.address, how) == 0  # a sending that is complete leaves nothing to go on with
    assert len(node.received) == 6


@pytest.mark.parametrize("status", [0xC000, 0xC211, 0xCFFF, 0xA900])
def test_what_was_refused_for_good_is_named_at_every_run_and_not_offered_again(files, node, how, capsys, status):
    node.answers["1.2.3.5"] = [status] * 3
    assert sending.send([files], node.address, how) == 1
    assert f"5.dcm: the peer refused it with status {status:04X}" in capsys.readouterr().err
    assert node.received.count("1.2.3.5") == 1
    node.received.clear()
    for _ in "two later runs":
        assert sending.send([files], node.address, how) == 1
        said = capsys.readouterr().err
        assert (
            "5 of 6 arrived, 5 of them before (send those too: --again), 1 refused before (offer them again: --again-refused)"
            in said
        )
        assert f"5.dcm: refused before: the peer refused it with status {status:04X}: no comment" in said
    assert node.received == []


@pytest.mark.parametrize("status", [0xA700, 0xA702, 0x0110, 0x0122])
def test_what_may_be_taken_at_another_time_is_offered_at_every_run(files, node, how, capsys, status):
    node.answers["1.2.3.5"] = [status] * 6
    for _ in range(2):
        node.received.clear()
        assert sending.send([files], node.address, how) == 1
        assert node.received.count("1.2.3.5") == 3
        assert "refused before" not in capsys.readouterr().err


def test_what_was_refused_is_offered_again_when_asked_and_taken_is_not_refused_any_more(files, node, how):
    node.answers["1.2.3.5"] = [0xC000]
    node.answers["1.2.3.6"] = [0xA900, 0xA900]
    assert sending.send([files], node.address, how) == 1
    node.received.clear()
    assert sending.send([files], node.address, replace(how, again_refused=True)) == 1
    assert sorted(node.received) == ["1.2.3.5", "1.2.3.6"]
    assert sending.send([files], node.address, replace(how, again_refused=True)) == 0
    assert sorted(node.received) == ["1.2.3.5", "1.2.3.6", "1.2.3.6"]


def test_everything_is_sent_again_when_asked_what_was_refused_too(files, node, how):
    node.answers["1.2.3.5"] = [0xC000]
    assert sending.send([files], node.address, how) == 1
    node.received.clear()
    assert sending.send([files], node.address, replace(how, again=True)) == 0
    assert len(node.received) == 6


def test_a_refused_file_that_was_changed_since_is_offered(files, node, how):
    node.answers["1.2.3.5"] = [0xC000]
    assert sending.send([files], node.address, how) == 1
    node.received.clear()
    image = pydicom.dcmread(files / "5.dcm")
    image.PatientID = "mended"
    image.save_as(files / "5.dcm")
    assert sending.send([files], node.address, how) == 0
    assert node.received == ["1.2.3.5"]


def test_a_file_that_is_not_dicom_is_named_and_remembered(files, node, how, capsys):
    (files / "notes.txt").write_text("not DICOM")
    (files / "cut.dcm").write_bytes((files / "1.dcm").read_bytes()[:140])
    assert sending.send([files], node.address, how) == 1
    said = capsys.readouterr().err
    assert "6 of 8 arrived in" in said
    assert "notes.txt: is not a DICOM file; send ECG files to the server's address" in said
    assert sending.send([files], node.address, how) == 1
    said = capsys.readouterr().err
    assert "notes.txt: refused before: is not a DICOM file" in said
    assert "cut.dcm: refused before: " in said
    (files / "notes.txt").write_bytes((files / "1.dcm").read_bytes())
    (files / "cut.dcm").unlink()
    assert sending.send([files], node.address, how) == 0


def test_a_reason_is_one_line_whatever_a_node_says(tmp_path):
    with Answered("DEST@127.0.0.1:104", tmp_path) as answered:
        answered.refuse("a", "no\nb\x1b[2J \ud800\u2028" + "x" * 1000)
    with Answered("DEST@127.0.0.1:104", tmp_path) as later:
        assert later.refusal("a").startswith("no b [2J ")
        assert len(later.refusal("a")) <= 300
        assert later.refusal("b") is None


def test_what_one_destination_took_is_not_counted_for_another(files, node, tmp_path):
    with Answered(node.address, tmp_path) as here, Answered("OTHER@127.0.0.1:104", tmp_path) as there:
        here.refuse("a", "cannot understand")
        here.acknowledge("a")
        assert here.refusal("a") == ""
        assert there.refusal("a") is None
    with Answered(node.address, tmp_path) as again:
        assert again.refusal("a") == ""


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
