"""Accept headers as clients really send them."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from web.dicomweb.accept import covers, media_ranges, parsed


def test_the_headers_of_ohif_and_dicomweb_client_are_understood():
    header = "multipart/related; type=application/octet-stream; transfer-syntax=*"
    (one,) = parsed(header)
    assert (one.media, one.multipart_type, one.transfer_syntax) == ("multipart/related", "application/octet-stream", "*")
    header = (
        'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80; q=0.5, multipart/related; type="image/jpeg"'
    )
    assert [(one.multipart_type, one.quality) for one in parsed(header)] == [("image/jls", 0.5), ("image/jpeg", 1.0)]


def test_the_best_comes_first_and_quality_zero_never():
    request = make_mocked_request("GET", "/", headers={"Accept": "image/png;q=0.2, image/gif;q=0, image/jpeg;q=0.9, */*;q=0.1"})
    assert [one.media for one in media_ranges(request)] == ["image/jpeg", "image/png", "*/*"]


def test_the_query_parameter_stands_in_for_the_header():
    request = make_mocked_request("GET", "/?accept=image/png", headers={"Accept": "text/html"})
    assert [one.media for one in media_ranges(request)] == ["image/png"]
    assert [one.media for one in media_ranges(make_mocked_request("GET", "/"))] == ["*/*"]


def test_ranges_cover_what_they_say():
    assert covers("image/*", "image/jpeg")
    assert covers("*/*", "image/jpeg")
    assert not covers("image/*", "application/dicom")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text):
    assert all(one.media.count("/") == 1 for one in parsed(text))
