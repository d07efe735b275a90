"""R peak detectors and delineators side by side: ours and those of the libraries that are installed."""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np

from ecg.analysis import Analysis
from ecg.pipeline import analyse
from ecg.recording import Recording

Detector = Callable[[np.ndarray, float], np.ndarray]


def one_lead(recording: Recording) -> Recording:
    """Return lead II, or the first lead where there is none."""
    row = recording.rows.get("II", 0)
    return replace(
        recording, leads=recording.leads[row : row + 1], millivolts=recording.millivolts[row : row + 1].copy(), resolution_mv=None
    )


def _neurokit(method: str) -> Detector:
    def detect(samples: np.ndarray, rate: float) -> np.ndarray:
        import neurokit2  # noqa: PLC0415 - heavy; only here

        clean = neurokit2.ecg_clean(samples, sampling_rate=int(rate), method=method)
        return np.asarray(neurokit2.ecg_peaks(clean, sampling_rate=int(rate), method=method)[1]["ECG_R_Peaks"])

    return detect


def _gqrs(samples: np.ndarray, rate: float) -> np.ndarray:
    from wfdb import processing  # noqa: PLC0415 - one peer of several

    return np.asarray(processing.gqrs_detect(samples, fs=rate))


def _xqrs(samples: np.ndarray, rate: float) -> np.ndarray:
    from wfdb import processing  # noqa: PLC0415 - one peer of several

    return np.asarray(processing.xqrs_detect(samples, fs=rate, verbose=False))


def _sleepecg(samples: np.ndarray, rate: float) -> np.ndarray:
    import sleepecg  # noqa: PLC0415 - one peer of several, not always installed

    return np.asarray(sleepecg.detect_heartbeats(samples, rate))


def _biosppy(samples: np.ndarray, rate: float) -> np.ndarray:
    from biosppy.signals import ecg as of_biosppy  # noqa: PLC0415 - one peer of several, not always installed

    return np.asarray(of_biosppy.ecg(samples, sampling_rate=rate, show=False)["rpeaks"])


_PEERS = {
    "neurokit2": ("neurokit2", _neurokit("neurokit")),
    "neurokit2 koka2022": ("ts2vg", _neurokit("koka2022")),  # neurokit2 asks for it there
    "wfdb gqrs": ("wfdb", _gqrs),
    "wfdb xqrs": ("wfdb", _xqrs),
    "sleepecg": ("sleepecg", _sleepecg),
    "biosppy": ("biosppy", _biosppy),
}
PEERS = {name: detect for name, (module, detect) in _PEERS.items() if importlib.util.find_spec(module)}
MISSING = sorted(set(_PEERS) - set(PEERS))


def timed(detect: Detector, recording: Recording) -> tuple[np.ndarray, float]:
    """Return the R peaks a peer finds in one lead, none where it gives up, and the CPU seconds it took."""
    lead = one_lead(recording)
    samples = np.array(np.nan_to_num(lead.millivolts[0]))
    begun = time.process_time()
    with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # theirs, not ours
        try:
            peaks = detect(samples, lead.sampling_frequency_hz)
        except Exception:  # noqa: BLE001 - whatever a peer raises, it found nothing
            peaks = np.empty(0, int)
    return np.sort(peaks[np.isfinite(peaks)]), time.process_time() - begun


def ours(recording: Recording) -> tuple[Analysis, float]:
    """Return our whole analysis and the CPU seconds it took."""
    begun = time.process_time()
    analysis = analyse(recording)
    return analysis, time.process_time() - begun


def rows_of(waves: dict[str, np.ndarray], wave: str) -> np.ndarray:
    """Return onset, peak and offset in rows; a QRS without a peak of its own has its middle."""
    on, off = np.asarray(waves[f"{wave}_on"], float), np.asarray(waves[f"{wave}_off"], float)
    rows = np.stack([on, np.asarray(waves.get(f"{wave}_peak", (on + off) / 2), float), off], axis=1)
    return rows[np.isfinite(rows[:, 1])]


def neurokit_waves(samples: np.ndarray, rate: float, method: str) -> dict[str, np.ndarray]:
    """Return neurokit2's marks of one lead by our names; a wave with an end missing has NaN there."""
    import neurokit2  # noqa: PLC0415 - heavy; only here

    names = {"p": "P", "qrs": "R", "t": "T"}
    empty = {f"{wave}_{side}": np.empty(0) for wave in names for side in ("on", "peak", "off")}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # theirs, not ours
        try:
            clean = neurokit2.ecg_clean(samples, sampling_rate=int(rate))
            peaks = neurokit2.ecg_peaks(clean, sampling_rate=int(rate))[1]["ECG_R_Peaks"]
            found = neurokit2.ecg_delineate(clean, peaks, sampling_rate=int(rate), method=method)[1]
        except Exception:  # noqa: BLE001 - whatever a peer raises, it found nothing
            return empty
    missing = np.full(len(peaks), np.nan)

    def marks(name: str) -> np.ndarray:
        """Return one mark of every beat; where neurokit2 gives fewer than there are beats it cannot be told whose they are."""
        given = np.asarray(found.get(name, missing), float)
        return given if given.size == missing.size else missing

    return {
        f"{wave}_{side}": peaks.astype(float) if (wave, side) == ("qrs", "peak") else marks(f"ECG_{of}_{kind}")
        for wave, of in names.items()
        for side, kind in (("on", "Onsets"), ("peak", "Peaks"), ("off", "Offsets"))
    }
