"""All beats of a long recording in one table: what each is, and where the atria fibrillate or flutter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.holter.windows import Window
from ecg.measures.ectopy import SUPRAVENTRICULAR, VENTRICULAR, BeatFacts, classes, in_groups, ventricular
from ecg.measures.rhythm import IRREGULAR
from ecg.processing.candidates import Samples

Row = NDArray[np.float64]
Mask = NDArray[np.bool_]
Span = tuple[int, int]  # first and last beat

PACED_S = 0.20  # a spike stands this near before its beat
APART_S = 0.15  # two windows may see one beat at their border

#: The rhythm of a beat is judged by so many intervals around it; the share with a P wave before it must stay under the half.
AROUND, P_SHARE = 25, 0.5
CONDUCTED_SHARE = 0.7  # of the beats: among more ectopic ones intervals without order prove nothing
#: Fibrillation is called so from 30 s on (ESC 2020); a shorter regular piece within does not end it.
SHORTEST_S, BRIDGED_S = 30.0, 10.0
SAME_RHYTHM = 0.9  # of the recording: a strip shorter than 30 s that fibrillates throughout

#: A supraventricular run begins with so much of the interval usual before and keeps under the second; 3 beats, 100 a minute.
ONSET, KEPT, USUAL_OF = 0.80, 0.86, 8
RUN_LEAST, RUN_BPM = 3, 100.0


@dataclass(frozen=True, eq=False)
class BeatTable:
    """One row per beat: sample, class, interval to the beat before in ms, NaN for the first and across lost signal; rhythm."""

    rate: float
    at: Samples
    kind: NDArray[np.str_]
    with_p: Mask
    gap_ms: Row
    fibrillating: Mask
    fluttering: Mask
    normal_qrs_ms: float

    @property
    def normal_gaps(self) -> Mask:
        """Whether the interval before a beat joins two normal beats (an NN interval) over readable signal."""
        normal = self.kind == "N"
        after_normal = np.concatenate([[False], normal[:-1]])[: normal.size]
        return np.asarray(np.isfinite(self.gap_ms) & normal & after_normal)


def spans(mask: Mask) -> list[Span]:
    """Return first and last place of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def beat_table(windows: Sequence[Window], rate: float, lost: Mask) -> BeatTable:
    """Return the beats of all *windows*; *lost* tells of every second of the recording whether it could be read."""
    at = np.concatenate([window.peaks for window in windows])
    first_seen = np.insert(np.diff(at) > APART_S * rate, 0, values=True)[: at.size]
    at = at[first_seen]
    joined = {
        name: np.concatenate([getattr(window, name) for window in windows])[first_seen] for name in ("usual", "qrs_ms", "with_p")
    }
    flutter = np.concatenate([np.full(window.peaks.size, window.flutter_bpm is not None) for window in windows])[first_seen]
    spikes = np.concatenate([window.spikes for window in windows])
    facts = BeatFacts(at_ms=at * (1000 / rate), paced=_paced(at, spikes, rate), **joined)
    gap_ms = _gaps(at, lost, rate)
    conducted = facts.usual & ~ventricular(facts) & ~facts.paced
    fibrillating = fibrillation(facts.at_ms, gap_ms, conducted, facts.with_p & ~flutter)
    kind = np.array(classes(facts, fibrillating=fibrillating | flutter), dtype="<U1")
    for first, last in supraventricular_runs(gap_ms, kind, fibrillating | flutter):
        kind[first : last + 1] = SUPRAVENTRICULAR
    usual_ms = facts.qrs_ms[facts.usual]
    normal_ms = float(np.median(usual_ms)) if usual_ms.size else float("nan")
    return BeatTable(rate, at, kind, facts.with_p, gap_ms, fibrillating & ~flutter, flutter, normal_ms)


def _paced(at: Samples, spikes: Samples, rate: float) -> Mask:
    if not spikes.size or not at.size:
        return np.zeros(at.size, np.bool_)
    ahead = np.searchsorted(spikes, at) - 1
    return np.asarray((ahead >= 0) & (at - spikes[ahead] < PACED_S * rate))


