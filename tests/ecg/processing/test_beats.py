"""R peaks against the marks of cardiologists, on recordings that stay outside the repository."""

import numpy as np
import pytest
from ludb import WITHIN_MS, analysed, matched

from ecg.pipeline import analyse
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise


def errors(limit: int | None) -> tuple[int, int, int]:
    """Return how many beats were marked, missed and too many, between the first and the last mark."""
    beats = missed = extra = 0
    for record, analysis in analysed()[:limit]:
        within = WITHIN_MS * record.recording.sampling_frequency_hz / 1000
        marks = record.r_peaks
        found = [peak for peak in analysis.r_peaks if marks[0] - within <= peak <= marks[-1] + within]
        lost, more = matched(marks, found, within)
        beats, missed, extra = beats + len(marks), missed + len(lost), extra + len(more)
    return beats, missed, extra


def test_every_beat_of_the_first_ten_ludb_records_is_found_once():
    beats, missed, extra = errors(10)
    assert beats > 80
    assert (missed, extra) == (0, 0)


def test_at_most_one_beat_of_all_ludb_records_is_wrong():
    beats, missed, extra = errors(None)
    assert beats > 400
    assert missed + extra <= 1


@pytest.mark.parametrize("kind", ["normal", "atrial-fibrillation", "complete-av-block"])
def test_pacing_spikes_before_the_beats_do_not_double_them(kind: str):
    plain = synthesise(kind, seed=2)
    peaks = analyse(plain).r_peaks
    spiked = np.array(plain.millivolts)
    for peak in peaks:
        if peak > 60:
            spiked[:, peak - 60] += 3.0
    again = analyse(Recording("t", plain.leads, 500, spiked))
    assert len(again.r_peaks) == len(peaks)
    assert again.rhythm.code == "paced"
