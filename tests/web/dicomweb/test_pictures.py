"""Frames, rendered pictures and thumbnails as viewers ask for them."""

from __future__ import annotations

import html
import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from sqlalchemy import select

from dicom_node.imaging.rendering import THUMBNAIL, WHOLE
from telemed.kernel.audit import audit_table
from web import keys

from .conftest import FILES, path_of

OCTETS = "application/octet-stream"
PARTS = 'multipart/related; type="application/octet-stream"'


def raw(name: str) -> bytes:
    return pydicom.dcmread(FILES / name).pixel_array.tobytes()


def test_our_viewer_gets_the_pixels_of_a_frame_alone(service):
    (one,) = service.keep("CT_small.dcm")
    answer = service.get(path_of(one) + "/frames/1", OCTETS)
    assert (answer.status, answer.body) == (200, raw("CT_small.dcm"))
    assert answer.headers["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert answer.headers["X-Photometric-Interpretation"] == "MONOCHROME2"
    assert "Content-Encoding" not in answer.headers
    again = service.get(path_of(one) + "/frames/1", OCTETS, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert "private" in again.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("name", "bits"), [("SC_rgb_jpeg_dcmtk.dcm", "8"), ("SC_ybr_full_422_uncompressed.dcm", "8"), ("liver_1frame.dcm", "8")]
)
def test_our_viewer_gets_colour_as_rgb_and_bits_as_bytes(service, name, bits):
    (one,) = service.keep(name)
    answer = service.get(path_of(one) + "/frames/1", OCTETS)
    assert answer.body == raw(name)
    assert answer.headers["X-Bits-Allocated"] == bits
    if answer.headers["X-Samples-Per-Pixel"] == "3":
        assert answer.headers["X-Photometric-Interpretation"] == "RGB"


def test_other_viewers_get_parts_decoded_or_as_stored(service):
    (one,) = service.keep("SC_rgb_rle_2frame.dcm")
    data_set = pydicom.dcmread(FILES / "SC_rgb_rle_2frame.dcm")
    stored = list(generate_frames(data_set.PixelData, number_of_frames=2))
    path = path_of(one) + "/frames/"
    for accept in ("*/*", PARTS, PARTS + "; transfer-syntax=1.2.840.10008.1.2.1"):
        parts = service.get(path + "1,2", accept).parts()
        assert [body for _, body in parts] == [frame.tobytes() for frame in data_set.pixel_array]
        assert parts[0][0]["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    for accept in (PARTS + "; transfer-syntax=*", 'multipart/related; type="image/dicom-rle"'):
        parts = service.get(path + "2,1", accept).parts()
        assert [body for _, body in parts] == [stored[1], stored[0]]
        assert parts[0][0]["Content-Type"].endswith("transfer-syntax=1.2.840.10008.1.2.5")
    assert service.get(path + "2", "image/dicom-rle").body == stored[1]
    assert service.get(path + "1", 'multipart/related; type="image/jp2"').status == 406
    assert service.get(path + "1", 'multipart/related; type="image/jp2", */*;q=0.1').status == 200


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jphc", "1.2.840.10008.1.2.4.201"),
        ("image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.201"),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.80"),
    ],
)
@pytest.mark.parametrize("name", ["CT_small.dcm", "JPEG2000.dcm", "examples_rgb_color.dcm", "examples_palette.dcm"])
def test_frames_come_transcoded_without_loss(service, accept, syntax, name):
    (one,) = service.keep(name)
    answer = service.get(path_of(one) + "/frames/1", accept)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == f"{accept.split(';')[0]}; transfer-syntax={syntax}"
    assert "Content-Encoding" not in answer.headers
    decode = imagecodecs.jpegls_decode if syntax.endswith("80") else imagecodecs.htj2k_decode
    assert np.ascontiguousarray(decode(answer.body)).tobytes() == raw(name)
    in_parts = f'multipart/related; type="{accept.split(";")[0]}"; transfer-syntax={syntax}'
    (part,) = service.get(path_of(one) + "/frames/1", in_parts).parts()
    assert part[1] == answer.body


