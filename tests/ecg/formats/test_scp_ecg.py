"""SCP-ECG: every compression of the standard gives the samples back, and nothing that lies is believed."""

import struct

import numpy as np
import pytest
from support.ecg_files import LEADS, counts, scp

from ecg import EcgError
from ecg.formats import Declared, read

FIDUCIALS = (150, 550, 950)


def counted(data: bytes) -> np.ndarray:
    recording = read({"a.scp": data})
    return np.rint(recording.millivolts / 0.005).astype(int)


@pytest.mark.parametrize("differences", [0, 1, 2])
@pytest.mark.parametrize("huffman", ["", "default", "own"])
def test_every_coding_of_every_order_of_differences_is_undone(huffman: str, differences: int):
    rows = counts()
    rows[0, 500:] += 3000  # beyond the codes of eight bits
    assert (counted(scp.written(rows, LEADS, huffman=huffman, differences=differences)) == rows).all()


@pytest.mark.parametrize("huffman", ["", "default", "own"])
def test_the_reference_beat_is_added_where_it_was_subtracted(huffman: str):
    rows = counts()
    beat = rows[:, 100:200].copy()
    assert (counted(scp.written(rows, LEADS, huffman=huffman, beat=beat, fiducials=FIDUCIALS)) == rows).all()


def test_bimodal_compression_keeps_the_protected_zones_and_the_means_outside():
    rows = counts(samples=1003)
    beat = rows[:, 100:200].copy()
    read_back = counted(scp.written(rows, LEADS, beat=beat, fiducials=FIDUCIALS, bimodal=True))
    assert read_back.shape == rows.shape
    for at in FIDUCIALS:
        assert (read_back[:, at - 21 : at + 21] == rows[:, at - 21 : at + 21]).all()
    assert np.abs(read_back - rows).max() < 30  # the noise that thinning takes away, and no shift


def test_thinned_data_without_the_bimodal_flag_are_known_by_their_rate():
    rows = counts(samples=1003)
    data = scp.written(rows, LEADS, beat=rows[:, 100:200].copy(), fiducials=FIDUCIALS, bimodal=True)
    unflagged = scp.written(rows, LEADS, beat=rows[:, 100:200].copy(), fiducials=FIDUCIALS, bimodal=True, flagged=False)
    assert (counted(unflagged) == counted(data)).all()


def test_bimodal_compression_is_exact_where_nothing_but_the_beat_happens():
    rows = np.zeros((12, 1000), np.int64)
    beat = counts()[:, 100:200]
    for at in FIDUCIALS:
        rows[:, at - 51 : at + 49] = beat
    assert (counted(scp.written(rows, LEADS, beat=beat, fiducials=FIDUCIALS, bimodal=True)) == rows).all()


def test_leads_that_begin_later_are_missing_before():
    rows = counts(2, 100)
    record = {1: scp.patient(), 2: struct.pack("<H", 19999)}
    record[3] = struct.pack("<BB", 2, 0) + struct.pack("<IIB", 1, 100, 1) + struct.pack("<IIB", 101, 200, 2)
    record[6] = scp.block(list(rows), "default", 1)
    recording = read({"a.scp": scp.record(record)})
    assert recording.millivolts.shape == (2, 200)
    assert np.isnan(recording.millivolts[0, 100:]).all()
    assert np.isnan(recording.millivolts[1, :100]).all()


def test_a_rate_of_whole_hertz_is_what_an_interval_in_microseconds_meant():
    record = {3: struct.pack("<BBIIB", 1, 4, 1, 50, 2), 6: scp.block([counts(1, 50)[0]], "", 0, interval_us=1667)}
    assert read({"a.scp": scp.record(record)}).sampling_frequency_hz == 600


def test_a_wrong_bit_anywhere_is_found_by_a_checksum():
    data = scp.written(counts(samples=200), LEADS)
    for at in range(0, len(data), 37):
        changed = bytearray(data)
        changed[at] ^= 0x10
        with pytest.raises(EcgError, match=r"checksum|cut off|no ECG|outside|where section|sections|damaged"):
            read({"a.scp": bytes(changed)})


def test_a_section_with_a_wrong_checksum_of_its_own_is_named():
    data = bytearray(scp.written(counts(samples=200), LEADS))
    at = data.index(b"WANG")
    data[at] ^= 1
    data[:2] = struct.pack("<H", scp.crc(bytes(data[2:])))
    with pytest.raises(EcgError, match="fails the checksum of its section 1"):
        read({"a.scp": bytes(data)})


def lying(**changed: bytes) -> bytes:
    sections = {
        2: struct.pack("<H", 19999),
        3: struct.pack("<BBIIB", 1, 4, 1, 50, 2),
        6: scp.block([counts(1, 50)[0]], "default", 2),
    }
    return scp.record(sections | {int(number[1:]): body for number, body in changed.items()})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (lying(s3=struct.pack("<BBIIB", 1, 4, 1, 4_000_000_000, 2)), "announces 1 leads over 4000000000 samples"),
        (lying(s3=struct.pack("<BBIIB", 1, 4, 1, 100_000, 2)), "a lead ends after .* of 100000 samples"),
        (lying(s3=struct.pack("<BB", 255, 4)), "announces 255 leads"),
        (lying(s3=struct.pack("<BBIIB", 1, 5, 1, 50, 2)), "subtracts a reference beat it does not hold"),
        (lying(s2=struct.pack("<H", 60_000)), "announces 60000 Huffman tables"),
        (lying(s2=struct.pack("<HHBBBhI", 1, 1, 200, 200, 1, 0, 0)), "a Huffman code of 200 and 200 bits"),
        (
            lying(s2=struct.pack("<HHBBBhIBBBhI", 1, 2, 1, 1, 0, 9, 0, 1, 1, 0, 9, 1)),
            "switches to a Huffman table it does not have",
        ),
        (lying(s4=struct.pack("<3H", 100, 10, 60_000)), "announces 60000 beats"),
        (lying(s6=struct.pack("<HHBBH", 5000, 0, 0, 0, 10) + bytes(10)), "says of its section 6 what cannot be"),
        (lying(s6=struct.pack("<HHBBH", 0, 2000, 0, 0, 100) + bytes(100)), "carries no gain"),
    ],
)
def test_a_record_that_lies_is_one_sentence(data: bytes, sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read({"a.scp": data})


def test_a_declared_gain_serves_a_record_without_one():
    data = lying(s6=struct.pack("<HHBBH", 0, 2000, 0, 0, 100) + bytes(100))
    assert read({"a.scp": data}, declared=Declared(gain_uv_per_unit=5)).resolution_mv == (0.005,)
