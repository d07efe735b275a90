"""Retrieving by WADO-RS: objects, metadata, bulk data."""

from __future__ import annotations

import base64
import io
import struct
from pathlib import Path

import aiohttp
import numpy as np
import pydicom
import pytest
from support.builders import a_person

from consult.practitioners.model import Role
from consult.rounds import actions as rounds
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid
from web.dicomweb.reading import Names, Reader

from .conftest import FILES, on_both_databases, path_of

JSON = "application/dicom+json"
MULTIPART = 'multipart/related; type="application/dicom"'


@pytest.mark.parametrize(
    "accept", ["*/*", MULTIPART, MULTIPART + "; transfer-syntax=*", "multipart/related; type=application/dicom"]
)
def test_objects_come_as_they_were_received(service, accept):
    one, other = service.keep("CT_small.dcm", "MR_small_RLE.dcm")
    answer = service.get(f"/studies/{one.study_instance_uid}", accept)
    assert answer.status == 200
    ((headers, body),) = answer.parts()
    assert body == (FILES / "CT_small.dcm").read_bytes()
    assert headers["Content-Type"] == "application/dicom;transfer-syntax=1.2.840.10008.1.2.1"
    assert headers["Content-Location"] == service.url + path_of(one)
    ((headers, body),) = service.get(path_of(other), accept).parts()
    assert body == (FILES / "MR_small_RLE.dcm").read_bytes()


def test_one_object_comes_alone_when_it_is_asked_for_alone(service):
    (one,) = service.keep("CT_small.dcm")
    answer = service.get(path_of(one), "application/dicom")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    assert answer.body == (FILES / "CT_small.dcm").read_bytes()
    part = service.get(path_of(one), "application/dicom", headers={"Range": "bytes=128-131"})
    assert (part.status, part.body) == (206, b"DICM")


def test_a_transfer_syntax_that_is_not_kept_is_not_promised(service):
    (one,) = service.keep("MR_small_RLE.dcm")
    assert service.get(path_of(one), MULTIPART + "; transfer-syntax=1.2.840.10008.1.2.4.90").status == 406
    assert service.get(path_of(one), MULTIPART + "; transfer-syntax=1.2.840.10008.1.2.5").status == 200


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.201"])
def test_objects_are_rewritten_in_the_transfer_syntax_that_is_asked_for(service, syntax):
    image, other, ecg = service.keep("MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "waveform_ecg.dcm")
    for one, name in ((image, "MR_small_RLE.dcm"), (other, "SC_rgb_rle_2frame.dcm")):
        for accept in (f"application/dicom; transfer-syntax={syntax}", f"{MULTIPART}; transfer-syntax={syntax}"):
            answer = service.get(path_of(one), accept)
            assert answer.status == 200
            body = answer.body if accept.startswith("application") else answer.parts()[0][1]
            data_set = pydicom.dcmread(io.BytesIO(body))
            assert data_set.file_meta.TransferSyntaxUID == syntax
            assert np.array_equal(data_set.pixel_array, pydicom.dcmread(FILES / name).pixel_array)
    (part,) = service.get(f"/studies/{ecg.study_instance_uid}", f"{MULTIPART}; transfer-syntax={syntax}").parts()
    assert pydicom.dcmread(io.BytesIO(part[1])).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "waveform_ecg.dcm", "rtplan.dcm"])
def test_metadata_reads_back_as_the_data_set(service, name):
    (one,) = service.keep(name)
    answer = service.get(path_of(one) + "/metadata", JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    (text,) = answer.json()
    original = pydicom.dcmread(FILES / name)
    back = pydicom.Dataset.from_json(text, lambda *_: b"bulk")
    same = ("SOPInstanceUID", "PatientID", "Modality", "Rows", "WindowCenter", "ImagePositionPatient", "SeriesNumber")
    assert [back.get(keyword) for keyword in same] == [original.get(keyword) for keyword in same]
    assert {tag for tag in back.keys() if tag.group != 8} == {  # noqa: SIM118 - a data set yields its elements
        tag
        for tag in original.keys()  # noqa: SIM118 - see above
        if tag.group not in (2, 8, 0xFFFC) and tag.element != 0
    }


def test_an_answer_that_breaks_off_does_not_pass_for_whole(service):
    image = pydicom.dcmread(FILES / "MR_small_RLE.dcm")
    kept = []
    for number in (1, 2):
        image.InstanceNumber = number
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}"
        image.save_as(buffer := io.BytesIO())
        kept.append(service.keep_bytes(buffer.getvalue()))
    file = service.archive.file(service.clinic, kept[1].sop_instance_uid)
    assert service.get(path_of(kept[1]) + "/frames/1").status == 200  # what it looks like is known from here on
    file.unlink()
    with pytest.raises(aiohttp.ClientPayloadError):
        service.get(f"/studies/{kept[0].study_instance_uid}", f"{MULTIPART}; transfer-syntax=1.2.840.10008.1.2.4.80")