def _gaps(at: Samples, lost: Mask, rate: float) -> Row:
    gap_ms = np.full(at.size, np.nan)
    if at.size > 1:
        lost_until = np.insert(np.cumsum(lost), 0, 0)
        second = np.minimum((at / rate).astype(np.intp), lost.size - 1)
        whole = lost_until[second[1:] + 1] == lost_until[second[:-1]]
        gap_ms[1:] = np.where(whole, np.diff(at) * (1000 / rate), np.nan)
    return gap_ms


def _around(values: Row, width: int) -> NDArray[np.float64]:
    """Return the windows of *width* around every value, the ends mirrored."""
    half = width // 2
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="reflect"), 2 * half + 1)


def fibrillation(at_ms: Row, gap_ms: Row, conducted: Mask, with_p: Mask) -> Mask:
    """Return the beats in fibrillation: intervals between conducted beats without order, and no P wave before most of them."""
    after_conducted = np.concatenate([[False], conducted[:-1]])[: conducted.size]
    pairs = np.flatnonzero(np.isfinite(gap_ms) & conducted & after_conducted)
    result = np.zeros(at_ms.size, np.bool_)
    if pairs.size < 2 * AROUND // 3:
        return result
    gaps, preceded = gap_ms[pairs], with_p[pairs].astype(np.float64)
    width = min(AROUND, gaps.size - 1 - gaps.size % 2)
    change = np.abs(np.diff(gaps, prepend=gaps[0]))
    irregular = np.median(_around(change, width), axis=1) / np.median(_around(gaps, width), axis=1)
    found = (irregular > IRREGULAR) & (_around(preceded, width).mean(axis=1) < P_SHARE)
    nearest = np.clip(np.searchsorted(pairs, np.arange(at_ms.size)), 0, gaps.size - 1)
    for first, last in _bridged(found[nearest], at_ms, BRIDGED_S):
        inside = pairs[(pairs >= first) & (pairs <= last)]
        lasts_ms = at_ms[last] - at_ms[first]
        long_enough = lasts_ms >= min(1000 * SHORTEST_S, SAME_RHYTHM * (at_ms[-1] - at_ms[0]))
        if long_enough and conducted[first : last + 1].mean() >= CONDUCTED_SHARE and not in_groups(gap_ms[inside]):
            result[first : last + 1] = True
    return result


def _bridged(mask: Mask, at_ms: Row, seconds: float) -> list[Span]:
    """Return the runs of *mask*, those that less than *seconds* part put together."""
    joined: list[Span] = []
    for first, last in spans(mask):
        if joined and at_ms[first] - at_ms[joined[-1][1]] < 1000 * seconds:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def lasting(mask: Mask, at_ms: Row, shortest_s: float, bridged_s: float) -> list[Span]:
    """Return the runs of *mask* that last *shortest_s* at least, those that less than *bridged_s* part put together."""
    return [span for span in _bridged(mask, at_ms, bridged_s) if at_ms[span[1]] - at_ms[span[0]] >= 1000 * shortest_s]


def supraventricular_runs(gap_ms: Row, kind: NDArray[np.str_], elsewhere: Mask) -> list[Span]:
    """Return runs of narrow beats that begin at once and stay fast, but not those *elsewhere* (in fibrillation, flutter)."""
    narrow = np.isfinite(gap_ms) & (kind != VENTRICULAR) & (kind != "P") & ~elsewhere
    found: list[Span] = []
    beat, beats = USUAL_OF, gap_ms.size
    with np.errstate(invalid="ignore"):
        begins = np.flatnonzero(narrow[1:] & (gap_ms[1:] < ONSET * np.where(narrow[:-1], gap_ms[:-1], np.inf))) + 1
    for onset in begins.tolist():
        if onset < beat:
            continue
        before = gap_ms[onset - USUAL_OF : onset]
        before = before[np.isfinite(before)]
        if before.size < USUAL_OF // 2:
            continue
        usual = float(np.median(before))
        end = onset
        while end < beats and narrow[end] and gap_ms[end] < KEPT * usual:
            end += 1
        if gap_ms[onset] < ONSET * usual and end - onset >= RUN_LEAST and 60000 / gap_ms[onset:end].mean() >= RUN_BPM:
            found.append((onset, end - 1))
            beat = end
    return found
