"""What a long recording came to: frozen values, and the JSON the outside world gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg.holter.episodes import KINDS, MOST, STRIP_S, Episode, counted
from ecg.holter.rhythm import BeatTable

if TYPE_CHECKING:
    from ecg.holter.st_trend import StTrend
    from ecg.holter.variability import Variability


@dataclass(frozen=True)
class Rates:
    """Beats per minute: the mean, and the slowest and fastest mean of eight intervals with the sample where each stands."""

    mean_bpm: float | None = None
    least_bpm: float | None = None
    least_at: int | None = None
    most_bpm: float | None = None
    most_at: int | None = None


@dataclass(frozen=True)
class Hour:
    """One hour since the beginning. *beats* counts each class of `ecg.measures.ectopy`; shares are of the hour's own length."""

    number: int
    seconds: float
    rates: Rates
    beats: Mapping[str, int]
    pauses: int
    longest_rr_ms: int | None
    fibrillation_minutes: float
    artefact_share: float


@dataclass(frozen=True, eq=False)
class Summary:
    """The whole recording; samples count from 0 in its own rate. ``minute_rates`` has the mean rate of every minute or None."""

    format: str
    sampling_frequency_hz: float
    samples: int
    started_at: datetime | None
    leads: tuple[str, ...]
    table: BeatTable
    rates: Rates
    minute_rates: tuple[float | None, ...]
    hours: tuple[Hour, ...]
    episodes: tuple[Episode, ...]
    st: StTrend
    fibrillation_share: float
    ventricular_share: float
    supraventricular_share: float
    artefact_share: float
    unusable: Mapping[str, float]
    variability: Variability | None = None
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.samples / self.sampling_frequency_hz

    def moment(self, sample: int) -> datetime | None:
        """Return the time of a sample where the file says when it began."""
        return self.started_at and self.started_at + timedelta(seconds=sample / self.sampling_frequency_hz)

    def listed(self) -> list[Episode]:
        """Return the episodes that are listed: of every kind at most `MOST`, the longest of them."""
        kept: list[Episode] = []
        for kind in KINDS:
            own = [episode for episode in self.episodes if episode.kind == kind]
            kept += sorted(own, key=lambda episode: episode.first - episode.last)[:MOST]
        return sorted(kept, key=lambda episode: (episode.first, episode.last, episode.kind))

    def as_json(self) -> dict[str, Any]:
        """Return the summary as the public interface shows it."""
        rate = self.sampling_frequency_hz
        return {
            "format": self.format,
            "sampling_frequency_hz": int(rate) if rate == int(rate) else rate,
            "duration_s": round(self.duration_s, 3),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "leads": list(self.leads),
            "r_peaks": self.table.at.tolist(),
            "beats": "".join(self.table.kind.tolist()),
            "heart_rate_bpm": self._rates(self.rates),
            "minute_rates_bpm": list(self.minute_rates),
            "hours": [self._hour(hour) for hour in self.hours],
            "counts": counted(self.episodes),
            "episodes": [self._episode(episode) for episode in self.listed()],
            "st_trend": self._st(),
            "burden": {
                "fibrillation_share": round(self.fibrillation_share, 4),
                "ventricular_share": round(self.ventricular_share, 4),
                "supraventricular_share": round(self.supraventricular_share, 4),
            },
            "artefact_share": round(self.artefact_share, 4),
            "unusable_share": {lead: round(share, 4) for lead, share in self.unusable.items()},
            "variability": self.variability and self.variability.as_json(),
            "warnings": list(self.notes),
        }

    def _rates(self, rates: Rates) -> dict[str, Any]:
        second = self.sampling_frequency_hz
        return {
            "mean": rates.mean_bpm,
            "min": rates.least_bpm,
            "min_at_s": None if rates.least_at is None else round(rates.least_at / second, 2),
            "max": rates.most_bpm,
            "max_at_s": None if rates.most_at is None else round(rates.most_at / second, 2),
        }

    def _hour(self, hour: Hour) -> dict[str, Any]:
        began = self.moment(round(hour.number * 3600 * self.sampling_frequency_hz))
        return {
            "hour": hour.number,
            "started_at": began.isoformat() if began else None,
            "seconds": round(hour.seconds, 1),
            "heart_rate_bpm": self._rates(hour.rates),
            "beats": {
                "normal": hour.beats["N"],
                "ventricular": hour.beats["V"],
                "supraventricular": hour.beats["S"],
                "paced": hour.beats["P"],
            },
            "pauses": hour.pauses,
            "longest_rr_ms": hour.longest_rr_ms,
            "fibrillation_minutes": round(hour.fibrillation_minutes, 2),
            "artefact_share": round(hour.artefact_share, 4),
        }

    def _episode(self, episode: Episode) -> dict[str, Any]:
        rate, text = self.sampling_frequency_hz, KINDS[episode.kind]
        began = self.moment(episode.first)
        return {
            "kind": episode.kind,
            "text": {"zh": text.zh, "en": text.en},
            "start_s": round(episode.first / rate, 3),
            "seconds": round((episode.last - episode.first) / rate, 3),
            "started_at": began.isoformat() if began else None,
            "beats": episode.beats,
            "rate_bpm": episode.rate_bpm,
            "strip": {"start_s": round(episode.strip[0] / rate, 3), "seconds": min(STRIP_S, round(episode.strip[1] / rate, 3))},
            "evidence": dict(episode.evidence),
        }

    def _st(self) -> dict[str, Any]:
        def rows(levels: NDArray[np.float64]) -> dict[str, list[float | None]]:
            return {
                lead: [None if math.isnan(level) else round(level, 3) + 0.0 for level in levels[:, row].tolist()]
                for row, lead in enumerate(self.leads)
            }

        return {
            "start_s": [round(start / self.sampling_frequency_hz, 3) for start in self.st.starts],
            "j_mv": rows(self.st.j_mv),
            "j60_mv": rows(self.st.j60_mv),
            "j80_mv": rows(self.st.j80_mv),
        }
