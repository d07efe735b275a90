"""Our beats beside neurokit2's, on signals that neurokit2 makes itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ecg.leads import lead_named
from ecg.pipeline import analyse
from ecg.recording import Recording


@pytest.mark.parametrize("rate_bpm", [48, 72, 110])
def test_both_find_the_same_beats_in_neurokits_simulation(rate_bpm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies' deprecations
        import neurokit2  # noqa: PLC0415 - heavy; only here

        signal = neurokit2.ecg_simulate(
            duration=20, sampling_rate=500, heart_rate=rate_bpm, method="ecgsyn", random_state=7, noise=0.02
        )
        theirs = neurokit2.ecg_peaks(neurokit2.ecg_clean(signal, sampling_rate=500), sampling_rate=500)[1]["ECG_R_Peaks"]
    recording = Recording("simulated", (lead_named("II"),), 500.0, np.asarray(signal, dtype=float)[np.newaxis, :])
    ours = np.asarray(analyse(recording).as_json()["r_peaks"])
    # Neither is sure of a beat that the recording's edge cuts.
    ours, theirs = (np.asarray([peak for peak in found if 250 < peak < len(signal) - 250]) for found in (ours, theirs))
    assert len(ours) == len(theirs) > 10
    assert np.abs(ours - theirs).max() <= 5