def test_one_bad_value_does_not_hide_the_others(service):
    (one,) = service.keep("badVR.dcm")
    (text,) = service.get(path_of(one) + "/metadata", JSON).json()
    assert text["00280008"] == {"vr": "IS"}  # the file says "1A"
    assert text["00280010"] == {"vr": "US", "Value": [10]}


class CutsOff(Confinement):
    """A confinement in which everything that has to do with *file* is cut off."""

    def __init__(self, file: Path) -> None:
        super().__init__(processes=1)
        self.file, self.calls = file, 0

    def run(self, function, *arguments):
        self.calls += 1
        if self.file in arguments[0]:
            raise Invalid("reading it took too long", code="overstepped")
        return function(*arguments)


def test_one_hostile_object_does_not_hide_the_others_and_costs_its_price_once(service):
    good, bad = service.keep("CT_small.dcm", "MR_small.dcm")
    hostile = CutsOff(service.archive.file(service.clinic, bad.sop_instance_uid))
    reader = Reader(service.database, service.archive, service.chronicle, hostile)
    nurse = service.people["nurse"]
    found = [one for stored in (bad, good) for one in reader.kept(nurse, "s", Names(stored.study_instance_uid, None, None))]
    for calls in (3, 3):
        (text,) = reader.metadata(found, good.study_instance_uid, "http://here")
        assert good.sop_instance_uid.encode() in text
        assert hostile.calls == calls


def test_sequences_nested_beyond_reason_leave_the_object_out(service):
    (bad,) = service.keep("MR_small_RLE.dcm")
    level = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    file = service.archive.file(service.clinic, bad.sop_instance_uid)
    meta = 132 + 12 + struct.unpack("<I", file.read_bytes()[140:144])[0]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:meta] + level * 200 + end * 200)
    answer = service.get(path_of(bad) + "/metadata", JSON)
    assert (answer.status, answer.json()) == (200, [])


def test_a_look_up_table_stands_in_the_answer_however_long(service):
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 12])
    table.add_new("LUTData", "OW", bytes(8192))
    data_set.VOILUTSequence = [table]
    data_set.save_as(buffer := io.BytesIO())
    one = service.keep_bytes(buffer.getvalue())
    (text,) = service.get(path_of(one) + "/metadata", JSON).json()
    (item,) = text["00283010"]["Value"]
    assert len(item["00283006"]["InlineBinary"]) > 8192


def test_large_values_are_where_their_address_says(service):
    (ecg,) = service.keep("waveform_ecg.dcm")
    (text,) = service.get(path_of(ecg) + "/metadata").json()
    address = text["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
    assert address.startswith(service.url)
    expected = pydicom.dcmread(FILES / "waveform_ecg.dcm").WaveformSequence[0].WaveformData
    path = address.removeprefix(service.url)
    assert service.get(path, "application/octet-stream").body == expected
    assert service.get(path).parts()[0][1] == expected
    for wrong in (
        path.replace("54000100/0/", "54000100/9/"),
        path.replace("54001010", "00100010x"),
        path + "/1",
        path.replace("54000100/0/54001010", "99999999"),
    ):
        assert service.get(wrong).status == 404


def test_a_range_of_bulk_data_comes_alone(service):
    (one,) = service.keep("waveform_ecg.dcm")
    path = path_of(one) + "/bulkdata/54000100/0/54001010"
    whole = service.get(path, "application/octet-stream").body
    part = service.get(path, "application/octet-stream", headers={"Range": "bytes=10-19"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    assert service.get(path, "application/octet-stream", headers={"Range": "bytes=-5"}).body == whole[-5:]
    assert service.get(path, "application/octet-stream", headers={"Range": f"bytes={len(whole)}-"}).status == 416
    assert service.get(path, "application/octet-stream", headers={"Range": "bytes=a-b"}).body == whole


def test_pixel_data_is_bulk_data_too(service):
    native, compressed = service.keep("MR_small.dcm", "SC_rgb_rle_2frame.dcm")
    address = service.get(path_of(native) + "/metadata").json()[0]["7FE00010"]["BulkDataURI"]
    ((_, body),) = service.get(address.removeprefix(service.url)).parts()
    assert body == pydicom.dcmread(FILES / "MR_small.dcm").PixelData
    assert len(service.get(path_of(compressed) + "/bulkdata/7FE00010").parts()) == 2


def changed(name, **attributes):
    """A file of pydicom's with other attributes, as bytes."""
    data_set = pydicom.dcmread(FILES / name)
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_float_pixel_data_is_found_at_its_address(service):
    pixels = np.arange(32, dtype="<f4").tobytes()
    data_set = pydicom.dcmread(FILES / "MR_small.dcm")
    del data_set.PixelData
    data_set.Rows, data_set.Columns, data_set.BitsAllocated, data_set.NumberOfFrames = 4, 4, 32, 2
    data_set.FloatPixelData = pixels
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    address = service.get(path_of(service.keep_bytes(file.getvalue())) + "/metadata").json()[0]["7FE00008"]["BulkDataURI"]
    ((_, body),) = service.get(address.removeprefix(service.url)).parts()
    assert body == pixels


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "image/dicom-rle"),
        ('multipart/related; type="image/dicom-rle"', "image/dicom-rle"),
        ('multipart/related; type="image/*"; transfer-syntax=*', "image/dicom-rle"),
        ('multipart/related; type="application/octet-stream"', "application/octet-stream"),
        (
            'multipart/related; type="image/jpeg", multipart/related; type="application/octet-stream";q=0.1',
            "application/octet-stream",
        ),
        ("application/octet-stream", None),
    ],
)
def test_compressed_pixel_data_comes_as_it_is_asked_for(service, accept, media):
    (one,) = service.keep("SC_rgb_rle_2frame.dcm")
    answer = service.get(path_of(one) + "/bulkdata/7FE00010", accept)
    parts = [({"Content-Type": answer.headers["Content-Type"]}, answer.body)] if media is None else answer.parts()
    assert {headers["Content-Type"].partition(";")[0] for headers, _ in parts} == {media or "application/octet-stream"}
    if media != "image/dicom-rle":
        ((_, body),) = parts
        assert body == pydicom.dcmread(FILES / "SC_rgb_rle_2frame.dcm").pixel_array.tobytes()


