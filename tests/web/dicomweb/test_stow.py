"""Storing by STOW-RS: each object gets its own answer, and a bad one stops none of the others."""

from __future__ import annotations

import io
import json

import pydicom
import pytest
from pydicom.encaps import generate_frames

from web.dicomweb import stow
from web.dicomweb.described import MAXIMUM_METADATA_BYTES
from web.dicomweb.multipart import END_OF_PART, closing, content_type, opening

from .conftest import FILES, path_of

CT, MR = (FILES / "CT_small.dcm").read_bytes(), (FILES / "MR_small_RLE.dcm").read_bytes()
CT_UID, MR_UID = (pydicom.dcmread(FILES / name).SOPInstanceUID for name in ("CT_small.dcm", "MR_small_RLE.dcm"))


def post(service, *objects: bytes, path: str = "/studies", person: str = "nurse", cut: int = 0, media: str = stow.DICOM):
    body = b"".join(opening("edge", {"Content-Type": media}) + one + END_OF_PART for one in objects) + closing("edge")
    headers = {"Content-Type": content_type(stow.DICOM, "edge")}
    return service.ask("POST", path, person=person, data=body[: len(body) - cut], headers=headers)


def stored(answer) -> list[str]:
    return [one["00081155"]["Value"][0] for one in answer.json().get("00081199", {}).get("Value", [])]


def failed(answer) -> list[tuple[int, str]]:
    return [
        (one["00081197"]["Value"][0], one["00000902"]["Value"][0]) for one in answer.json().get("00081198", {}).get("Value", [])
    ]


def test_what_is_stored_is_kept_as_it_came_and_found_where_the_answer_says(service):
    answer = post(service, CT, MR)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/dicom+json")
    assert stored(answer) == [CT_UID, MR_UID]
    assert not failed(answer)
    where = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert service.get(where.removeprefix(service.url), "application/dicom").body == CT
    again = post(service, CT)
    assert (again.status, stored(again)) == (200, [CT_UID])
    assert service.get(where.removeprefix(service.url), "application/dicom", person="stranger").status == 404


def test_one_object_may_be_the_whole_body(service):
    answer = service.ask("POST", "/studies", data=CT, headers={"Content-Type": "application/dicom"})
    assert (answer.status, stored(answer)) == (200, [CT_UID])


@pytest.mark.parametrize(
    "bad", [b"", b"I am a text file, not an image.\n" * 30, CT[:20_000], CT[:200]], ids=["empty", "text", "truncated", "header"]
)
def test_a_bad_object_is_refused_with_a_reason_and_stops_no_other(service, bad):
    alone = post(service, bad)
    assert alone.status == 409
    ((reason, sentence),) = failed(alone)
    assert reason == stow.CANNOT_UNDERSTAND
    assert len(sentence) > 10
    beside = post(service, bad, CT)
    assert (beside.status, stored(beside), len(failed(beside))) == (202, [CT_UID], 1)
    assert len(service.get("/instances").json()) == 1


def test_an_object_of_another_study_is_refused_where_one_study_is_named(service):
    uid = pydicom.dcmread(FILES / "CT_small.dcm").StudyInstanceUID
    answer = post(service, CT, MR, path=f"/studies/{uid}")
    assert (answer.status, stored(answer)) == (202, [CT_UID])
    assert failed(answer)[0][0] == stow.ANOTHER_STUDY
    assert post(service, MR, path="/studies/1.2.3").status == 409


def test_other_content_under_a_known_uid_is_kept_beside_and_said(service):
    (one,) = service.keep("CT_small.dcm")
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.PixelData = bytes(len(data_set.PixelData))
    data_set.save_as(buffer := io.BytesIO())
    answer = post(service, buffer.getvalue())
    assert answer.status == 202
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081196"]["Value"] == [stow.KEPT_BESIDE]
    assert service.get(path_of(one), "application/dicom").body == CT


