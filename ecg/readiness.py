"""What a process loads with its first analysis, loaded before anybody waits for it."""

import numpy as np

from ecg.formats import dicom
from ecg.holter.whole import analysis_of
from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import Recording

#: A beat drawn as bells: middle (seconds), width (seconds), height (mV) of P, QRS and T.
BELLS = ((0.24, 0.03, 0.15), (0.40, 0.014, 1.0), (0.68, 0.05, 0.3))
BEAT_S, BEATS, RATE_HZ = 0.8, 12, 500.0


def load() -> None:
    """Analyse a drawn strip once, so that modules, networks and transforms of this process are loaded."""
