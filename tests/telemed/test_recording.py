"""`telemed ecg` on a recording that is too long to be held whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.long_hearts import heart, sinus

from ecg.holter import whole
from ecg.pipeline import analyse as analyse_strip
from telemed import cli, recording
from telemed.kernel.errors import Invalid


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two hundred seconds of WFDB; what is long here would take minutes if it were a day."""
    monkeypatch.setattr(whole, "LONG_BYTES", 1000)
    monkeypatch.setattr(whole, "ONE_PIECE_S", 100.0)
    drawn = heart([*sinus(120), ("V", 0.5), ("V", 0.45), ("N", 1.0), *sinus(76)])
    stored = np.rint(drawn.millivolts * 1000).astype("<i2")
    head = [f"r 2 250 {stored.shape[1]}", *(f"r.dat 16 1000/mV 16 0 0 0 0 {name}" for name in drawn.names)]
    (tmp_path / "r.hea").write_text("\n".join(head) + "\n")
    (tmp_path / "r.dat").write_bytes(stored.T.tobytes())
    return tmp_path / "r"


def test_it_is_read_in_pieces_and_has_the_beats_of_the_whole(record: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["ecg", str(record), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert tuple(content["r_peaks"]) == analyse_strip(recording.read(record)).r_peaks
    assert content["rhythm"]["code"] == "sinus-rhythm"
    assert [statement["code"] for statement in content["statements"]] == ["sinus-rhythm", "episodes-of-couplet"]
    assert content["measurements"]["pr_interval_ms"] is None
    assert content["long"]["counts"]["couplet"] == 1


def test_its_hours_and_episodes_are_told_on_a_terminal(record: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["ecg", str(record)]) == 0
    told = capsys.readouterr().out
    assert "hour    HR mean" in told
    assert "成对室性早搏 / Ventricular couplet: 1" in told


def test_it_becomes_dicom_in_pieces_and_keeps_every_sample(record: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ecg.formats.streams.PIECE_SAMPLES", 10_000)
    assert cli.main(["ecg", str(record), "--dicom", str(record.with_suffix(".dcm"))]) == 0
    kept, drawn = recording.read(record.with_suffix(".dcm")), recording.read(record.with_suffix(".hea"))
    np.testing.assert_allclose(kept.millivolts, drawn.millivolts, atol=1e-9)
    assert kept.names == drawn.names


def test_a_file_that_is_cut_off_is_refused_in_a_sentence(record: Path):
    data = record.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(Invalid, match="send the whole file"):
        recording.analyse(record)
