"""Chunks of any size in, one summary out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from ecg.errors import EcgError
from ecg.formats.streams import Source
from ecg.holter.episodes import Episode, found_in, running_rate
from ecg.holter.rhythm import BeatTable, Mask, Row, beat_table
from ecg.holter.st_trend import st_trend
from ecg.holter.summary import Hour, Rates, Summary
from ecg.holter.variability import SHORTEST_S, variability
from ecg.holter.windows import Window, window_of
from ecg.processing.preparation import MARGIN_S, PART_S
from ecg.recording import MAX_LEADS, MAX_RATE_HZ, MIN_RATE_HZ, Millivolts

CHUNK_S = 60.0
LONGEST_S = 14 * 86400.0
SILENT_S = 6.0  # without a beat on readable leads, and then without one at all, is told


class Analyser:
    """Takes a recording's samples as they come and keeps what a window of a minute and its margins need.

    The windows are those of `ecg.processing.preparation.parts`: a last piece of under half a minute joins the one before.
    """

    def __init__(self, leads: Sequence[str], sampling_frequency_hz: float) -> None:
        """Begin with no samples; `EcgError` for leads or a rate no recording has."""
        rate = sampling_frequency_hz
        if not 1 <= len(leads) <= MAX_LEADS or not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise EcgError(f"{len(leads)} leads at {rate:g} Hz are no recording; 1 to {MAX_LEADS} leads are read.")
        self.leads, self.rate = tuple(leads), rate
        self._buffer: Millivolts = np.empty((len(leads), round((PART_S * 1.5 + 3 * MARGIN_S) * rate) + 2))
        self._first = self._held = 0  # the buffer's first sample in the recording, and how many it holds
        self._windows: list[Window] = []

    def feed(self, millivolts: Millivolts) -> None:
        """Take the next samples, (leads, samples) in mV with NaN for what is missing; any number of them."""
        if millivolts.ndim != 2 or millivolts.shape[0] != len(self.leads):
            raise EcgError(f"Samples of shape {millivolts.shape} do not fit {len(self.leads)} leads.")
        taken = 0
        while taken < millivolts.shape[1]:
            count = min(millivolts.shape[1] - taken, self._buffer.shape[1] - self._held)
            self._buffer[:, self._held : self._held + count] = millivolts[:, taken : taken + count]
            self._held += count
            taken += count
            self._close_windows()

    def _close_windows(self) -> None:
        while True:
            begin_s = len(self._windows) * PART_S
            if (self._first + self._held) / self.rate - 0.5 * PART_S <= begin_s + PART_S:
                return  # the samples to come may still belong to this window
            self._close(begin_s, begin_s + PART_S)

    def _close(self, from_s: float, to_s: float) -> None:
        last = min(self._first + self._held, round((to_s + MARGIN_S) * self.rate))
        keep = (round(from_s * self.rate), round(to_s * self.rate))
        self._windows.append(window_of(self._buffer[:, : last - self._first], self.rate, self._first, keep))
        passed = max(0, round((to_s - MARGIN_S) * self.rate)) - self._first
        left = max(0, self._held - passed)
        self._buffer[:, :left] = self._buffer[:, passed : passed + left].copy()
        self._first, self._held = self._first + passed, left

    def finish(self, *, format: str = "", started_at: datetime | None = None) -> Summary:  # noqa: A002 - the field's name
        """Return the summary, once; `EcgError` when there were no samples. HRV is added by `variability`."""
        samples = self._first + self._held
        if not samples:
            raise EcgError("The recording has no samples; send one that was not cut off.")
        self._close(len(self._windows) * PART_S, samples / self.rate)
        windows, rate = self._windows, self.rate
        lost = np.concatenate([window.lost for window in windows])
        table = beat_table(windows, rate, lost)
        trend = st_trend(windows, self.leads, rate, table.normal_qrs_ms)
        episodes = found_in(table, trend, samples)
        of_beats = {kind: float((table.kind == kind).mean()) if table.at.size else 0.0 for kind in "VS"}
        return Summary(
            format=format,
            sampling_frequency_hz=rate,
            samples=samples,
            started_at=started_at,
            leads=self.leads,
            table=table,
            rates=_rates(table, np.ones(table.at.size, np.bool_)),
            minute_rates=tuple(_rates(table, _between(table, *window.keep)).mean_bpm for window in windows),
            hours=_hours(table, episodes, lost, samples),
            episodes=tuple(episodes),
            st=trend,
            fibrillation_share=_fibrillation_s(episodes, 0, samples, rate) / (samples / rate),
            ventricular_share=of_beats["V"],
            supraventricular_share=of_beats["S"],
            artefact_share=float(lost.mean()),
            unusable={
                lead: float(np.mean([not window.quality[row].usable for window in windows]))
                for row, lead in enumerate(self.leads)
            },
        )


def analyse(source: Source, *, progress: Callable[[float], None] = lambda _: None, with_variability: bool = True) -> Summary:
    """Return the summary of *source*, read once; *progress* is told the share done. HRV is added from five minutes on."""
    if source.duration_s > LONGEST_S:
        raise EcgError(f"The recording lasts {source.duration_s / 86400:.1f} days; at most 14 are read: send a part of it.")
    analyser = Analyser([lead.name for lead in source.leads], source.sampling_frequency_hz)
    step = max(1, round(CHUNK_S * source.sampling_frequency_hz))
    for first in range(0, source.samples, step):
        analyser.feed(source.read(first, min(step, source.samples - first)))
        progress(min(1.0, (first + step) / source.samples))
    summary = replace(analyser.finish(format=source.format, started_at=source.started_at), notes=source.notes)
    if with_variability and summary.duration_s >= SHORTEST_S:
        summary = replace(summary, variability=variability(summary.table))
    return summary


def _between(table: BeatTable, first: int, after: int) -> Mask:
    return np.asarray((table.at >= first) & (table.at < after))


def _rates(table: BeatTable, chosen: Mask, running: Row | None = None) -> Rates:
    known = chosen & np.isfinite(table.gap_ms)
    if not known.any():
        return Rates()
    mean = float(60000 / table.gap_ms[known].mean())
    running = running_rate(table) if running is None else running
    places = np.flatnonzero(chosen & np.isfinite(running))
    if not places.size:
        return Rates(mean_bpm=round(mean, 1))
    least, most = places[np.argmin(running[places])], places[np.argmax(running[places])]
    return Rates(
        round(mean, 1), round(float(running[least]), 1), int(table.at[least]), round(float(running[most]), 1), int(table.at[most])
    )


def _hours(table: BeatTable, episodes: Sequence[Episode], lost: Mask, samples: int) -> tuple[Hour, ...]:
    rate, running = table.rate, running_rate(table)
    hours = []
    for number in range(int(-(-samples // (3600 * rate)))):
        first, after = round(number * 3600 * rate), min(samples, round((number + 1) * 3600 * rate))
        chosen = _between(table, first, after)
        gaps = table.gap_ms[chosen]
        gaps = gaps[np.isfinite(gaps)]
        kinds = table.kind[chosen]
        pauses = [episode for episode in episodes if episode.kind == "pause" and first <= episode.last < after]
        hours.append(
            Hour(
                number=number,
                seconds=(after - first) / rate,
                rates=_rates(table, chosen, running),
                beats={kind: int((kinds == kind).sum()) for kind in "NVSP"},
                pauses=len(pauses),
                longest_rr_ms=round(float(gaps.max())) if gaps.size else None,
                fibrillation_minutes=_fibrillation_s(episodes, first, after, rate) / 60,
                artefact_share=float(lost[number * 3600 : (number + 1) * 3600].mean()),
            )
        )
    return tuple(hours)


def _fibrillation_s(episodes: Sequence[Episode], first: int, after: int, rate: float) -> float:
    """Return the seconds of fibrillation and flutter from *first* to before *after*."""
    return (
        sum(
            max(0, min(episode.last, after) - max(episode.first, first))
            for episode in episodes
            if episode.kind in {"atrial-fibrillation", "atrial-flutter"}
        )
        / rate
    )
