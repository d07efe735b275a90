import numpy as np
import pytest

from ecg import EcgError
from ecg.formats import Declared, read
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
        (record("r.dat 310 200 16 0 0 0 0 II", sixteen(1, 2, 3, 4)), "names no signal format that is read here"),
        (record("r.dat 16 abc 16 0 0 0 0 II", sixteen(1, 2, 3, 4)), "unreadable gain"),
        (record("x", b"1234", head="not a header"), "is no WFDB record line"),
        (record("r.dat 16 200", sixteen(1), head="r/3 1 500 4"), "several segments"),
        ({"r.hea": b"\n\n", "r.dat": b"1"}, "no record line"),
    ],
)
def test_a_broken_record_is_one_sentence_naming_the_place(files: dict[str, bytes], sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read(files)
