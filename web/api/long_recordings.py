"""The summary of a recording of five minutes and more, as the analysis carries it under ``long``."""

from __future__ import annotations

from typing_extensions import TypedDict


class Wording(TypedDict):
    """One wording in both languages."""

    zh: str
    en: str


class LongRates(TypedDict):
    """Beats per minute; least and most are means of eight intervals, with the second they end at."""

    mean: float | None
    min: float | None
    min_at_s: float | None
    max: float | None
    max_at_s: float | None


class BeatCounts(TypedDict):
    """Beats of each class."""

    normal: int
    ventricular: int
    supraventricular: int
    paced: int


class Hour(TypedDict):
    """One hour since the beginning."""

    hour: int
    started_at: str | None
    seconds: float
    heart_rate_bpm: LongRates
    beats: BeatCounts
    pauses: int
    longest_rr_ms: int | None
    fibrillation_minutes: float
    artefact_share: float


class Strip(TypedDict):
    """Which part of the recording shows an episode best."""

    start_s: float
    seconds: float


class Episode(TypedDict):
    """One episode; *rate_bpm* is null where it has none (ST)."""

    kind: str
    text: Wording
    start_s: float
    seconds: float
    started_at: str | None
    beats: int
    rate_bpm: int | None
    strip: Strip
    evidence: dict[str, float | str]


class StTrend(TypedDict):
    """ST levels in millivolts by lead, minute by minute; null where not measured."""

    start_s: list[float]
    j_mv: dict[str, list[float | None]]
    j60_mv: dict[str, list[float | None]]
    j80_mv: dict[str, list[float | None]]


class Burden(TypedDict):
    """Shares of the time (fibrillation and flutter) and of the beats (ectopy)."""

    fibrillation_share: float
    ventricular_share: float
    supraventricular_share: float


class Variability(TypedDict):
    """Heart rate variability of NN intervals; *excluded_share* of all intervals are none. Spectra are of 5 minutes."""

    nn_intervals: int
    excluded_share: float
    mean_nn_ms: float | None
    sdnn_ms: float | None
    rmssd_ms: float | None
    pnn50_percent: float | None
    triangular_index: float | None
    sdann_ms: float | None
    sdnn_index_ms: float | None
    vlf_ms2: float | None
    lf_ms2: float | None
    hf_ms2: float | None
    lf_hf: float | None
    segments: int


class Long(TypedDict):
    """What a long recording came to; of each kind of episode at most 500 are listed, all are counted."""

    started_at: str | None
    heart_rate_bpm: LongRates
    minute_rates_bpm: list[float | None]
    hours: list[Hour]
    counts: dict[str, int]
    episodes: list[Episode]
    st_trend: StTrend
    burden: Burden
    artefact_share: float
    unusable_share: dict[str, float]
    variability: Variability | None
    warnings: list[str]
