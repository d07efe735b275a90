from datetime import UTC, date, datetime

import numpy as np
import pytest

from ecg import EcgError
from ecg.leads import TWELVE
from ecg.recording import PatientTags, Recording


@pytest.mark.parametrize(
    ("shape", "rate", "sentence"),
    [
        ((2, 100), 500, "for 1 leads"),
        ((1, 0), 500, "no samples"),
        ((1, 10), 0, "sampling frequency"),
        ((1, 10), float("nan"), "sampling"),
    ],
)
def test_limits_are_told_in_a_sentence(shape: tuple[int, int], rate: float, sentence: str):
    with pytest.raises(EcgError, match=sentence):
        Recording("t", TWELVE[:1], rate, np.zeros(shape))


def test_samples_cannot_be_changed_afterwards():
    recording = Recording("t", TWELVE[:1], 500, np.zeros((1, 10)))
    with pytest.raises(ValueError, match="read-only"):
        recording.millivolts[0, 0] = 1


def test_microvolts_are_whole_and_missing_samples_are_none():
    samples = np.array([[0.0012, np.nan, -1.5, np.inf]])
    assert Recording("t", TWELVE[:1], 500, samples).microvolts() == [[1, None, -1500, None]]


def test_the_age_follows_from_the_birth_date_at_the_time_of_the_recording():
    patient = PatientTags(birth_date=date(1960, 3, 2))
    assert patient.age_at(datetime(2026, 3, 2, tzinfo=UTC)) == pytest.approx(66, abs=0.01)
    assert patient.age_at(None) is None
