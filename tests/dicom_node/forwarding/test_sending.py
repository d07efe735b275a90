import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select
from support.destinations import answering, free_port, storescp
from support.server import until

from dicom_node.forwarding import queue
from dicom_node.forwarding.queue import MOST_REFUSALS
from dicom_node.imaging.frames import frame
from dicom_node.tables import forwarding_table
from telemed.kernel.errors import NotFound
from telemed.kernel.events import events_of

ROOT = Path(__file__).parents[3]

#: A process of its own that forwards until it is killed or told to stop.
ALONE = """
import sys
from pathlib import Path
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.forwarding.sending import Forwarding
from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.clock import SystemClock
from telemed.kernel.database import Database
from telemed.kernel.events import EventLog

url, blobs = sys.argv[1:]
database, clock = Database(url), SystemClock()
chronicle = Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
worker = Forwarding(database, chronicle, Archive(database, chronicle, Blobs(Path(blobs))), aet="TELEMED", look_every_s=0.05)
worker.start()
sys.stdin.readline()
worker.stop(0.5)
"""


def alone(database_url, folder):
    command = [sys.executable, "-c", ALONE, database_url, str(folder / "blobs")]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)


def received(folder):
    return {pydicom.dcmread(file).SOPInstanceUID for file in folder.iterdir()}


def test_what_arrives_is_sent_on_as_it_was_received(node, receiver):
    node.put(*(f"1.{number}" for number in range(5)))
    node.put("2.1", study="2", institution="hehua", file="JPEG2000.dcm")
    node.worker.start()
    until(lambda: node.destination().sent == 6, 20)
    files = {pydicom.dcmread(file).SOPInstanceUID: file for file in receiver.iterdir()}
    assert set(files) == {*(f"1.{number}" for number in range(5)), "2.1"}
    for uid, file in files.items():
        ours, theirs = pydicom.dcmread(node.archive.file("hehua" if uid == "2.1" else "lianhua", uid)), pydicom.dcmread(file)
        assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
        assert ours == theirs
    state = node.destination()
    assert (state.waiting, state.given_up, state.error, state.last_sent_at) == (0, 0, "", node.clock.now())
    with node.database.reading() as db:
        told = [event.data for event in events_of(db, "1") if event.type == "StudyForwarded"]
    assert sum(each["instances"] for each in told) == 5
    assert {(each["destination"], each["institution"]) for each in told} == {("DEST", "lianhua")}


def test_a_peer_without_the_transfer_syntax_gets_an_uncompressed_object_anew(node, tmp_path):
    port = free_port()
    node.forward_to("DEST", port)
    node.put("1.1")
    with storescp(tmp_path / "received", port, "+xi") as folder:  # implicit VR little endian and nothing else
        node.worker.start()
        until(lambda: node.destination().sent == 1, 20)
        assert received(folder) == {"1.1"}


def test_a_peer_that_takes_nothing_compressed_gets_the_same_pixels_and_what_cannot_be_read_fails_alone(node, tmp_path):
    port = free_port()
    node.forward_to("DEST", port)
    sources = {"1.1": "JPEG2000.dcm", "1.2": "MR_small_RLE.dcm", "1.3": "examples_ybr_color.dcm"}
    for uid, file in sources.items():
        node.put(uid, file=file)
    broken = pydicom.dcmread(get_testdata_file("MR_small_RLE.dcm", download=False))
    broken.SOPInstanceUID = broken.file_meta.MediaStorageSOPInstanceUID = "1.0"
    broken.PixelData = broken.PixelData[:40] + b"\xff" * 60 + broken.PixelData[100:]
    buffer = pydicom.filebase.DicomBytesIO()
    broken.save_as(buffer, enforce_file_format=True)
    node.archive.store(buffer.getvalue(), institution="lianhua", transfer_syntax_uid=None, source="CT1")
    node.worker.take()
    with storescp(tmp_path / "received", port, "+xi") as folder:
        while node.worker.send("DEST"):
            pass
        got = {file.SOPInstanceUID: file for file in map(pydicom.dcmread, folder.iterdir())}
    assert got.keys() == sources.keys()
    for uid in sources:
        ours = pydicom.dcmread(path := node.archive.file("lianhua", uid))
        assert got[uid].file_meta.TransferSyntaxUID.is_implicit_VR
        assert got[uid].PixelData.startswith(frame(path, 1).data)
        assert got[uid].PatientName == ours.PatientName
        assert uid == "1.3" or np.array_equal(got[uid].pixel_array, ours.pixel_array)
    assert got["1.3"].LossyImageCompression == "01"
    state = node.destination()
    assert (state.sent, state.waiting) == (3, 1)
    assert "uncompressed: the frame's pixels cannot be decoded" in state.error


#: What storescp is told to take: CT and nothing else.
ONLY_CT = r"""
[[TransferSyntaxes]]
[Plain]
TransferSyntax1 = LittleEndianExplicit
[[PresentationContexts]]
[CT]
PresentationContext1 = CTImageStorage\Plain
[[Profiles]]
[ONLYCT]
PresentationContexts = CT
"""


@pytest.fixture
def only_ct(node, tmp_path):
    """A storescp that is the peer DEST, takes CT alone and gets everything."""
    told, port = tmp_path / "only_ct.cfg", free_port()
    told.write_text(ONLY_CT)
    node.forward_to("DEST", port)
    with storescp(tmp_path / "received", port, "-xf", str(told), "ONLYCT"):
        yield