def test_what_cannot_be_without_loss_is_not_promised(service):
    bits, floats = service.keep("liver_1frame.dcm", "rtdose_1frame.dcm")
    assert service.get(path_of(bits) + "/frames/1", "image/jls").status == 406
    assert service.get(path_of(floats) + "/frames/1", "image/jphc").status == 406


@pytest.mark.parametrize(
    ("frames", "status"), [("2", 404), ("0", 404), ("1,7", 404), ("x", 400), ("1;2", 400), ("1," * 2000, 400)]
)
def test_frames_that_are_not_there_are_not_answered(service, frames, status):
    (one,) = service.keep("CT_small.dcm")
    answer = service.get(f"{path_of(one)}/frames/{frames}")
    assert (answer.status, bool(answer.json()["detail"])) == (status, True)


def opened(answer) -> Image.Image:
    assert answer.status == 200, answer.body
    return Image.open(io.BytesIO(answer.body))


def test_a_frame_is_rendered_through_the_window_that_is_asked_for(service):
    (one,) = service.keep("CT_small.dcm")
    path = path_of(one) + "/frames/1/rendered"
    assert opened(service.get(path)).format == "JPEG"
    shown = np.asarray(opened(service.get(path + "?window=40,400,linear", "image/png"))).astype(int)
    values = pydicom.dcmread(FILES / "CT_small.dcm").pixel_array.astype(float) - 1024
    assert np.abs(shown - np.clip((values - 39.5) / 399 + 0.5, 0, 1) * 255).max() <= 1
    assert opened(service.get(path + "?viewport=32,64", "image/png")).size == (32, 32)
    assert opened(service.get(path + "?viewport=64,64,0,0,64,32", "image/png")).size == (64, 32)
    assert len(service.get(path + "?quality=5").body) < len(service.get(path + "?quality=95").body)
    assert opened(service.get(path_of(one) + "/rendered", "image/png;q=0.5, image/jpeg")).format == "JPEG"


@pytest.mark.parametrize(
    "query",
    [
        "window=1",
        "window=1,0",
        "window=a,b",
        "window=1,2,cubic",
        "viewport=0,5",
        "viewport=9",
        "quality=0",
        "quality=0001" + "0" * 5000,
    ],
)
def test_a_picture_that_cannot_be_made_is_refused_with_a_sentence(service, query):
    (one,) = service.keep("CT_small.dcm")
    answer = service.get(f"{path_of(one)}/rendered?{query}")
    assert answer.status in {400, 422}
    assert len(answer.json()["detail"]) > 20
    in_parts = service.get(f"{path_of(one)}/rendered?{query}", 'multipart/related; type="image/jpeg"')
    assert (in_parts.status, in_parts.json()["detail"]) == (answer.status, answer.json()["detail"])
    assert service.get(path_of(one) + "/rendered", "image/gif").status == 406


def test_thumbnails_are_small_and_of_images_only(service):
    ct, ecg = service.keep("CT_small.dcm", "waveform_ecg.dcm")
    study = f"/studies/{ct.study_instance_uid}"
    for path in (study, f"{study}/series/{ct.series_instance_uid}", path_of(ct), path_of(ct) + "/frames/1"):
        assert max(opened(service.get(path + "/thumbnail")).size) == 160
    assert opened(service.get(study + "/thumbnail?viewport=48,48")).size == (48, 48)
    assert service.get(f"/studies/{ecg.study_instance_uid}/thumbnail").status == 404
    assert service.get(path_of(ecg) + "/frames/1").status == 404


