"""What stands out in a long recording, and when: rhythms, runs, patterns, pauses, rates, ST."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecg.analysis import Text
from ecg.holter.rhythm import RUN_LEAST, BeatTable, Mask, Row, Span, lasting, spans
from ecg.holter.st_trend import StTrend, deviations

STRIP_S = 8.0
PAUSE_MS = 2000.0
SLOW_BPM, FAST_BPM = 50.0, 100.0  # ACC/AHA/HRS 2018 and ACC/AHA/HRS 2015: the limits of sinus rates
RATE_OF, RATE_SHORTEST_S, RATE_BRIDGED_S = 8, 30.0, 10.0
VENTRICULAR_BPM = 100.0  # slower runs are idioventricular
MOST = 500  # of one kind are listed; all are counted

#: Kind -> wording.
KINDS: dict[str, Text] = {
    "atrial-fibrillation": Text("心房颤动", "Atrial fibrillation"),
    "atrial-flutter": Text("心房扑动", "Atrial flutter"),
    "ventricular-run": Text(
        "室性心动过速（≥3个室性搏动，≥100次/分）", "Ventricular tachycardia (3 beats or more, 100/min or faster)"
    ),
    "idioventricular-run": Text("室性自主心律（<100次/分）", "Idioventricular rhythm (slower than 100/min)"),
    "supraventricular-run": Text("室上性心动过速（≥3个搏动）", "Supraventricular run (3 beats or more)"),
    "couplet": Text("成对室性早搏", "Ventricular couplet"),
    "bigeminy": Text("室性二联律", "Ventricular bigeminy"),
    "trigeminy": Text("室性三联律", "Ventricular trigeminy"),
    "pause": Text("停搏（>2秒）", "Pause (longer than 2 s)"),
    "bradycardia": Text("心动过缓（<50次/分，≥30秒）", "Bradycardia (below 50/min for 30 s or more)"),
    "tachycardia": Text("心动过速（>100次/分，≥30秒）", "Tachycardia (above 100/min for 30 s or more)"),
    "st-elevation": Text("ST段抬高（较平时≥0.1 mV，≥1分钟）", "ST elevation (0.1 mV above the usual level, 1 min or more)"),
    "st-depression": Text("ST段压低（较平时≥0.1 mV，≥1分钟）", "ST depression (0.1 mV below the usual level, 1 min or more)"),
}

#: Beats of these classes, one behind the other over readable signal.
PATTERNS = {
    "couplet": re.compile(r"(?<!V)VV(?!V)"),
    "bigeminy": re.compile(r"(?:[NS]V(?!V)){3,}"),
    "trigeminy": re.compile(r"(?:[NS]{2}V(?!V)){3,}"),
}


@dataclass(frozen=True)
class Episode:
    """One episode from sample *first* to *last*; ``strip`` is (first sample, samples) of what shows it best.

    ``rate_bpm`` is the mean of its intervals, None where it has none (ST). ``evidence`` holds what the kind has besides.
    """

    kind: str
    first: int
    last: int
    beats: int
    rate_bpm: float | None
    strip: tuple[int, int]
    evidence: Mapping[str, float | str] = field(default_factory=dict)


def running_rate(table: BeatTable) -> Row:
    """Return the rate at every beat as the mean of the last `RATE_OF` intervals, NaN where one of them is not known."""
    result = np.full(table.at.size, np.nan)
    if table.at.size >= RATE_OF:
        result[RATE_OF - 1 :] = 60000 / np.lib.stride_tricks.sliding_window_view(table.gap_ms, RATE_OF).mean(axis=1)
    return result


def found_in(table: BeatTable, trend: StTrend, samples: int) -> list[Episode]:
    """Return all episodes in the order of time."""
    episodes = [
        *(_of_beats(table, kind, span, samples) for kind, span in _of_rhythm(table)),
        *_pauses(table, samples),
        *_of_st(table, trend, samples),
    ]
    return sorted(episodes, key=lambda episode: (episode.first, episode.last, episode.kind))


def _of_rhythm(table: BeatTable) -> Iterator[tuple[str, Span]]:
    at_ms = table.at.astype(np.float64) * (1000 / table.rate)
    yield from (("atrial-fibrillation", span) for span in spans(table.fibrillating))
    yield from (("atrial-flutter", span) for span in spans(table.fluttering))
    for first, last in _unbroken(table, table.kind == "V"):
        if last - first + 1 >= RUN_LEAST:
            fast = _rate(table, first, last) >= VENTRICULAR_BPM
            yield ("ventricular-run" if fast else "idioventricular-run"), (first, last)
    for span in _unbroken(table, table.kind == "S"):
        if span[1] - span[0] + 1 >= RUN_LEAST:
            yield "supraventricular-run", span
    text, beat_at = _as_text(table)
    for kind, pattern in PATTERNS.items():
        yield from ((kind, (beat_at[match.start()], beat_at[match.end() - 1])) for match in pattern.finditer(text))
    running = running_rate(table)
    with np.errstate(invalid="ignore"):
        slow, fast_beats = running < SLOW_BPM, running > FAST_BPM
    yield from (("bradycardia", span) for span in lasting(slow, at_ms, RATE_SHORTEST_S, RATE_BRIDGED_S))
    yield from (("tachycardia", span) for span in lasting(fast_beats, at_ms, RATE_SHORTEST_S, RATE_BRIDGED_S))


def _unbroken(table: BeatTable, mask: Mask) -> Iterator[Span]:
    """Yield the runs of *mask*, parted where the signal was lost."""
    for first, last in spans(mask):
        breaks = np.flatnonzero(~np.isfinite(table.gap_ms[first + 1 : last + 1])) + first + 1
        yield from zip([first, *breaks.tolist()], [*(breaks - 1).tolist(), last], strict=True)


def _as_text(table: BeatTable) -> tuple[str, list[int]]:
    """Return the classes as one text, a space where the signal was lost, and each character's beat."""
    broken = ~np.isfinite(table.gap_ms)
    kinds = table.kind.tolist()
    text = "".join(f" {kind}" if gap else kind for kind, gap in zip(kinds, broken.tolist(), strict=True))
    return text, np.repeat(np.arange(table.at.size), 1 + broken).tolist()


