"""The power goes in the middle of a study: what was acknowledged is there, whole and once, and the rest can be sent again."""

from __future__ import annotations

import io
import re
import subprocess
from email.parser import BytesParser
from pathlib import Path

import pytest
from conformance.bad_files import shipped
from pydicom import dcmread, dcmwrite
from pydicom.uid import generate_uid
from support import dcmtk
from support.server import Server, until

OBJECTS, SERIES = 200, 4
SENDING = re.compile(r"Sending file: (\S+)")
ANSWERED = re.compile(r"Received Store Response \((\w+)")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """200 CT images of 40 KB in four series, as dcmtk writes them: so that what it sends is what lies in the file."""
    folder = tmp_path_factory.mktemp("study")
    dataset = dcmread(io.BytesIO(shipped("CT_small.dcm")))
    del dataset.DataSetTrailingPadding  # dcmtk does not send it
    dataset.StudyInstanceUID = generate_uid()
    series = [generate_uid() for _ in range(SERIES)]
    for number in range(OBJECTS):
        dataset.SeriesInstanceUID, dataset.SeriesNumber = series[number % SERIES], number % SERIES
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = number
        dcmwrite(folder / f"{number:03}.dcm", dataset)
        converted = dcmtk.run("dcmconv", folder / f"{number:03}.dcm", folder / f"{number:03}.dcm")
        assert converted.returncode == 0, converted.stderr
    return folder


def data_set_of(part_10: bytes) -> bytes:
    """Return what stands behind the File Meta Information."""
    return part_10[144 + int.from_bytes(part_10[140:144], "little") :]


def uid_of(part_10: bytes) -> str:
    return str(dcmread(io.BytesIO(part_10), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def send_until(server: Server, folder: Path, enough: int) -> set[str]:
    """Send *folder* with storescu, kill the server at the acknowledgement number *enough*; return the files acknowledged."""
    command = ["/usr/bin/storescu", "-v", "-R", "+sd", "-aec", "TELEMED", "127.0.0.1", str(server.dicom_port), str(folder)]
    acknowledged: set[str] = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sending:
        under_way = ""
        for line in sending.stdout:
            if match := SENDING.search(line):
                under_way = Path(match[1]).name
            elif (match := ANSWERED.search(line)) and match[1] == "Success":
                acknowledged.add(under_way)
                if len(acknowledged) == enough:
                    server.kill()
    return acknowledged


def kept(server: Server) -> dict[str, bytes]:
    """Retrieve everything by WADO-RS: SOP Instance UID -> data set; none may come twice."""
    client = server.client("clinic")
    found: dict[str, bytes] = {}
    for one in client.get("/api/v1/studies")["items"]:
        path = f"/dicom-web/studies/{one['study_instance_uid']}"
        accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        status, body, headers = client.ask("GET", path, headers=accept, raw=True)
        assert status == 200, body[:300]
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + body).get_payload():
            content = part.get_payload(decode=True)
            uid = uid_of(content)
            assert uid not in found, "it was retrieved twice"
            found[uid] = data_set_of(content)
        listed = client.get(f"{path}/instances?limit=1000&includefield=00080018")
        uids = [instance["00080018"]["Value"][0] for instance in listed]
        assert len(uids) == len(set(uids)), "an instance is listed twice"
        assert set(uids) == found.keys()
        assert one["instance_count"] == len(uids)
        assert one["series_count"] <= SERIES
    return found


def test_what_was_acknowledged_before_a_kill_is_there_whole_and_once(tmp_path, telemed, study):
    """Three times on the same data, each time a little further."""
    sent = {uid_of(content): content for content in (file.read_bytes() for file in study.iterdir())}
    promised: set[str] = set()
    server = Server(tmp_path / "data").start()
    try:
        for enough in (20, 80, 150):
            acknowledged = send_until(server, study, enough)
            assert enough <= len(acknowledged) < OBJECTS
            assert server.process.poll() is not None
            server.start()
            after = kept(server)
            promised |= {uid_of((study / name).read_bytes()) for name in acknowledged}
            assert promised <= after.keys()
            assert after.keys() <= sent.keys()
            assert all(content == data_set_of(sent[uid]) for uid, content in after.items())
            assert not list((server.data / "blobs" / "incoming").iterdir())
        verified = telemed("verify", "--data", server.data)
        assert verified.returncode == 0, verified.stdout + verified.stderr

        again = dcmtk.storescu(server.dicom_port, study)
        assert dcmtk.acknowledged(again.stdout + again.stderr) == OBJECTS
        client = server.client("clinic")  # a question waits a second for filing, and a busy machine may need more
        until(lambda: [one["instance_count"] for one in client.get("/api/v1/studies")["items"]] == [OBJECTS], 30)
        assert {uid: data_set_of(content) for uid, content in sent.items()} == kept(server)
        assert len(list((server.data / "blobs").rglob("*.dcm"))) == OBJECTS
        assert server.stop() == 0
        verified = telemed("verify", "--data", server.data)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        if server.process.poll() is None:
            server.kill()
