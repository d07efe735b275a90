"""What statements stand on, and what a rule for one looks like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecg.analysis import Measurements, Quality, Severity
from ecg.measures.amplitudes import Amplitudes
from ecg.measures.rhythm import RhythmEvidence

Evidence = dict[str, Any]

#: Rhythms that the ventricles make themselves or are made to make: ST, voltages and bundle branches do not mean what they say.
VENTRICULAR = frozenset({"paced", "wide-complex-rhythm", "wide-complex-tachycardia", "complete-av-block"})
FIBRILLATING = frozenset({"atrial-fibrillation", "atrial-flutter"})
ADULT_YEARS = 16

#: The limits of 120 and 110 ms were made with machines' measurements; ours end later, by this much over all files that hold both.
LATER_MS = 15
COMPLETE_MS, INCOMPLETE_MS = 120 + LATER_MS, 110 + LATER_MS


@dataclass(frozen=True)
class CriticalValues:
    """Limits of the critical list (危急值), as published for Zhejiang; provinces differ."""

    pause_ms: float = 3000
    slow_bpm: float = 35
    fibrillation_bpm: float = 180
    supraventricular_bpm: float = 230
    ventricular_bpm: float = 150
    st_mv: float = 0.1
    st_v1_v3_mv: float = 0.3


@dataclass(frozen=True)
class Findings:
    """All that the statements may stand on.

    ``beats`` are the classes of `ecg.measures.ectopy`, ``gaps_ms`` the intervals, ``placement`` and ``chest_order`` what
    `ecg.measures.placement` says of the limb electrodes and `ecg.measures.chest_order` of the chest's.
    """

    measurements: Measurements
    rhythm: str
    evidence: RhythmEvidence
    quality: Mapping[str, Quality]
    st_j60_mv: Mapping[str, float] | None
    amplitudes: Mapping[str, Amplitudes] = field(default_factory=dict)
    placement: Mapping[str, float] = field(default_factory=dict)
    chest_order: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    beats: tuple[str, ...] = ()
    gaps_ms: tuple[float, ...] = ()
    sex: str = ""
    age_years: float | None = None
    critical: CriticalValues = CriticalValues()

    @property
    def rate(self) -> float:
        """Beats per minute, 0 when there are none."""
        return self.evidence.heart_rate_bpm or 0.0

    @property
    def conducted(self) -> bool:
        """Whether the ventricles are reached the usual way, so that ST and voltages mean what they say."""
        return self.rhythm not in VENTRICULAR and (self.measurements.qrs_duration_ms or 0) < COMPLETE_MS

    @property
    def adult(self) -> bool:
        """Whether limits for adults hold; an unknown age is taken for one."""
        return self.age_years is None or self.age_years >= ADULT_YEARS


@dataclass(frozen=True)
class Rule:
    """One statement: when it is made (evidence, or None when not), and how it reads; ``{leads}`` is filled from it.

    ``scp`` is the statement code of SCP-ECG (EN 1064, annex B) where there is one.
    """

    code: str
    zh: str
    en: str
    severity: Severity
    when: Callable[[Findings], Evidence | None]
    scp: str = ""
