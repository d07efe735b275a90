"""EDF, BDF, MFER and Contec: what each keeps, and what is wrong with those that lie."""

import numpy as np
import pytest
from support.ecg_files import LEADS, counts
from support.ecg_files import binary as writer

from ecg import EcgError
from ecg.formats import Declared, read

EDF = writer.edf(counts(), LEADS)
MFER = writer.mfer(counts(), LEADS)


def field(data: bytes, at: int, text: str) -> dict[str, bytes]:
    """Return *data* with one field of eight characters (or four) replaced."""
    return {"a.edf": data[:at] + text.encode() + data[at + len(text) :]}


def test_numbers_of_twenty_four_bits_are_read_whole():
    rows = counts()
    rows[0] += 90_000
    np.testing.assert_allclose(read({"a.bdf": writer.edf(rows, LEADS, width=3)}).millivolts, rows * 0.005, atol=1e-11)


def test_the_records_of_an_interrupted_recording_lie_at_their_times():
    rows = counts(samples=300)
    recording = read({"a.edf": writer.edf(rows, LEADS, onsets=(3, 3.2, 4))})
    assert recording.duration_s == pytest.approx(1.2)
    assert np.isnan(recording.millivolts[0, 200:500]).all()
    np.testing.assert_allclose(recording.millivolts[:, 500:], rows[:, 200:] * 0.005, atol=1e-11)


def test_signals_that_are_no_ecg_are_left_out_with_a_note():
    data = EDF.replace(b"V6".ljust(16), b"EEG Fpz-Cz".ljust(16)).replace(b"V5".ljust(16), b"ECG V5".ljust(16))
    recording = read({"a.edf": data})
    assert recording.names == LEADS[:-1]
    assert "EEG Fpz-Cz" in recording.notes[0]


def test_an_unknown_start_and_patient_are_not_invented():
    data = EDF.replace(b"Startdate 02-MAR-2026", b"Startdate X          ").replace(
        b"P-7 F 31-JAN-1960 WANG_Fang", b"X X X X".ljust(27)
    )
    recording = read({"a.edf": data})
    assert (recording.started_at, recording.patient) == (None, None)


COLUMN = 256 + 12 * (16 + 80)  # where the units begin


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (field(EDF, 236, "99      "), "is cut off: it holds 10 of 99 records"),
        (field(EDF, 236, "-7      "), "is cut off: it holds 10 of -7 records"),
        (field(EDF, 236, "many    "), "says 'many' where its header gives the number of records"),
        (field(EDF, 244, "0       "), "holds no ECG measured in volts"),
        (field(EDF, 244, "nan     "), "says 'nan' where its header gives the duration"),
        (field(EDF, 252, "9999"), "announces 9999 signals"),
        (field(EDF, 252, "0   "), "announces 0 signals"),
        (field(EDF, COLUMN, "mmHg    " * 12), "holds no ECG measured in volts"),
        (field(EDF, COLUMN + 2 * 8 * 12, EDF[COLUMN + 8 * 12 : COLUMN + 9 * 12 + 4].decode()), "carries no gain for I"),
        (field(EDF, COLUMN + 5 * 8 * 12 + 80 * 12, "99999999"), "announces 99999999 samples in a record of I"),
        (field(writer.edf(counts(samples=300), LEADS, onsets=(3, 2, 4)), 0, "0"), "its records name no rising times"),
        ({"a.mwf": writer.mfer(counts(), LEADS, gain=False)}, "carries no gain for its channel 1"),
        ({"a.mwf": MFER.replace(bytes([0x05, 1, 12]), bytes([0x05, 1, 200]))}, "announces 200 channels"),
        ({"a.mwf": MFER.replace(bytes([0x05, 1, 12]), bytes([0x05, 1, 3]))}, "describes its channel 3 and announces 3"),
        ({"a.mwf": MFER.replace(b"\x06\x02\x02\x00", b"\x06\x02\xff\x00")}, "announces 3060000 bytes of samples and holds 24000"),
        ({"a.mwf": MFER.replace(b"\x0a\x01\x00", b"\x0a\x01\x09")}, "as type 9, which is not read"),
        ({"a.mwf": MFER[:-500]}, "is cut off in its tag 1E"),
        ({"a.ECG": writer.contec(counts())[:-5]}, "is cut off"),
        ({"a.ECG": writer.contec(np.full((8, 10), 0x6800 - 2048))}, "holds no connected lead"),
    ],
)
def test_a_file_that_lies_is_one_sentence(files: dict[str, bytes], sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read(files)


@pytest.mark.parametrize("order", ["little", "big"])
def test_mfer_is_read_in_both_byte_orders(order: str):
    rows = counts()
    recording = read({"a.mwf": writer.mfer(rows, LEADS, little=order == "little", blocks=4)})
    np.testing.assert_allclose(recording.millivolts, rows * 0.005, atol=1e-12)


def test_a_declared_gain_serves_mfer_without_one():
    recording = read({"a.mwf": writer.mfer(counts(), LEADS, gain=False)}, declared=Declared(gain_uv_per_unit=5))
    np.testing.assert_allclose(recording.millivolts, counts() * 0.005, atol=1e-12)


def test_the_leads_contec_does_not_store_follow_and_a_loose_electrode_is_missing():
    rows = counts(8)
    rows[4] = 0x6800 - 2048
    recording = read({"a.ECG": writer.contec(rows)})
    assert recording.names == LEADS
    one = recording.lead("I")
    assert one is not None
    np.testing.assert_allclose(one, (rows[0] - rows[1]) * 0.005, atol=1e-12)
    third = recording.lead("V3")
    assert third is not None
    assert np.isnan(third).all()
