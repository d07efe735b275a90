"""What of a recording is compared: its analysis, and the median beat of its most frequent shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecg.analysis import Analysis
from ecg.measures.amplitudes import amplitudes
from ecg.pipeline import analyse
from ecg.processing import beats, delineation, median_beat, preparation
from ecg.recording import Millivolts, Recording, with_limb_leads


@dataclass(frozen=True, eq=False)
class AverageBeat:
    """The median beat: millivolts per usable lead over the level before the QRS; sample ``before`` is the R peak.

    ``t_mv`` is the top of T per lead, 0 where there is none.
    """

    rate: float
    before: int
    leads: Mapping[str, Millivolts]
    t_mv: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One side of a comparison; *beat* is None where no ventricle was found."""

    analysis: Analysis
    beat: AverageBeat | None


def snapshot(recording: Recording) -> Snapshot:
    """Return what is compared of *recording*; of a long one the median beat is that of its first minute."""
    return Snapshot(analyse(recording), average_beat(recording))


def average_beat(recording: Recording) -> AverageBeat | None:
    """Return the median beat of the most frequent shape, None without beats."""
    recording = with_limb_leads(recording)
    part = next(preparation.parts(recording))
    signal, usable, rate = part.transform.beating, part.usable, part.rate
    tops = beats.detect(part.transform, usable)
    if not tops.size:
        return None
    peaks, shape_of = median_beat.realigned(signal[usable], beats.aligned(signal, tops, usable, rate), rate)
    peaks = np.clip(peaks, 0, signal.shape[1] - 1)
    level = part.transform.filtered(part.transform.band(0.05, 60.0) * part.transform.without_mains())
    shape = median_beat.shapes(signal, peaks, shape_of, rate)[0]
    drawn = median_beat.shapes(level, peaks, shape_of, rate)[0].median
    usual_s = float(np.median(np.diff(peaks))) / rate if peaks.size > 1 else 1.0
    waves = delineation.delineate(shape, usable, rate, usual_s, usual_s)
    zero = shape.before + waves.whole["qrs_on"]
    found = {
        name: amplitudes(shape.median[row], waves.leads[row].at, shape.before, rate)
        for row, name in enumerate(recording.names)
        if usable[row]
    }
    return AverageBeat(
        rate,
        shape.before,
        {name: drawn[recording.rows[name]] - drawn[recording.rows[name], max(0, zero - 4) : zero + 1].mean() for name in found},
        {name: 0.0 if each is None else each.t_mv for name, each in found.items()},
    )
