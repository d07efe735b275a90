"""The rhythm: from intervals between beats, what precedes them and how wide they are, to one code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.candidates import Samples
from ecg.processing.delineation import P_EVIDENCE
from ecg.processing.filters import moving_mean
from ecg.processing.order import median
from ecg.recording import Millivolts

BRADYCARDIA_BPM, TACHYCARDIA_BPM = 60, 100
WIDE_MS = 120
PACED_SHARE = 0.6  # of the beats
SINUS_AXIS = (-45, 120)
IRREGULAR = 0.055  # median difference of successive intervals, over the median interval
CHAOTIC, CHAOTIC_EVIDENCE = 0.15, 1.6
ARRHYTHMIA = (0.12, 120.0)  # spread of sinus intervals: share, and milliseconds
DISSOCIATION = 0.35  # autocorrelation of the atria where no ventricle beats
ESCAPE_BPM = 65
FLUTTER_EVIDENCE = 1.0  # P waves that repeat better than this are believed before flutter waves

#: (signal, whether a beat was found) -> code, where no rate can be given.
SILENT = {("flat", False): "flat-line", ("good", False): "no-beats"}


@dataclass(frozen=True)
class RhythmEvidence:
    """What the decision stands on. ``atrial_rate_bpm`` is known only where atria were looked for between slow beats."""

    beats: int
    heart_rate_bpm: float | None
    irregularity: float
    spread_ms: float
    spread: float
    p_evidence: float
    p_axis_deg: int | None
    qrs_duration_ms: float | None
    atrial_rate_bpm: float | None
    paced_share: float
    flutter_bpm: float | None
    in_groups: bool
    signal: str  # "good", "flat" (quiet on all leads) or "none" (nothing connected)

    @property
    def p_waves(self) -> bool:
        """Whether P waves precede the beats.

        Among irregular ones, what points from elsewhere is the end of T and no P; what precedes paced ventricles leads nowhere.
        """
        enough = self.p_evidence >= evidence_needed(self.irregularity)
        paced = self.paced_share >= PACED_SHARE and (self.qrs_duration_ms or 0) >= WIDE_MS
        return enough and not (self.irregular and self.elsewhere) and not self.flutter and not paced

    @property
    def flutter(self) -> bool:
        """Whether flutter waves were seen and no good P waves speak against them."""
        return self.flutter_bpm is not None and (self.p_evidence < FLUTTER_EVIDENCE or self.elsewhere)

    @property
    def elsewhere(self) -> bool:
        """Whether the P axis is none of the sinus node."""
        return self.p_axis_deg is not None and not SINUS_AXIS[0] <= self.p_axis_deg <= SINUS_AXIS[1]

    @property
    def irregular(self) -> bool:
        """Whether successive intervals differ without order."""
        return self.irregularity > IRREGULAR


def evidence_needed(irregular: float) -> float:
    """Return how much must repeat before the beats to be called P waves: among chaotic intervals it must be beyond doubt."""
    return CHAOTIC_EVIDENCE if irregular > CHAOTIC else P_EVIDENCE


def code_of(e: RhythmEvidence) -> str:
    """Return the code of the rhythm; the codes and their wordings are listed in `ecg.statements.RHYTHMS`."""
    if e.heart_rate_bpm is None:
        return SILENT.get((e.signal, e.beats > 0), "not-measurable")
    if e.paced_share >= PACED_SHARE:
        return "paced"
    if e.atrial_rate_bpm is not None:
        return "complete-av-block"
    if e.flutter:
        return "atrial-flutter"
    if e.p_waves:
        return _sinus(e)
    return _without_p(e)


def _without_p(e: RhythmEvidence) -> str:
    assert e.heart_rate_bpm is not None
    if e.irregular:
        if e.in_groups:
            return "premature-beats-in-turn"
        return "atrial-fibrillation" if e.beats >= 5 else "undetermined"
    wide = e.qrs_duration_ms is not None and e.qrs_duration_ms >= WIDE_MS
    if e.heart_rate_bpm > TACHYCARDIA_BPM:
        return "wide-complex-tachycardia" if wide else "supraventricular-tachycardia"
    return "wide-complex-rhythm" if wide else "regular-without-p"


def _sinus(e: RhythmEvidence) -> str:
    assert e.heart_rate_bpm is not None
    if e.elsewhere:
        return "atrial-tachycardia" if e.heart_rate_bpm > TACHYCARDIA_BPM else "ectopic-atrial-rhythm"
    if round(e.heart_rate_bpm) < BRADYCARDIA_BPM:  # as it is shown
        return "sinus-bradycardia"
    if round(e.heart_rate_bpm) > TACHYCARDIA_BPM:
        return "sinus-tachycardia"
    return "sinus-arrhythmia" if e.spread > ARRHYTHMIA[0] and e.spread_ms > ARRHYTHMIA[1] else "sinus-rhythm"


def irregularity(intervals_ms: NDArray[np.float64]) -> float:
    """Return the median difference of successive intervals over their median; 0 of fewer than three."""
    if intervals_ms.size < 3:
        return 0.0
    return float(median(np.abs(np.diff(intervals_ms))) / median(intervals_ms))


def dissociated_atrial_rate(
    values: Millivolts, peaks: Samples, usable: NDArray[np.bool_], rate: float, qrst_s: tuple[float, float]
) -> float | None:
    """Return the rate per minute of P waves that go their own way between slow, regular beats, or None.

    The beats' own QRST (*qrst_s* around the R peak) is taken out; what remains must repeat with a period that is not the
    ventricles' own, faster than they are.
    """
    intervals = np.diff(peaks) / rate
    if intervals.size < 2 or 60 / median(intervals) > ESCAPE_BPM or intervals.std() > 0.10 * intervals.mean():
        return None
    open_ = np.ones(values.shape[1])
    for peak in peaks:
        open_[max(0, peak + round(qrst_s[0] * rate)) : max(0, peak + round(qrst_s[1] * rate))] = 0.0
    there = np.flatnonzero(open_)
    if there.size < 0.25 * open_.size:
        return None
    smooth = moving_mean(values[usable], round(0.03 * rate))
    bridged = np.stack([np.interp(np.arange(open_.size), there, row[there]) for row in smooth])
    rest = (bridged - moving_mean(bridged, round(0.6 * rate))) * open_
    length = 2 * values.shape[1]
    power = (np.abs(np.fft.rfft(rest, length, axis=1)) ** 2).sum(axis=0)
    pairs = np.fft.irfft(np.abs(np.fft.rfft(open_, length)) ** 2, length)
    together = np.fft.irfft(power, length) / np.maximum(pairs, 0.02 * open_.sum())
    low, high = round(0.40 * rate), round(min(1.4, 0.8 * float(median(intervals))) * rate)
    if high <= low + 2 or together[0] <= 0:
        return None
    lag = low + int(np.argmax(together[low:high]))
    if not low < lag < high - 1 or together[lag] < DISSOCIATION * together[0]:
        return None
    return float(60 * rate / lag)