def test_a_picture_made_beforehand_is_for_the_same_people_and_leaves_the_same_trace(service):
    (one,) = service.keep("CT_small.dcm")
    service.app[keys.IMAGING].prepare(
        service.archive.blobs.path(one.digest), 1, (THUMBNAIL, WHOLE), digest=one.digest, by=service.app[keys.CONFINEMENT]
    )
    for end in ("/thumbnail", "/rendered"):
        assert service.get(path_of(one) + end, person="stranger").status == 404
    assert not records_of(service, one)
    for end in ("/thumbnail", "/rendered"):
        assert opened(service.get(path_of(one) + end)).format == "JPEG"
    assert [record.actor for record in records_of(service, one)] == [service.people["nurse"].practitioner_id]


def records_of(service, one) -> list[Any]:
    """Return what the audit trail says of who has read the study of *one*."""
    read = (audit_table.c.entity_id == one.study_instance_uid) & (audit_table.c.action == "StudyRead")
    with service.database.reading() as db:
        return list(db.execute(select(audit_table).where(read)).all())


def test_a_document_comes_out_as_a_document(service):
    data_set = pydicom.dcmread(FILES / "CT_small.dcm", stop_before_pixels=True)
    for keyword in ("Rows", "Columns"):
        del data_set[keyword]
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    data_set.EncapsulatedDocument, data_set.MIMETypeOfEncapsulatedDocument = b"%PDF-1.7\n ", "application/pdf"
    data_set.save_as(buffer := io.BytesIO())
    one = service.keep_bytes(buffer.getvalue())
    answer = service.get(path_of(one) + "/rendered", "application/pdf")
    assert (answer.headers["Content-Type"], answer.body) == ("application/pdf", b"%PDF-1.7\n ")


@pytest.mark.parametrize("media", ["image/jpeg", "image/png"])
def test_a_study_is_rendered_picture_by_picture(service, media):
    ct, colour = service.keep("CT_small.dcm", "SC_rgb_rle_2frame.dcm")
    for one, count in ((ct, 1), (colour, 2)):
        study = f"/studies/{one.study_instance_uid}"
        for path in (study, f"{study}/series/{one.series_instance_uid}", path_of(one)):
            answer = service.get(path + "/rendered?viewport=40,40", f'multipart/related; type="{media}"')
            parts = answer.parts()
            assert [headers["Content-Type"] for headers, _ in parts] == [media] * count
            assert all(max(Image.open(io.BytesIO(body)).size) == 40 for _, body in parts)
            assert parts[-1][0]["Content-Location"].endswith(f"{path_of(one)}/frames/{count}/rendered")
    both = service.get(path_of(colour) + "/frames/2,1/rendered", f'multipart/related; type="{media}"').parts()
    assert [headers["Content-Location"].split("/")[-2] for headers, _ in both] == ["2", "1"]
    assert service.get(path_of(colour) + "/frames/7/rendered", f'multipart/related; type="{media}"').status == 404
    assert service.get(f"/studies/{ct.study_instance_uid}/rendered", media).status == 406


def test_a_report_is_rendered_as_text_with_every_word_escaped(service):
    data_set = pydicom.dcmread(FILES / "reportsi.dcm")
    data_set.PatientName = "<script>alert(1)</script>^王小东"
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.save_as(buffer := io.BytesIO())
    one = service.keep_bytes(buffer.getvalue())
    answer = service.get(path_of(one) + "/rendered", "text/html")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = answer.body.decode()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "王小东" in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    said = [item for item in data_set.ContentSequence if "ConceptNameCodeSequence" in item]
    assert said
    for item in said:
        assert html.escape(item.ConceptNameCodeSequence[0].CodeMeaning) in text
    assert service.get(path_of(one) + "/rendered", "*/*").headers["Content-Type"].startswith("text/html")
    assert service.get(path_of(one) + "/rendered", "image/jpeg").status == 406


def test_what_has_no_rendered_form_says_so(service):
    (plan,) = service.keep("rtplan.dcm")
    assert service.get(path_of(plan) + "/rendered").status == 404
