"""What an analysis says: frozen values, and the JSON the outside world gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ecg.coding import AHA

#: The waves of one lead, in the order of a beat.
WAVES = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")


class Severity(StrEnum):
    """How much a statement matters; automatic statements are hints and never a diagnosis."""

    NORMAL = "normal"
    BORDERLINE = "borderline"
    ABNORMAL = "abnormal"
    CRITICAL = "critical"


#: From the least to the most severe.
SEVERITIES = tuple(Severity)


@dataclass(frozen=True)
class Text:
    """One wording in both languages."""

    zh: str
    en: str


@dataclass(frozen=True)
class Statement:
    """One coded statement with the numbers it stands on; ``scp`` is its code in SCP-ECG (EN 1064, annex B), where it has one."""

    code: str
    text: Text
    severity: Severity
    evidence: Mapping[str, Any]
    scp: str = ""

    @property
    def codes(self) -> dict[str, str]:
        """The statement in standards' codes: ``scp`` and ``aha`` (`ecg.coding`), each only where there is one for it."""
        return {scheme: code for scheme, code in (("scp", self.scp), ("aha", AHA.get(self.code, ""))) if code}


@dataclass(frozen=True)
class Quality:
    """Whether a lead can be measured; the reasons are codes of `ecg.processing.quality`."""

    usable: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corrected:
    """QT corrected for the heart rate, in milliseconds."""

    bazett: int | None = None
    fridericia: int | None = None
    framingham: int | None = None
    hodges: int | None = None


@dataclass(frozen=True)
class Measurements:
    """Global measurements; None is "not measurable", and the analysis' warnings say why."""

    heart_rate_bpm: int | None = None
    p_duration_ms: int | None = None
    pr_interval_ms: int | None = None
    qrs_duration_ms: int | None = None
    qt_interval_ms: int | None = None
    qtc_ms: Corrected = Corrected()
    p_axis_deg: int | None = None
    qrs_axis_deg: int | None = None
    t_axis_deg: int | None = None
    rv5_sv1_mv: float | None = None
    st_j_mv: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Analysis:
    """Everything found in one recording; samples count from 0 in the recording's own rate.

    ``beats`` is the class of every R peak: N, V (ventricular), S (supraventricular, premature) or P (paced).
    ``device`` and ``device_statements`` are what the machine that recorded it measured and said itself.
    """

    format: str
    sampling_frequency_hz: float
    duration_s: float
    leads: tuple[str, ...]
    r_peaks: tuple[int, ...]
    delineation: Mapping[str, Mapping[str, tuple[int, ...]]]
    beats: tuple[str, ...]
    measurements: Measurements
    rhythm: Statement
    statements: tuple[Statement, ...]
    quality: Mapping[str, Quality]
    warnings: tuple[str, ...]
    device: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    device_statements: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The most severe of the statements."""
        return max((statement.severity for statement in self.statements), key=SEVERITIES.index, default=Severity.NORMAL)

    def as_json(self) -> dict[str, Any]:
        """Return the analysis as the public interface shows it."""
        m = self.measurements
        rate = self.sampling_frequency_hz
        return {
            "format": self.format,
            "sampling_frequency_hz": int(rate) if rate == int(rate) else rate,
            "duration_s": round(self.duration_s, 3),
            "leads": list(self.leads),
            "r_peaks": list(self.r_peaks),
            "beats": list(self.beats),
            "delineation": {lead: {wave: list(waves[wave]) for wave in WAVES} for lead, waves in self.delineation.items()},
            "measurements": {
                "heart_rate_bpm": m.heart_rate_bpm,
                "p_duration_ms": m.p_duration_ms,
                "pr_interval_ms": m.pr_interval_ms,
                "qrs_duration_ms": m.qrs_duration_ms,
                "qt_interval_ms": m.qt_interval_ms,
                "qtc_ms": {
                    "bazett": m.qtc_ms.bazett,
                    "fridericia": m.qtc_ms.fridericia,
                    "framingham": m.qtc_ms.framingham,
                    "hodges": m.qtc_ms.hodges,
                },
                "p_axis_deg": m.p_axis_deg,
                "qrs_axis_deg": m.qrs_axis_deg,
                "t_axis_deg": m.t_axis_deg,
                "rv5_sv1_mv": m.rv5_sv1_mv,
                "st_j_mv": dict(m.st_j_mv) if m.st_j_mv is not None else None,
            },
            "rhythm": {"code": self.rhythm.code, "text": self.rhythm.text.en, "text_zh": self.rhythm.text.zh},
            "statements": [
                {
                    "code": statement.code,
                    "text": {"zh": statement.text.zh, "en": statement.text.en},
                    "severity": statement.severity.value,
                    "evidence": dict(statement.evidence),
                    "scp": statement.scp or None,
                    "codes": statement.codes,
                }
                for statement in self.statements
            ],
            "quality": {lead: {"usable": q.usable, "reasons": list(q.reasons)} for lead, q in self.quality.items()},
            "warnings": list(self.warnings),
            "device": {"measurements": dict(self.device), "statements": list(self.device_statements)},
        }