@pytest.mark.parametrize(("first", "last"), [(0, 9), (29_995, 30_004), (30_000, 59_999), (59_990, 70_000)])
def test_a_range_of_pixel_data_may_reach_from_one_frame_into_the_next(service, first, last):
    (one,) = service.keep("SC_rgb_rle_2frame.dcm")
    whole, path = pydicom.dcmread(FILES / "SC_rgb_rle_2frame.dcm").pixel_array.tobytes(), path_of(one) + "/bulkdata/7FE00010"
    assert len(whole) == 2 * 30_000
    answer = service.get(path, "application/octet-stream", headers={"Range": f"bytes={first}-{last}"})
    assert (answer.status, answer.body) == (206, whole[first : last + 1])
    assert service.get(path, "application/octet-stream").body == whole


def test_pixel_data_that_is_empty_is_refused_with_a_sentence(service):
    empty = service.keep_bytes(changed("MR_small.dcm", PixelData=b""))
    answer = service.get(path_of(empty) + "/bulkdata/7FE00010", "application/octet-stream")
    assert (answer.status, answer.json()["code"]) == (422, "unreadable")


@pytest.mark.parametrize("accept", ["image/png", "text/html", 'multipart/related; type="image/jpeg"', "application/dicom"])
def test_bulk_data_that_is_not_of_the_kind_asked_for_is_not_given(service, accept):
    ecg, image = service.keep("waveform_ecg.dcm", "SC_rgb_rle_2frame.dcm")
    assert service.get(path_of(ecg) + "/bulkdata/54000100/0/54001010", accept).status == 406
    assert service.get(path_of(image) + "/bulkdata/7FE00010", accept).status == 406


def test_words_of_a_big_endian_file_come_in_little_endian(service):
    data_set = pydicom.dcmread(FILES / "MR_small_bigendian.dcm")
    block = data_set.private_block(0x0009, "ACME", create=True)
    block.add_new(1, "OW", bytes(range(4)))
    block.add_new(2, "OW", bytes(range(256)) * 4)
    block.add_new(3, "OB", bytes(range(4)))
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    (found,) = service.get(path_of(service.keep_bytes(file.getvalue())) + "/metadata").json()
    assert base64.b64decode(found["00091001"]["InlineBinary"]) == b"\1\0\3\2"
    assert base64.b64decode(found["00091003"]["InlineBinary"]) == b"\0\1\2\3"
    long = service.get(found["00091002"]["BulkDataURI"].removeprefix(service.url), "application/octet-stream").body
    assert long[:4] == b"\1\0\3\2"
    assert len(long) == 1024


