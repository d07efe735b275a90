"""Clients as their makers ship them: dcmtk's programs, Orthanc in both its roles, dicomweb-client."""

from __future__ import annotations

import base64
import re

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.data import get_testdata_file
from support import dcmtk, orthanc
from support.server import until

STUDY, NAME = "1.2.826.0.1.3680043.8.498.91", "WANG^Fang=王芳"


def a_file(folder, number, *, study=STUDY):
    """A small CT slice of one series of *study*, as a file."""
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    image.SpecificCharacterSet, image.PatientName, image.PatientID = "ISO_IR 192", NAME, "P91"
    image.StudyInstanceUID, image.SeriesInstanceUID = study, f"{study}.1"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number}"
    image.InstanceNumber = number
    path = folder / f"{study}.1.{number}.dcm"
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="module")
def token(server, telemed):
    return telemed("token", "create", "clinic", "--data", server.data).stdout.strip()


@pytest.fixture(scope="module")
def study(server, tmp_path_factory):
    """Three slices that storescu brought, as the files it sent."""
    folder = tmp_path_factory.mktemp("study")
    files = [a_file(folder, number) for number in (1, 2, 3)]
    done = dcmtk.storescu(server.dicom_port, folder)
    assert dcmtk.acknowledged(done.stdout + done.stderr) == 3, done.stderr
    return files


@pytest.fixture(scope="module")
def peer(server, token, study, telemed, tmp_path_factory):
    """Orthanc, knowing our server as a modality and by DICOMweb, and known to it as a destination."""
    basic = {"Url": f"{server.http}/dicom-web", "Username": "clinic", "Password": token}
    with orthanc.running(
        tmp_path_factory.mktemp("orthanc") / "data",
        modalities={"telemed": ["TELEMED", "127.0.0.1", server.dicom_port]},
        servers={"telemed": basic},
    ) as running:
        added = telemed("peer", "add", "ORTHANC", f"127.0.0.1:{running.port}", "--data", server.data)
        assert added.returncode == 0, added.stderr
        yield running


@pytest.fixture
def client(server, token):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    yield DICOMwebClient(f"{server.http}/dicom-web", session=session)
    session.close()


def at(server):
    return "-aec", "TELEMED", "-aet", "LIANHUA", "127.0.0.1", server.dicom_port


def instances_of(server, study):
    """The SOP Instance UIDs that findscu finds at our server."""
    keys = ("-k", "QueryRetrieveLevel=IMAGE", "-k", f"StudyInstanceUID={study}", "-k", "SOPInstanceUID")
    done = dcmtk.run("findscu", "-v", "-S", *keys, *at(server))
    assert done.returncode == 0, done.stderr
    return sorted(re.findall(rf"\(0008,0018\) UI \[({re.escape(study)}[0-9.]*)", done.stdout + done.stderr))


def test_echoscu_is_answered(server):
    assert dcmtk.run("echoscu", *at(server)).returncode == 0


def test_dcmsend_sends_a_folder_and_getscu_brings_it_back(server, tmp_path):
    study = f"{STUDY}.2"
    sent = {a_file(tmp_path, number, study=study).name: number for number in (1, 2)}
    done = dcmtk.run("dcmsend", "-v", "-aec", "TELEMED", "-aet", "LIANHUA", "127.0.0.1", server.dicom_port, "+sd", tmp_path)
    assert done.returncode == 0, done.stderr
    until(lambda: len(instances_of(server, study)) == len(sent))
    got = tmp_path / "got"
    got.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    assert dcmtk.run("getscu", "-S", "-od", got, *keys, *at(server)).returncode == 0
    assert sorted(pydicom.dcmread(file).InstanceNumber for file in got.iterdir()) == sorted(sent.values())


def test_termscu_ends_nothing(server):
    """Its private shutdown class is not taken, and the node goes on."""
    assert "Association Accepted" in dcmtk.run("termscu", "-v", *at(server)).stderr
    assert dcmtk.run("echoscu", *at(server)).returncode == 0


def test_orthanc_stores_to_us(server, peer, tmp_path):
    study = f"{STUDY}.3"
    stored = [peer.tell("/instances", a_file(tmp_path, number, study=study).read_bytes())["ID"] for number in (1, 2)]
    peer.tell("/modalities/telemed/echo", {})
    assert peer.tell("/modalities/telemed/store", stored)["FailedInstancesCount"] == 0
    until(lambda: instances_of(server, study) == [f"{study}.1.1", f"{study}.1.2"])