@pytest.mark.usefixtures("only_ct")
def test_what_a_destination_does_not_take_holds_up_nothing_that_it_takes(node):
    node.put("1.1", "1.2", file="MR_small.dcm", modality="MR")
    node.worker.take()
    assert node.worker.send("DEST") == 2
    node.put("1.3")
    node.worker.take()
    assert node.worker.send("DEST") == 1
    state = node.destination()
    assert (state.sent, state.waiting, state.next_try_at) == (1, 2, None)
    assert "does not take MR Image Storage" in state.error


@pytest.mark.usefixtures("only_ct")
def test_what_a_destination_never_takes_is_given_up(node, clock):
    node.put("1.1", file="MR_small.dcm", modality="MR")
    node.worker.take()
    for _ in range(MOST_REFUSALS):
        assert node.worker.send("DEST") == 1
        clock.pass_(seconds=3600)
    assert (node.destination().waiting, node.destination().given_up) == (0, 1)


def test_a_dead_and_a_hanging_destination_hold_up_nobody(node, receiver):
    let_go = threading.Event()

    def hang(_event):
        let_go.wait(30)
        return 0xA700

    with answering(hang) as port:
        node.forward_to("HANGS", port)
        node.forward_to("DEAD", free_port())
        node.put(*(f"1.{number}" for number in range(10)))
        node.worker.start()
        until(lambda: node.destination().sent == 10, 20)
        until(lambda: node.destination("DEAD").error, 20)
        assert len(received(receiver)) == 10
        hanging, dead = node.destination("HANGS"), node.destination("DEAD")
        assert (hanging.waiting, dead.waiting) == (10, 10)
        assert "cannot be reached" in dead.error
        assert dead.next_try_at > node.clock.now()
        let_go.set()


def test_a_destination_that_comes_back_gets_everything(node, tmp_path):
    port = free_port()
    node.forward_to("DEST", port)
    node.put("1.0", "1.1", "1.2")
    node.worker.take()
    pauses = []
    for _ in range(9):
        assert node.worker.send("DEST") == 1
        pauses.append(node.destination().next_try_at - node.clock.now())
        node.clock.at = node.destination().next_try_at
    assert pauses[0] <= timedelta(seconds=6.25) < pauses[3]
    assert max(pauses) <= timedelta(minutes=12.5)
    with storescp(tmp_path / "received", port) as folder:
        node.worker.start()
        until(lambda: node.destination().sent == 3, 20)
        assert received(folder) == {"1.0", "1.1", "1.2"}
    assert node.destination().error == ""


def test_an_object_that_is_refused_lets_the_others_by_and_is_given_up_in_the_end(node):
    with answering(lambda event: 0xA900 if event.request.AffectedSOPInstanceUID == "1.1" else 0x0000) as port:
        node.forward_to("DEST", port)
        node.put("1.0", "1.1", "1.2")
        node.worker.take()
        for _ in range(MOST_REFUSALS):
            while node.worker.send("DEST"):
                pass
            node.clock.pass_(hours=1)
        state = node.destination()
        assert (state.sent, state.waiting, state.given_up) == (2, 0, 1)
        assert "A900" in state.error
        with node.database.reading() as db:
            [told] = [event.data for event in events_of(db, "1") if event.type == "ForwardingGivenUp"]
        assert told["sop_instance_uid"] == "1.1"
        with node.database.transaction() as db:
            assert queue.retry(db, node.chronicle, "DEST", actor="test") == 1
        assert (node.destination().waiting, node.worker.send("DEST")) == (1, 1)


def test_an_object_over_which_the_peer_breaks_off_comes_last_the_next_time(node):
    def break_off(event):
        if event.request.AffectedSOPInstanceUID == "1.0":
            event.assoc.abort()
        return 0x0000

    with answering(break_off) as port:
        node.forward_to("DEST", port)
        node.put("1.0", "1.1", "1.2")
        node.worker.take()
        assert node.worker.send("DEST") == 1
        assert "lost" in node.destination().error
        node.clock.pass_(minutes=1)
        node.worker.send("DEST")
        assert (node.destination().sent, node.destination().waiting) == (2, 1)


def test_a_kill_in_the_middle_loses_nothing(node, database_url, receiver, tmp_path):
    uids = [f"1.{number}" for number in range(40)]
    node.put(*uids)
    with alone(database_url, tmp_path) as process:
        until(lambda: len(list(receiver.iterdir())) >= 5, 30)
        process.kill()
    with node.database.reading() as db:
        left = len(db.execute(select(forwarding_table)).all())
    assert 0 < left <= 40
    node.clock.pass_(days=3650)  # the killed process went by the machine's own clock
    node.worker.start()
    until(lambda: node.destination().waiting == 0, 30)
    assert received(receiver) == set(uids)


def test_a_destination_that_hangs_does_not_keep_the_process_that_is_to_stop(node, database_url, tmp_path):
    met, let_go = threading.Event(), threading.Event()

    def hang(_event):
        met.set()
        let_go.wait(60)
        return 0x0000

    with answering(hang) as port:
        node.forward_to("DEST", port)
        node.put("1.1")
        with alone(database_url, tmp_path) as process:
            assert met.wait(30)
            process.stdin.close()
            process.wait(20)
        let_go.set()
    assert (process.returncode, node.destination().waiting) == (0, 1)


@pytest.mark.parametrize("action", [queue.retry, queue.cancel])
def test_what_is_no_destination_is_not_retried_and_not_cancelled(node, action):
    with node.database.transaction() as db, pytest.raises(NotFound):
        action(db, node.chronicle, "NOBODY", actor="test")
