"""multipart/related: what was written is read back, however it is cut; what is none ends in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.kernel.errors import Invalid
from web.dicomweb.multipart import (
    END_OF_PART,
    MAXIMUM_HEADERS,
    Parser,
    PartBegun,
    PartData,
    PartEnded,
    closing,
    new_boundary,
    opening,
)


def written(boundary: str, parts: list[tuple[dict[str, str], bytes]]) -> bytes:
    return b"".join(opening(boundary, headers) + payload + END_OF_PART for headers, payload in parts) + closing(boundary)


def read(boundary: str, pieces: list[bytes]) -> list[tuple[dict[str, str], bytes]]:
    parser, parts, payload, headers = Parser(boundary), [], b"", {}
    for piece in pieces:
        for event in parser.feed(piece):
            match event:
                case PartBegun(begun):
                    headers, payload = dict(begun), b""
                case PartData(data):
                    payload += data
                case PartEnded():
                    parts.append((headers, payload))
    assert parser.finished
    return parts


#: Payloads full of what looks like a delimiter.
payloads = st.lists(st.sampled_from([b"\r\n--", b"--", b"\r", b"\n", b"B", b"\r\n--B", b"\r\n\r\n", b"\0\xff"]), max_size=12).map(
    b"".join
)
header_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(
    parts=st.lists(
        st.tuples(st.dictionaries(st.sampled_from(["content-type", "x-a", "content-location"]), header_values), payloads)
    ),
    size=st.integers(1, 40),
    preamble=st.sampled_from([b"", b"\r\n", b"read me with a newer program\r\n"]),
)
def test_what_was_written_is_read_back_however_it_is_cut(parts, size, preamble):
    boundary = "Boundary-that-is-in-no-payload"
    whole = preamble + written(boundary, parts) + b"epilogue --Boundary"
    assert read(boundary, [whole[at : at + size] for at in range(0, len(whole), size)]) == parts


@given(st.binary(max_size=300), st.sampled_from(["a", "--", "a b", "0123456789" * 7]))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_a_sentence(data, boundary):
    parser = Parser(boundary)
    try:
        for at in range(0, len(data), 7):
            list(parser.feed(data[at : at + 7]))
    except Invalid as error:
        assert error.code == "unparsable"  # noqa: PT017 - it may also be readable


@pytest.mark.parametrize("boundary", ["", "a" * 201, "a\r\nb", "ends in space ", 'quo"te', "ünïcode"])
def test_a_boundary_that_is_none_is_refused(boundary):
    with pytest.raises(Invalid):
        Parser(boundary)


@pytest.mark.parametrize(
    "content",
    [
        b"--BX\r\n\r\n",
        b"--B garbage\r\n\r\n",
        b"--B\r\nno colon here\r\n\r\n",
        b"--B\r\nx: " + b"y" * MAXIMUM_HEADERS,
        b"--B" + b" " * 200,
    ],
)
def test_malformed_parts_are_refused(content):
    with pytest.raises(Invalid):
        list(Parser("B").feed(content))


def test_a_part_that_never_ends_holds_no_memory():
    parser = Parser("B")
    assert list(parser.feed(b"--B\r\ncontent-type: a/b\r\n\r\n"))
    for _ in range(50):
        got = list(parser.feed(b"\0" * 100_000))
        assert sum(len(event.data) for event in got) > 99_000
    assert len(parser._held) < 100
    assert not parser.finished


def test_boundaries_are_never_the_same():
    assert len({new_boundary() for _ in range(50)}) == 50