def test_orthanc_finds_a_study_here_and_has_it_moved_to_itself(peer, study):
    peer.forget()
    asked = {"Level": "Study", "Query": {"PatientID": "P91", "StudyInstanceUID": STUDY, "PatientName": ""}}
    query = peer.tell("/modalities/telemed/query", asked)["ID"]
    assert peer.tell(f"/queries/{query}/answers") == ["0"]
    found = peer.tell(f"/queries/{query}/answers/0/content?simplify")
    assert found["PatientName"] == NAME
    peer.tell(f"/queries/{query}/answers/0/retrieve", "ORTHANC")
    assert len(peer.tell("/instances")) == len(study)
    [kept] = peer.tell("/patients")
    assert peer.tell(f"/patients/{kept}")["MainDicomTags"]["PatientName"] == NAME


def test_a_study_is_found_at_orthanc_and_moved_to_us(server, peer, tmp_path):
    study = f"{STUDY}.4"
    for number in (1, 2):
        peer.tell("/instances", a_file(tmp_path, number, study=study).read_bytes())
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    to_orthanc = ("-aec", "ORTHANC", "-aet", "LIANHUA", "127.0.0.1", peer.port)
    found = dcmtk.run("findscu", "-v", "-S", *keys, *to_orthanc)
    assert study in found.stdout + found.stderr
    peer.tell("/modalities/TELEMED", ["TELEMED", "127.0.0.1", server.dicom_port], method="PUT")
    moved = dcmtk.run("movescu", "-v", "-S", "-aem", "TELEMED", *keys, *to_orthanc)
    assert "Received Final Move Response (Success)" in moved.stdout + moved.stderr
    until(lambda: instances_of(server, study) == [f"{study}.1.1", f"{study}.1.2"])


def test_orthancs_dicomweb_plugin_searches_retrieves_and_stores_here(server, peer, study, tmp_path):
    """By the token as the password of a basic sign-in: it is all that the plugin's own form asks for."""
    peer.forget()
    found = peer.tell(
        "/dicom-web/servers/telemed/qido", {"Uri": "/studies", "Arguments": {"PatientID": "P91", "00100010": "王芳"}}
    )
    assert STUDY in str(found), found
    peer.tell("/dicom-web/servers/telemed/retrieve", {"Resources": [{"Study": STUDY}]})
    assert len(peer.tell("/instances")) == len(study)
    sent = f"{STUDY}.5"
    stored = peer.tell("/instances", a_file(tmp_path, 1, study=sent).read_bytes())["ID"]
    peer.tell("/dicom-web/servers/telemed/stow", {"Resources": [stored]})
    until(lambda: instances_of(server, sent) == [f"{sent}.1.1"])


def test_dicomweb_client_searches_and_retrieves(client, study):
    first = pydicom.dcmread(study[0])
    series = first.SeriesInstanceUID
    [found] = client.search_for_studies(search_filters={"StudyInstanceUID": STUDY}, fields=["StudyDescription"])
    assert pydicom.Dataset.from_json(found).PatientName == NAME
    assert len(client.search_for_instances(STUDY, series)) == len(study)
    assert len(client.retrieve_series_metadata(STUDY, series)) == len(study)
    assert {one.SOPInstanceUID for one in client.iter_series(STUDY, series)} == {path.stem for path in study}
    assert client.retrieve_instance(STUDY, series, first.SOPInstanceUID).PixelData == first.PixelData
    [frame] = client.retrieve_instance_frames(STUDY, series, first.SOPInstanceUID, [1])
    assert np.array_equal(np.frombuffer(frame, "<i2").reshape(128, 128), first.pixel_array)
    picture = client.retrieve_instance_rendered(STUDY, series, first.SOPInstanceUID, media_types=("image/jpeg",))
    assert picture[:2] == b"\xff\xd8"


def test_dicomweb_client_stores(client, server, tmp_path):
    study = f"{STUDY}.6"
    objects = [pydicom.dcmread(a_file(tmp_path, number, study=study)) for number in (1, 2)]
    answer = client.store_instances(objects)
    assert len(answer.ReferencedSOPSequence) == 2
    until(lambda: instances_of(server, study) == [f"{study}.1.1", f"{study}.1.2"])


def test_a_password_is_no_token(server):
    secret = base64.b64encode(b"clinic:telemed-demo").decode()
    answer = requests.get(f"{server.http}/dicom-web/studies", headers={"Authorization": f"Basic {secret}"}, timeout=10)
    assert answer.status_code == 401
    assert "Basic" not in answer.headers["WWW-Authenticate"]  # no browser shall ask for it
