"""XML of strangers: well formed, small and without entities, or one sentence."""

import time
from itertools import pairwise

import pytest
from support.ecg_files import EIGHT, counts
from support.ecg_files import markup as writer

from ecg import EcgError
from ecg.formats import markup, read

GROWING = "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in pairwise("abcdefghx"))
LAUGHS = f'<!DOCTYPE RestingECG [<!ENTITY a "ha">{GROWING}]>'


@pytest.mark.parametrize(
    ("data", "root"),
    [
        (b'<?xml version="1.0"?><!-- <b/> --><!DOCTYPE a SYSTEM "x.dtd"><n:a xmlns:n="u"/>', "a"),
        ("\ufeff<a/>".encode(), "a"),
        ('<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"), "a"),
        (b"no markup", ""),
        (b"", ""),
        (b"<!-- never closed <a", ""),
        (b"<!-- <b> --><!DOCTYPE a [<!ENTITY x 'y'>]><a>", "a"),
        (b"<!--" * 20_000, ""),
        (b"<?" * 40_000, ""),
        (b"<!" * 40_000, ""),
    ],
)
def test_the_root_is_known_without_parsing(data: bytes, root: str):
    began = time.process_time()
    assert markup.root_name(data) == root
    assert time.process_time() - began < 0.5


def test_a_doctype_is_accepted_and_nothing_is_fetched_for_it():
    doctype = '<!DOCTYPE RestingECG SYSTEM "http://127.0.0.1:9/restecg.dtd">'
    assert read({"a.xml": writer.muse(counts(), EIGHT, doctype=doctype)}).format == "muse"


@pytest.mark.parametrize(
    "doctype",
    [
        LAUGHS,
        '<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE RestingECG [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>',
        '<!DOCTYPE RestingECG [<!ENTITY x "I">]>',
    ],
)
def test_entities_are_refused_before_they_grow(doctype: str):
    began = time.process_time()
    data = writer.muse(counts(), EIGHT, doctype=doctype).replace(b"<LeadID>I<", b"<LeadID>&x;<")
    with pytest.raises(EcgError, match="declares XML entities"):
        read({"a.xml": data})
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<RestingECG>" + b"<a>" * 100 + b"</a>" * 100 + b"</RestingECG>", "nested deeper than 64"),
        (b"<RestingECG>" + b"<a/>" * 150_000 + b"</RestingECG>", "more than 100000 elements"),
        (b"<RestingECG><a></RestingECG>", "no well-formed XML"),
        (b"<RestingECG>&x;</RestingECG>", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="martian"?><RestingECG/>', "no well-formed XML"),
        (b"<RestingECG>\xff\xff</RestingECG>", "no well-formed XML"),
        (b"<RestingECG/>", "holds no rhythm waveform"),
    ],
)
def test_what_no_machine_writes_is_one_sentence(data: bytes, sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read({"a.xml": data})


def test_a_chinese_document_is_read_in_its_own_encoding():
    data = writer.muse(counts(), EIGHT).decode("latin-1").replace("ISO-8859-1", "GB2312").replace("WANG", "王").encode("gb18030")
    recording = read({"a.xml": data})
    assert recording.patient is not None
    assert recording.patient.name == "王^Fang"
