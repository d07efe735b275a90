"""The leads as the detectors want them: part by part, whole, without pacing spikes, at a working rate, transformed once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.analysis import Quality
from ecg.processing import filters, quality
from ecg.processing.filters import Spectrum
from ecg.recording import Millivolts, Recording

Samples = NDArray[np.intp]

WHOLE_S = 90.0  # a recording up to this long is one part
PART_S, MARGIN_S = 60.0, 4.0


@dataclass(frozen=True, eq=False)
class Prepared:
    """A part of a recording with a margin on both sides.

    ``work`` are millivolts at ``rate``; ``first`` is the part's first sample and ``keep`` the samples it answers for, both of the
    recording's own rate, which is ``scale`` times the working rate. ``spikes`` are of the recording's own rate.
    """

    work: Millivolts
    rate: float
    transform: Spectrum
    qualities: list[Quality]
    usable: NDArray[np.bool_]
    spikes: Samples
    first: int
    scale: float
    keep: tuple[int, int]

    def own(self, at: Samples) -> Samples:
        """Return places of the working rate in the recording's own samples."""
        return np.asarray(np.rint(at * self.scale).astype(np.intp) + self.first)


def parts(recording: Recording) -> Iterator[Prepared]:
    """Yield *recording* whole, or minute by minute when it is long."""
    if recording.duration_s <= WHOLE_S:
        yield prepared(recording, 0.0, recording.duration_s)
        return
    starts = np.arange(0, recording.duration_s - 0.5 * PART_S, PART_S).tolist()
    for from_s, to_s in zip(starts, [*starts[1:], recording.duration_s], strict=True):
        yield prepared(recording, from_s, to_s)


def prepared(recording: Recording, from_s: float, to_s: float) -> Prepared:
    """Return *recording* from *from_s* to *to_s* and a margin around."""
    rate, samples = recording.sampling_frequency_hz, recording.millivolts.shape[1]
    first, last = max(0, round((from_s - MARGIN_S) * rate)), min(samples, round((to_s + MARGIN_S) * rate))
    return made_ready(recording.millivolts[:, first:last], rate, first, (round(from_s * rate), round(to_s * rate)))


def made_ready(millivolts: Millivolts, rate: float, first: int, keep: tuple[int, int]) -> Prepared:
    """Return the part *millivolts* (leads, samples), whose first sample is the recording's sample *first*, margins included."""
    whole, missing = filters.repaired(millivolts)
    clean, spikes = filters.without_spikes(whole, rate)
    work, working = filters.at_working_rate(clean, rate)
    transform = filters.spectrum(work, working)
    qualities = quality.assess(work, missing, transform)
    usable = np.array([each.usable for each in qualities])
    return Prepared(work, working, transform, qualities, usable, spikes + first, first, rate / working, keep)
