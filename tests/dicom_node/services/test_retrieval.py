import socket
import subprocess
import time

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from sqlalchemy import select

from dicom_node.archive.part10 import read_preface
from dicom_node.services.query_retrieve import STUDY_ROOT_MOVE
from telemed.kernel.audit import audit_table

STUDY = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=1")


def data_set_of(data):
    return bytes(data[read_preface(memoryview(data)).length :])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def receiver(tmp_path, known):
    """dcmtk's storescp as a destination, and the folder it fills."""
    folder, port = tmp_path / "received", free_port()
    folder.mkdir()
    known("DEST", port)
    with subprocess.Popen(["/usr/bin/storescp", "-aet", "DEST", "+B", "-od", folder, str(port)]) as process:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield folder
        process.terminate()


def test_getscu_brings_a_study_back_as_it_was_stored(put, asking, archive):
    for number in range(3):
        put(f"1.{number}", study="1")
    put("2.1", study="2", series="2.2")
    files = asking.get(*STUDY)
    assert sorted(pydicom.dcmread(file).SOPInstanceUID for file in files) == ["1.0", "1.1", "1.2"]
    for file in files:
        uid = pydicom.dcmread(file).SOPInstanceUID
        assert pydicom.dcmread(file).PixelData == pydicom.dcmread(archive.file("lianhua", uid)).PixelData


def test_movescu_sends_a_study_to_a_known_destination_byte_for_byte(put, asking, archive, receiver):
    for number in range(3):
        put(f"1.{number}", study="1")
    assert asking.move("DEST", *STUDY) == ["Success"]
    received = {file.name: file.read_bytes() for file in receiver.iterdir()}
    assert len(received) == 3
    kept = {data_set_of(archive.read("lianhua", f"1.{number}")) for number in range(3)}
    assert {data_set_of(data) for data in received.values()} == kept
    assert asking.said.count("(Pending)") == 2


def test_each_level_of_both_models_can_be_retrieved(put, asking):
    for number in range(4):
        put(f"1.{number}", study="1", series=f"1.9.{number // 2}")
    series = ("QueryRetrieveLevel=SERIES", "StudyInstanceUID=1", "SeriesInstanceUID=1.9.1")
    images = ("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1", "SeriesInstanceUID=1.9.0", "SOPInstanceUID=1.0\\1.1")
    assert len(asking.get("QueryRetrieveLevel=PATIENT", "PatientID=P1", model="-P")) == 4
    assert len(asking.get(*series, model="-P")) == 2
    assert len(asking.get(*images)) == 2


def test_a_destination_that_nobody_entered_or_another_clinics_is_refused(put, asking, known):
    put("1.1", study="1")
    assert asking.move("NOWHERE", *STUDY)[0].startswith("Refused: MoveDestinationUnknown")
    known("THEIRS", free_port(), institution="hehua")
    assert asking.move("THEIRS", *STUDY)[0].startswith("Refused: MoveDestinationUnknown")


def test_a_destination_that_does_not_answer_fails_every_instance_and_names_it(put, node, known):
    put("1.1", study="1")
    put("1.2", study="1")
    known("ASLEEP", free_port())
    association = AE("CT1").associate(*node.address, contexts=[build_context(STUDY_ROOT_MOVE)], ae_title="TELEMED")
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1"
    status, failed = list(association.send_c_move(identifier, "ASLEEP", STUDY_ROOT_MOVE))[-1]
    association.release()
    assert (status.Status, status.NumberOfFailedSuboperations, status.NumberOfCompletedSuboperations) == (0xA702, 2, 0)
    assert sorted(failed.FailedSOPInstanceUIDList) == ["1.1", "1.2"]


def test_what_is_gone_from_the_disk_is_named_and_the_rest_is_sent(put, asking, archive, receiver):
    put("1.1", study="1")
    put("1.2", study="1")
    archive.file("lianhua", "1.1").unlink()
    assert asking.move("DEST", *STUDY)[0].startswith("Warning")
    assert len(list(receiver.iterdir())) == 1


@pytest.mark.parametrize(
    "keys", [STUDY[:1], ("QueryRetrieveLevel=STUDY", "PatientID=P1"), ("QueryRetrieveLevel=SERIES", STUDY[1])]
)
def test_nobody_is_sent_everything_by_an_empty_key(put, asking, keys):
    put("1.1", study="1")
    assert asking.get(*keys) == []
    assert "DataSetDoesNotMatchSOPClass" in asking.said


def test_a_move_that_is_cancelled_stops(put, node, known):
    """The destination is slow, so that the C-CANCEL is there before the last instance."""
    for number in range(20):
        put(f"1.{number}", study="1")

    def slowly(_event):
        time.sleep(0.05)
        return 0x0000

    sink = AE("SLOW")
    sink.add_supported_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    server = sink.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, slowly)])
    known("SLOW", server.server_address[1])
    association = AE("CT1").associate(*node.address, contexts=[build_context(STUDY_ROOT_MOVE)], ae_title="TELEMED")
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1"
    seen = []
    for status, _ in association.send_c_move(identifier, "SLOW", STUDY_ROOT_MOVE, msg_id=9):
        seen.append(status)
        if len(seen) == 2:
            association.send_c_cancel(9, query_model=STUDY_ROOT_MOVE)
    association.release()
    server.shutdown()
    assert seen[-1].Status == 0xFE00
    assert seen[-1].NumberOfRemainingSuboperations > 0


def test_a_retrieval_is_in_the_audit_trail(put, asking, database):
    put("1.1", study="1")
    asking.get(*STUDY)
    with database.reading() as db:
        query = select(audit_table.c.actor, audit_table.c.entity_id).where(audit_table.c.action == "StudyRetrieved")
        assert db.execute(query).all() == [("CT1", "1")]