def _rate(table: BeatTable, first: int, last: int) -> float:
    gaps = table.gap_ms[first + 1 : last + 1]
    gaps = gaps[np.isfinite(gaps)]
    return float(60000 / gaps.mean()) if gaps.size else float("nan")


def _of_beats(table: BeatTable, kind: str, span: Span, samples: int) -> Episode:
    first, last = span
    begin, end = int(table.at[first]), int(table.at[last])
    rate = _rate(table, first, last)
    short = end - begin < 0.5 * STRIP_S * table.rate
    shown = (begin + end) / 2 - STRIP_S / 2 * table.rate if short else begin - STRIP_S / 4 * table.rate
    known = None if np.isnan(rate) else round(rate)
    return Episode(kind, begin, end, last - first + 1, known, strip_at(shown, table.rate, samples))


def strip_at(first: float, rate: float, samples: int) -> tuple[int, int]:
    """Return the strip of `STRIP_S` that begins at *first* or as near to it as the recording allows."""
    length = min(samples, round(STRIP_S * rate))
    return int(min(max(0, round(first)), samples - length)), length


def _pauses(table: BeatTable, samples: int) -> Iterator[Episode]:
    with np.errstate(invalid="ignore"):
        places = np.flatnonzero(table.gap_ms > PAUSE_MS)
    for place in places.tolist():
        begin, end, gap_ms = int(table.at[place - 1]), int(table.at[place]), float(table.gap_ms[place])
        strip = strip_at((begin + end) / 2 - STRIP_S / 2 * table.rate, table.rate, samples)
        yield Episode("pause", begin, end, 2, round(60000 / gap_ms), strip, {"pause_ms": round(gap_ms)})


def _of_st(table: BeatTable, trend: StTrend, samples: int) -> Iterator[Episode]:
    for lead, first, last, furthest, level in deviations(trend):
        begin, end = trend.starts[first], trend.ends[last] - 1
        beats = int(np.searchsorted(table.at, end) - np.searchsorted(table.at, begin))
        middle = (trend.starts[furthest] + trend.ends[furthest]) / 2 - STRIP_S / 2 * table.rate
        kind = "st-elevation" if level > 0 else "st-depression"
        yield Episode(
            kind, begin, end, beats, None, strip_at(middle, table.rate, samples), {"lead": lead, "change_mv": round(level, 3)}
        )


def counted(episodes: Sequence[Episode]) -> dict[str, int]:
    """Return how many there are of every kind."""
    return {kind: sum(episode.kind == kind for episode in episodes) for kind in KINDS}
