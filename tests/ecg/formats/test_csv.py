import numpy as np
import pytest

from ecg import EcgError
from ecg.formats import Declared, read

TABLE = "# unit=uV\n# rate=500\nI,II\n100,200\n-100,0\n50,25\n"


def test_columns_under_names_are_leads_in_the_declared_unit():
    recording = read({"a.csv": TABLE.encode()})
    assert recording.names == ("I", "II")
    assert recording.millivolts.tolist() == [[0.1, -0.1, 0.05], [0.2, 0.0, 0.025]]
    assert recording.resolution_mv == (0.001, 0.001)


def test_rows_behind_names_are_leads_too():
    recording = read({"a.csv": b"# gain_uv=2.5\n# rate=250\nLead I\t4\t8\nv1\t0\t-4\n"})
    assert recording.names == ("I", "V1")
    assert recording.millivolts.tolist() == [[0.01, 0.02], [0.0, -0.01]]


def test_a_time_column_gives_the_rate_and_an_empty_cell_is_missing():
    recording = read({"a.csv": b"# unit=mV\ntime;I;II\n0,000;1,5;2\n0,002;;4\n0,004;3;\n"})
    assert recording.sampling_frequency_hz == 500
    assert np.isnan(recording.millivolts).tolist() == [[False, True, False], [False, False, True]]


def test_what_the_sender_declares_stands_above_the_file():
    recording = read({"a.csv": TABLE.encode()}, declared=Declared(gain_uv_per_unit=10, sampling_frequency_hz=250))
    assert recording.millivolts[0, 0] == 1.0
    assert recording.sampling_frequency_hz == 250


def test_the_patient_may_be_written_above_the_table_in_chinese():
    text = "# patient_id=7\n# name=王芳\n# sex=女\n# birth_date=1960-01-31\n" + TABLE
    for encoding in ("utf-8-sig", "gb18030"):
        patient = read({"a.csv": text.encode(encoding)}).patient
        assert patient is not None
        assert (patient.name, patient.sex, str(patient.birth_date)) == ("王芳", "F", "1960-01-31")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TABLE.replace("# unit=uV\n", ""), "carries no gain"),
        (TABLE.replace("uV", "steps"), "carries no gain"),
        (TABLE.replace("# unit=uV", "# gain_uv=0"), "where a positive number belongs"),
        (TABLE.replace("# rate=500\n", ""), "names no sampling frequency"),
        (TABLE.replace("# rate=500", "# rate=1"), "sampling frequency is 1 Hz"),
        (TABLE.replace("I,II\n", ""), "names no leads"),
        (TABLE.replace("50,25", "50,x"), "a cell that is no number"),
        (TABLE.replace("50,25", "50"), "a row of another length"),
        ("hello world, this is a letter\n", "holds no table of numbers"),
        ("# unit=mV\ntime,I\n0,1\n0.5,2\n0.1,3\n", "does not rise evenly"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(text: str, sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read({"a.csv": text.encode()})


@pytest.mark.parametrize("data", [b"", b"just words", b"\x00\x01\x02,\x03" * 50, b"<html>,</html>", b'{"a": 1, "b": 2}'])
def test_what_is_no_ecg_is_refused_by_name(data: bytes):
    with pytest.raises(EcgError, match=r"^letter\.txt "):
        read({"letter.txt": data})