def test_an_object_that_cannot_be_decoded_costs_a_study_none_of_the_others(service):
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
    pixels = pydicom.dcmread(FILES / "MR_small_RLE.dcm").PixelData
    broken = pixels[:40] + b"\xff" * 60 + pixels[100:]
    first = service.keep_bytes(
        changed("MR_small_RLE.dcm", **study, SOPInstanceUID="1.2.3.1.1", InstanceNumber=1, PixelData=broken)
    )
    service.keep_bytes(changed("MR_small_RLE.dcm", **study, SOPInstanceUID="1.2.3.1.2", InstanceNumber=2))
    answer = service.get("/studies/1.2.3", MULTIPART + "; transfer-syntax=1.2.840.10008.1.2.1")
    syntaxes = [pydicom.dcmread(io.BytesIO(body)).file_meta.TransferSyntaxUID for _, body in answer.parts()]
    assert syntaxes == ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"]
    assert "1.2.840.10008.1.2.5" in answer.parts()[0][0]["Content-Type"]
    assert service.get(path_of(first), "application/dicom; transfer-syntax=1.2.840.10008.1.2.1").status == 422
    pictures = service.get("/studies/1.2.3/rendered", 'multipart/related; type="image/png"')
    assert [headers["Content-Location"].split("/")[-4:-2] for headers, _ in pictures.parts()] == [["1.2.3.1.2", "frames"]]


@on_both_databases
def test_metadata_of_a_series_lists_its_instances_in_order(service):
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    expected = []
    for number in (3, 1, 2):
        data_set.InstanceNumber = number
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = f"2.25.10{number}"
        data_set.save_as(buffer := io.BytesIO())
        expected.append(service.keep_bytes(buffer.getvalue()))
    one = expected[0]
    for path in (f"/studies/{one.study_instance_uid}", f"/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"):
        answer = service.get(path + "/metadata", JSON).json()
        assert [found["00200013"]["Value"] for found in answer] == [[1], [2], [3]]
        assert len(service.get(path).parts()) == 3


def test_metadata_is_asked_for_again_only_when_an_instance_has_come(service):
    (one,) = service.keep("CT_small.dcm")
    path = f"/studies/{one.study_instance_uid}/metadata"
    first = service.get(path, JSON)
    again = service.get(path, JSON, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body, len(first.json())) == (304, b"", 1)
    for number in range(60):
        data_set = pydicom.dcmread(FILES / "CT_small.dcm")
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        data_set.save_as(buffer := io.BytesIO())
        service.keep_bytes(buffer.getvalue())
    later = service.get(path, JSON, headers={"If-None-Match": first.headers["ETag"]})
    assert (later.status, len(later.json())) == (200, 61)
    assert later.headers["ETag"] != first.headers["ETag"]


def test_a_name_in_gbk_under_a_wrong_label_is_right_in_the_metadata(service):
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.SpecificCharacterSet = "ISO_IR 100"
    data_set.save_as(buffer := io.BytesIO())
    name, gbk = b"CompressedSamples^CT1", "Wang^Xiaodong=王小东".encode("gbk")
    data = buffer.getvalue().replace(name + b" ", gbk.ljust(len(name) + 1))
    assert data != buffer.getvalue()
    one = service.keep_bytes(data)
    (text,) = service.get(path_of(one) + "/metadata").json()
    assert text["00100010"]["Value"] == [{"Alphabetic": "Wang^Xiaodong", "Ideographic": "王小东"}]
    assert text["00080005"]["Value"] == ["ISO_IR 192"]


def test_what_is_absent_and_what_is_not_for_this_viewer_answer_alike(service):
    (one,) = service.keep("CT_small.dcm")
    path = path_of(one)
    for end in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/frames/1/rendered", "/bulkdata/7FE00010"):
        absent = service.get(path.replace("1.3.6", "1.3.7") + end)
        foreign = service.get(path + end, person="stranger")
        assert (foreign.status, foreign.json()["detail"]) == (404, absent.json()["detail"])
        assert absent.status == 404
        assert service.get(path + end, person="regulator").status == 403
    wrong_series = path.replace(one.series_instance_uid, "1.2.3")
    assert service.get(wrong_series).status == 404


def test_a_right_that_is_withdrawn_ends_with_the_next_request(service):
    (one,) = service.keep("CT_small.dcm")
    coordinator = a_person(service.database, service.chronicle, service.clinic, Role.COORDINATOR)
    over = {"institution_id": service.clinic, "study_instance_uid": one.study_instance_uid}
    with service.database.transaction() as db:
        invited = [service.people["stranger"].institution_id]
        id_ = rounds.open_round(db, service.chronicle, title="会诊", **over, invited=invited, by=coordinator).id
    frame = f"{path_of(one)}/frames/1"
    assert [service.get(frame, person="stranger").status for _ in range(3)] == [200] * 3
    with service.database.transaction() as db:
        rounds.close(db, service.chronicle, id_, by=coordinator)
    assert service.get(frame, person="stranger").status == 404
    assert service.get(frame).status == 200


def test_a_series_comes_as_one_whole_of_known_length(service):
    stored = service.keep("CT_small.dcm", "MR_small.dcm")
    for one in stored:
        answer = service.get(path_of(one).rpartition("/instances/")[0], 'multipart/related; type="application/dicom"')
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        ((headers, body),) = answer.parts()
        assert int(headers["Content-Length"]) == len(body)
