import numpy as np
import pytest
import wfdb

from ecg import EcgError
from ecg.formats import Declared, read
from ecg.formats.wfdb import collected
from ecg.formats.wfdb.signals import FORMATS


def record(line: str, stored: bytes, *, head: str = "r 1 500 4") -> dict[str, bytes]:
    return {"r.hea": f"# made by hand\n{head}\n{line}\n#<age>: 61\n#<sex>: F\n".encode(), "r.dat": stored}


def sixteen(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def test_gain_baseline_unit_and_missing_samples_are_applied():
    recording = read(record("r.dat 16 200(10)/mV 16 0 0 0 0 avf", sixteen(10, 210, -190, -32768)))
    assert recording.names == ("aVF",)
    assert recording.millivolts[0, :3].tolist() == [0.0, 1.0, -1.0]
    assert np.isnan(recording.millivolts[0, 3])
    assert recording.patient is not None
    assert (recording.patient.age_years, recording.patient.sex) == (61.0, "F")


@pytest.mark.parametrize("line", ["r.dat 16", "r.dat 16 0 16 0 0 0 0 II", "r.dat 16 0(0)/mV 16 0 0 0 0 II"])
def test_a_record_without_gain_is_refused_and_no_default_is_taken(line: str):
    with pytest.raises(EcgError, match="carries no gain"):
        read(record(line, sixteen(1, 2, 3, 4)))
    declared = read(record(line, sixteen(1, 2, 3, 4)), declared=Declared(gain_uv_per_unit=5))
    assert declared.millivolts[0].tolist() == [0.005, 0.01, 0.015, 0.02]


def test_a_signal_that_is_no_voltage_is_left_out_with_a_note():
    files = {
        "r.hea": b"r 2 250 2\nr.mat 16+24 1000/mV 16 0 0 0 0 II\nr.mat 16+24 1000/NU 16 0 0 0 0 PLETH\n",
        "r.mat": bytes(24) + sixteen(500, 1, 1000, 1),
    }
    recording = read(files)
    assert recording.names == ("II",)
    assert recording.millivolts[0].tolist() == [0.5, 1.0]
    assert "PLETH" in recording.notes[0]


@pytest.mark.parametrize(
    ("kind", "stored", "numbers"),
    [
        ("16", b"\xff\xff\x02\x00", [-1, 2]),
        ("61", b"\xff\xff\x00\x02", [-1, 2]),
        ("212", b"\xff\x0f\x02", [-1, 2]),
        ("212", b"\x01\x00\x00", [1]),
        ("80", b"\x7f\x82", [-1, 2]),
        ("24", b"\xff\xff\xff\x02\x00\x00", [-1, 2]),
        ("32", b"\xff\xff\xff\xff\x02\x00\x00\x00", [-1, 2]),
    ],
)
def test_every_signal_format_is_decoded(kind: str, stored: bytes, numbers: list[int]):
    assert FORMATS[kind].decode(stored, len(numbers)).tolist() == numbers


def test_first_differences_are_summed_from_the_initial_value():
    recording = read(record("r.dat 8 100/mV 12 0 50 0 0 II", bytes([0, 1, 255, 10])))
    assert recording.millivolts[0].tolist() == [0.5, 0.51, 0.5, 0.6]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"r.hea": b"r 1 500 4\nr.dat 16 200 16 0 0 0 0 II\n"}, "names the signal file r.dat, which is not there"),
        ({"r.dat": b"\0" * 8}, "0 headers came"),
        (record("r.dat 16 200 16 0 0 0 0 II", sixteen(1, 2, 3)), "is cut off: it holds 3 of 4 samples"),
        (record("r.dat 508 200 16 0 0 0 0 II", sixteen(1, 2, 3, 4)), "names no signal format that is read here"),
        (record("r.dat 16 abc 16 0 0 0 0 II", sixteen(1, 2, 3, 4)), "unreadable gain"),
        (record("x", b"1234", head="not a header"), "is no WFDB record line"),
        (record("r.dat 16 200", sixteen(1), head="r/3 1 500 4"), "announces 3 segments and names 1"),
        ({"r.hea": b"r/1 1 500 4\ns 4\n"}, "names the segment s, whose header is not there"),
        (record("r.dat 16x99999 200 16 0 0 0 0 II", sixteen(1)), "places its samples where none can be"),
        ({"a.hea": b"a 1 500\na.dat 16 200\n", "b.hea": b"b 1 500\na.dat 16 200\n"}, "2 headers came"),
        ({"r.hea": b"\n\n", "r.dat": b"1"}, "no record line"),
    ],
)
def test_a_broken_record_is_one_sentence_naming_the_place(files: dict[str, bytes], sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read(files)


@pytest.mark.parametrize(
    ("kind", "stored", "numbers"),
    [
        ("160", b"\xff\x7f\x02\x80", [-1, 2]),
        ("310", b"\xfe\x87\x04\x00", [-1, 2, 16]),
        ("311", b"\xff\x0b\x00\xff", [-1, 2, -16]),
        ("311", b"\xff\x0b\x00", [-1, 2]),
    ],
)
def test_the_rarer_formats_are_decoded(kind: str, stored: bytes, numbers: list[int]):
    assert FORMATS[kind].decode(stored, len(numbers)).tolist() == numbers


@pytest.mark.parametrize("kind", [*FORMATS])
def test_every_format_is_read_as_the_reference_library_reads_it(kind: str, tmp_path):
    count = 153
    stored = np.random.default_rng(5).integers(0, 256, FORMATS[kind].bytes_of(2 * count) + 4, dtype=np.uint8)
    stored[3::4] &= 0x3F if kind == "311" else 0xFF  # two bits of each group of 311 are not used
    head = f"r 2 500 {count}\n" + "".join(f"r.dat {kind} 200(3)/mV 16 0 7 0 0 {lead}\n" for lead in ("II", "V1"))
    (tmp_path / "r.hea").write_text(head)
    (tmp_path / "r.dat").write_bytes(stored.tobytes())
    theirs = wfdb.rdrecord(str(tmp_path / "r")).p_signal.T
    ours = read({"r.hea": head.encode(), "r.dat": stored.tobytes()})
    present = np.isfinite(ours.millivolts)
    assert (ours.millivolts[present] == theirs[present]).all()
    assert (~present).sum() <= 3


def test_several_samples_in_a_frame_make_the_rate_higher_and_a_slower_signal_is_left_out():
    head = b"r 3 100 2\nr.dat 16x2 100 16 0 0 0 0 II\nr.dat 16x2:1 100 16 0 0 0 0 V1\nr.dat 16 100 16 0 0 0 0 V2\n"
    recording = read({"r.hea": head, "r.dat": sixteen(1, 2, 10, 20, 0, 3, 4, 30, 40, 0)})
    assert (recording.names, recording.sampling_frequency_hz) == (("II", "V1"), 200)
    assert recording.millivolts[0].tolist() == [0.01, 0.02, 0.03, 0.04]
    assert recording.millivolts[1, :2].tolist() == [0.3, 0.4]  # it was sampled a frame late
    assert np.isnan(recording.millivolts[1, 2:]).all()
    assert "V2" in recording.notes[0]


def segmented(layout: str = "") -> dict[str, bytes]:
    head = f"r/{4 if layout else 3} 2 100 8\n" + (f"{layout} 0\n" if layout else "") + "s1 2\n~ 4\ns2 2\n"
    files = {
        "r.hea": head.encode(),
        "s1.hea": b"s1 2 100 2\ns1.dat 16 100 16 0 0 0 0 II\ns1.dat 16 100 16 0 0 0 0 V1\n",
        "s1.dat": sixteen(1, 10, 2, 20),
        "s2.hea": b"s2 1 100 2\ns2.dat 16 200 16 0 0 0 0 V1\n",
        "s2.dat": sixteen(100, 200),
    }
    if layout:
        files[f"{layout}.hea"] = f"{layout} 2 100 0\n~ 0 100 16 0 0 0 0 II\n~ 0 100 16 0 0 0 0 V1\n".encode()
    return files


@pytest.mark.parametrize("layout", ["", "r_layout"])
def test_segments_follow_each_other_and_a_lead_that_is_not_in_one_is_missing_there(layout: str):
    recording = read(segmented(layout))
    assert recording.names == ("II", "V1")
    second = [[0.01, 0.02, *[None] * 6], [0.1, 0.2, *[None] * 4, 0.5, 1.0]]
    assert [[None if np.isnan(value) else value for value in row] for row in recording.millivolts.tolist()] == second


def test_a_header_brings_what_it_names_and_cannot_reach_out_of_its_folder():
    files = segmented("r_layout") | {"other.dat": b"x"}
    assert collected("r.hea", files.get).keys() == segmented("r_layout").keys()
    asked = []
    collected("r.hea", lambda name: asked.append(name) or (b"r 1 100 4\n../../etc/passwd 16 200\n" if name == "r.hea" else None))
    assert asked == ["r.hea", "passwd"]


def test_a_checksum_that_does_not_hold_is_noted():
    assert "checksum" in read(record("r.dat 16 200 16 0 1 99 0 II", sixteen(1, 2, 3, 4))).notes[0]
    assert not read(record("r.dat 16 200 16 0 1 10 0 II", sixteen(1, 2, 3, 4))).notes
