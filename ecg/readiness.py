"""What a process loads with its first analysis, loaded before anybody waits for it."""

import numpy as np

from ecg.formats import dicom  # noqa: F401 - the form in which recordings are kept; it brings pydicom
from ecg.holter.whole import analysis_of
from ecg.leads import TWELVE
from ecg.recording import Recording

#: P, QRS and T drawn as bells: where (seconds), how wide (seconds) and how high (mV).
BELLS = ((0.24, 0.03, 0.15), (0.40, 0.014, 1.0), (0.68, 0.05, 0.3))
BEAT_S, STRIP_S, RATE_HZ = 0.8, 10.0, 500.0


def load() -> None:
    """Analyse a drawn strip, so that modules and networks are there."""
    at = np.arange(0.0, STRIP_S, 1 / RATE_HZ) % BEAT_S
    row = np.sum([height * np.exp(-(((at - place) / width) ** 2)) for place, width, height in BELLS], axis=0)
    analysis_of(Recording("drawn", TWELVE, RATE_HZ, np.tile(row, (len(TWELVE), 1))))