def test_a_transfer_that_breaks_off_keeps_what_was_whole(service):
    answer = post(service, MR, CT, cut=len(CT) // 2)
    assert (answer.status, stored(answer)) == (202, [MR_UID])
    assert "ended before" in failed(answer)[-1][1]


def test_an_object_over_the_limit_is_not_gathered(service, monkeypatch):
    monkeypatch.setattr(stow, "MAXIMUM_OBJECT_BYTES", len(MR) + 1)
    answer = post(service, CT, MR)
    assert (answer.status, stored(answer)) == (202, [MR_UID])
    assert "larger than" in failed(answer)[0][1]


@pytest.mark.parametrize("media", ["text/html", "application/dicom+json"])
def test_parts_of_other_kinds_are_refused_one_by_one(service, media):
    answer = post(service, CT, media=media)
    assert answer.status == 409
    assert media in failed(answer)[0][1]


@pytest.mark.parametrize(
    ("content", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ('multipart/related; type="application/dicom+xml"; boundary=x', b"--x--", 415),
        ('multipart/related; type="application/dicom"', b"--x--", 400),
        ('multipart/related; type="application/dicom"; boundary=x', b"--x--\r\n", 400),
        ('multipart/related; type="application/dicom"; boundary=x', b"--x!\r\n\r\n", 400),
    ],
)
def test_what_is_no_store_request_is_refused_with_a_sentence(service, content, body, status):
    answer = service.ask("POST", "/studies", data=body, headers={"Content-Type": content})
    assert (answer.status, bool(answer.json()["detail"])) == (status, True)


def test_only_those_who_may_send_can_store(service):
    assert post(service, CT, person="regulator").status == 403
    assert service.get("/studies").status == 204


def described(service, metadata, *bulk: tuple[str, str, bytes], boundary="edge"):
    """Send metadata, as DICOM JSON or any other bytes, and bulk data: (address, media type, content)."""
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    body = opening(boundary, {"Content-Type": "application/dicom+json"}) + text + END_OF_PART
    for address, media, content in bulk:
        body += opening(boundary, {"Content-Type": media, "Content-Location": address}) + content + END_OF_PART
    headers = {"Content-Type": content_type("application/dicom+json", boundary)}
    return service.ask("POST", "/studies", data=io.BytesIO(body + closing(boundary)), headers=headers)


def json_of(name: str, address: str, **changed: str) -> dict:
    """An instance in the DICOM JSON Model, its pixels at *address*."""
    data_set = pydicom.dcmread(FILES / name)
    for keyword, value in changed.items():
        setattr(data_set, keyword, value)
    data_set.remove_private_tags()
    found = data_set.to_json_dict(bulk_data_threshold=1 << 30)
    found["7FE00010"] = {"vr": found["7FE00010"]["vr"], "BulkDataURI": address}
    return found


def test_metadata_and_bulk_data_are_put_together_and_read_back_byte_by_byte(service):
    pixels = pydicom.dcmread(FILES / "CT_small.dcm").PixelData
    frame = next(generate_frames(pydicom.dcmread(FILES / "MR_small_RLE.dcm").PixelData, number_of_frames=1))
    metadata = [json_of("CT_small.dcm", "bulk/1", PatientName="王^芳"), json_of("MR_small_RLE.dcm", "bulk/2")]
    rle = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5"
    answer = described(service, metadata, ("bulk/1", "application/octet-stream", pixels), ("bulk/2", rle, frame))
    assert (answer.status, stored(answer), failed(answer)) == (200, [CT_UID, MR_UID], [])
    where = [one["00081190"]["Value"][0].removeprefix(service.url) for one in answer.json()["00081199"]["Value"]]
    (_, ct), (_, mr) = (
        service.get(f"{one}/frames/1", 'multipart/related; type="application/octet-stream"; transfer-syntax=*').parts()[0]
        for one in where
    )
    assert (ct, mr) == (pixels, frame)
    (told,) = service.get(f"{where[0]}/metadata").json()
    assert told["00100010"]["Value"] == [{"Alphabetic": "王^芳"}]
    assert told["00200032"] == metadata[0]["00200032"]


def test_an_instance_that_cannot_be_put_together_fails_alone_by_name(service):
    pixels = pydicom.dcmread(FILES / "CT_small.dcm").PixelData
    missing = json_of("MR_small_RLE.dcm", "bulk/none")
    broken = {"00080018": {"vr": "UI", "Value": ["1.2.3"]}, "00100010": {"vr": "PN", "Value": 7}}
    answer = described(
        service, [missing, broken, json_of("CT_small.dcm", "bulk/1")], ("bulk/1", "application/octet-stream", pixels)
    )
    assert (answer.status, stored(answer)) == (202, [CT_UID])
    named = [one["00081155"]["Value"][0] for one in answer.json()["00081198"]["Value"]]
    assert named == [MR_UID, "1.2.3"]
    assert "'bulk/none' is no part" in failed(answer)[0][1]


@pytest.mark.parametrize("metadata", [b"", b"{", b"[" * 100_000, b"7", b"[7]"])
def test_metadata_that_is_none_is_one_answer(service, metadata):
    answer = described(service, metadata)
    assert answer.status == 400
    assert service.get("/studies").status == 204


def test_too_much_metadata_is_refused_before_it_is_all_there(service):
    answer = described(service, b" " * (MAXIMUM_METADATA_BYTES + 1))
    assert answer.status == 413
