"""From measurements to coded statements, each with its evidence and severity.

Every statement is a hint and not a diagnosis (提示，非诊断): it may raise a priority, it never lowers one. The table `RULES` is
the whole of it; what must be told to a person at once stands in `CriticalValues`, which an institution may set otherwise.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecg.analysis import Measurements, Quality, Severity, Statement, Text
from ecg.leads import CONTIGUOUS
from ecg.measures.rhythm import WIDE_MS, RhythmEvidence

Evidence = dict[str, Any]


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
    """All that the statements may stand on."""

    measurements: Measurements
    rhythm: str
    evidence: RhythmEvidence
    quality: Mapping[str, Quality]
    longest_rr_ms: float | None
    st_j60_mv: Mapping[str, float] | None
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
        qrs = self.measurements.qrs_duration_ms
        return (
            self.rhythm not in ("paced", "wide-complex-rhythm", "wide-complex-tachycardia", "complete-av-block")
            and (qrs or 0) < 130
        )


_N, _B, _A, _C = Severity.NORMAL, Severity.BORDERLINE, Severity.ABNORMAL, Severity.CRITICAL

#: Rhythm code -> wording and severity (raised by the critical values below).
RHYTHMS: dict[str, tuple[Text, Severity]] = {
    "sinus-rhythm": (Text("窦性心律", "Sinus rhythm"), _N),
    "sinus-bradycardia": (Text("窦性心动过缓", "Sinus bradycardia"), _B),
    "sinus-tachycardia": (Text("窦性心动过速", "Sinus tachycardia"), _B),
    "sinus-arrhythmia": (Text("窦性心律不齐", "Sinus arrhythmia"), _B),
    "ectopic-atrial-rhythm": (Text("异位房性心律", "Ectopic atrial rhythm"), _B),
    "atrial-fibrillation": (Text("心房颤动", "Atrial fibrillation"), _A),
    "complete-av-block": (Text("三度（完全性）房室传导阻滞", "Complete AV block"), _C),
    "supraventricular-tachycardia": (Text("室上性心动过速", "Supraventricular tachycardia"), _A),
    "wide-complex-tachycardia": (Text("宽QRS心动过速", "Wide complex tachycardia"), _A),
    "wide-complex-rhythm": (Text("宽QRS节律，未见P波", "Wide complex rhythm without P waves"), _A),
    "regular-without-p": (Text("规则节律，未见P波", "Regular rhythm without P waves"), _A),
    "paced": (Text("起搏心律", "Paced rhythm"), _A),
    "undetermined": (Text("节律不能确定", "Rhythm not determined"), _B),
    "no-beats": (Text("未检出心室波", "No ventricular beats found"), _C),
    "flat-line": (Text("各导联近于直线：请立即查看病人和电极", "Flat line in all leads: see the patient and the electrodes"), _C),
    "not-measurable": (Text("信号不足，不能判断节律", "Signal not sufficient to tell the rhythm"), _B),
}


@dataclass(frozen=True)
class Rule:
    """One statement: when it is made (evidence, or None when not), and how it reads; ``{name}`` is filled from the evidence."""

    code: str
    zh: str
    en: str
    severity: Severity
    when: Callable[[Findings], Evidence | None]


def _rate_under(f: Findings) -> Evidence | None:
    slow = 0 < f.rate < f.critical.slow_bpm
    return {"heart_rate_bpm": round(f.rate), "limit_bpm": f.critical.slow_bpm} if slow else None


def _pause(f: Findings) -> Evidence | None:
    rr = f.longest_rr_ms
    return {"rr_ms": round(rr), "limit_ms": f.critical.pause_ms} if rr is not None and rr >= f.critical.pause_ms else None


def _fast(rhythm: str, limit: str) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        bound = getattr(f.critical, limit)
        return {"heart_rate_bpm": round(f.rate), "limit_bpm": bound} if f.rhythm == rhythm and f.rate >= bound else None

    return when


def _pr_long(f: Findings) -> Evidence | None:
    pr = f.measurements.pr_interval_ms
    sinus = f.rhythm.startswith("sinus")
    return {"pr_interval_ms": pr} if sinus and pr is not None and pr > 200 else None


def _pr_short(f: Findings) -> Evidence | None:
    pr = f.measurements.pr_interval_ms
    sinus = f.rhythm.startswith("sinus")
    return {"pr_interval_ms": pr} if sinus and pr is not None and pr < 110 else None


def _qrs_wide(f: Findings) -> Evidence | None:
    qrs = f.measurements.qrs_duration_ms
    own = f.rhythm in ("paced", "wide-complex-rhythm", "wide-complex-tachycardia")
    return {"qrs_duration_ms": qrs} if qrs is not None and qrs >= WIDE_MS and not own else None


def _qtc_limits(f: Findings) -> tuple[float, float]:
    return (450, 500) if f.sex == "M" else (460, 500)


def _qt_long(f: Findings) -> Evidence | None:
    qtc = f.measurements.qtc_ms.fridericia
    if qtc is None or not f.conducted or f.rhythm == "atrial-fibrillation":
        return None
    limit, severe = _qtc_limits(f)
    return {"qtc_fridericia_ms": qtc, "limit_ms": limit} if limit < qtc <= severe else None


def _qt_very_long(f: Findings) -> Evidence | None:
    qtc = f.measurements.qtc_ms.fridericia
    told = qtc is not None and f.conducted and f.rhythm != "atrial-fibrillation"
    return {"qtc_fridericia_ms": qtc, "limit_ms": 500} if told and qtc is not None and qtc > _qtc_limits(f)[1] else None


def _axis(low: int, high: int) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        degrees = f.measurements.qrs_axis_deg
        return {"qrs_axis_deg": degrees} if degrees is not None and low <= degrees < high and f.rhythm != "paced" else None

    return when


def _sokolow(f: Findings) -> Evidence | None:
    volts = f.measurements.rv5_sv1_mv
    adult = f.age_years is None or f.age_years >= 35
    return {"rv5_sv1_mv": volts, "limit_mv": 3.5} if volts is not None and volts >= 3.5 and adult and f.conducted else None


def _st_limit(f: Findings, lead: str) -> float:
    """Return the limit of the Fourth universal definition at the J point, by lead, sex and age."""
    if lead not in ("V2", "V3"):
        return 0.1
    if f.sex == "F":
        return 0.15
    return 0.25 if f.age_years is not None and f.age_years < 40 else 0.2


#: Wall -> its leads, as the statement names it.
WALLS: dict[str, tuple[Text, tuple[str, ...]]] = {
    "inferior": (Text("下壁", "inferior"), ("II", "III", "aVF")),
    "anterior": (Text("前壁", "anterior"), ("V1", "V2", "V3", "V4")),
    "lateral": (Text("侧壁", "lateral"), ("I", "aVL", "V5", "V6")),
}


def _st_raised(f: Findings) -> dict[str, float]:
    """Return the leads over their limit at J that have a contiguous neighbour over its own."""
    levels = f.measurements.st_j_mv or {}
    over = {lead for lead, level in levels.items() if level >= _st_limit(f, lead)}
    paired = {lead for pair in CONTIGUOUS if set(pair) <= over for lead in pair}
    return {lead: levels[lead] for lead in levels if lead in paired}


def _is_critical_st(f: Findings, raised: Mapping[str, float]) -> bool:
    def reaches(lead: str) -> bool:
        return raised.get(lead, 0.0) >= (f.critical.st_v1_v3_mv if lead in ("V1", "V2", "V3") else f.critical.st_mv)

    return any(reaches(one) and reaches(other) for one, other in CONTIGUOUS)


def _st_elevation(wall: str, *, critical: bool) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        raised = {lead: level for lead, level in _st_raised(f).items() if lead in WALLS[wall][1]}
        if not raised or (f.conducted and _is_critical_st(f, _st_raised(f))) != critical:
            return None
        return {"st_j_mv": raised, "limits_mv": {lead: _st_limit(f, lead) for lead in raised}, "leads": "、".join(raised)}

    return when


def _st_depression(f: Findings) -> Evidence | None:
    """0.05 mV and more at J, not rising until J + 60 ms, in two contiguous leads."""
    at_j, later = f.measurements.st_j_mv or {}, f.st_j60_mv or {}
    low = {lead for lead, level in at_j.items() if level <= -0.05 and later.get(lead, 0.0) <= -0.05}
    paired = {lead for pair in CONTIGUOUS if set(pair) <= low for lead in pair}
    found = {lead: at_j[lead] for lead in at_j if lead in paired}
    return {"st_j_mv": found, "leads": "、".join(found)} if found and f.conducted else None


def _low_quality(f: Findings) -> Evidence | None:
    aside = {lead: list(quality.reasons) for lead, quality in f.quality.items() if not quality.usable}
    return {"set_aside": aside, "leads": "、".join(aside)} if aside else None


RULES = (
    Rule("critical-bradycardia", "心室率过缓", "Very slow ventricular rate", _C, _rate_under),
    Rule("pause", "长间歇（RR ≥ 3 秒）", "Pause (RR of 3 s or more)", _C, _pause),
    Rule(
        "rapid-atrial-fibrillation",
        "快速心房颤动",
        "Rapid atrial fibrillation",
        _C,
        _fast("atrial-fibrillation", "fibrillation_bpm"),
    ),
    Rule(
        "rapid-svt",
        "极快室上性心动过速",
        "Very rapid supraventricular tachycardia",
        _C,
        _fast("supraventricular-tachycardia", "supraventricular_bpm"),
    ),
    Rule(
        "possible-vt",
        "宽QRS心动过速：室性心动过速不能排除",
        "Wide complex tachycardia: ventricular tachycardia not excluded",
        _C,
        _fast("wide-complex-tachycardia", "ventricular_bpm"),
    ),
    *(
        Rule(
            f"{wall}-st-elevation",
            f"{text.zh}导联ST段抬高（{{leads}}）",
            f"ST elevation in {text.en} leads ({{leads}})",
            severity,
            _st_elevation(wall, critical=severity is _C),
        )
        for wall, (text, _) in WALLS.items()
        for severity in (_C, _A)
    ),
    Rule("st-depression", "ST段压低（{leads}）", "ST depression ({leads})", _A, _st_depression),
    Rule("first-degree-av-block", "PR间期延长（一度房室传导阻滞）", "Long PR interval (first degree AV block)", _A, _pr_long),
    Rule("short-pr", "PR间期缩短", "Short PR interval", _B, _pr_short),
    Rule("wide-qrs", "QRS波增宽", "Wide QRS", _A, _qrs_wide),
    Rule("very-long-qt", "QT间期明显延长", "Very long QT interval", _A, _qt_very_long),
    Rule("long-qt", "QT间期延长", "Long QT interval", _B, _qt_long),
    Rule("left-axis-deviation", "电轴左偏", "Left axis deviation", _B, _axis(-90, -30)),
    Rule("right-axis-deviation", "电轴右偏", "Right axis deviation", _B, _axis(91, 181)),
    Rule("extreme-axis-deviation", "电轴极度偏移", "Extreme axis deviation", _B, _axis(-180, -90)),
    Rule("left-ventricular-voltage", "左心室高电压（RV5+SV1）", "Left ventricular high voltage (RV5 + SV1)", _B, _sokolow),
    Rule("low-quality", "部分导联信号质量差（{leads}）", "Low signal quality in some leads ({leads})", _B, _low_quality),
)


def rhythm_statement(f: Findings) -> Statement:
    """Return the rhythm as a statement."""
    text, severity = RHYTHMS[f.rhythm]
    e = f.evidence
    numbers: Evidence = {
        "heart_rate_bpm": None if e.heart_rate_bpm is None else round(e.heart_rate_bpm),
        "irregularity": round(e.irregularity, 3),
        "p_waves": e.p_waves,
        "qrs_duration_ms": f.measurements.qrs_duration_ms,
        "atrial_rate_bpm": None if e.atrial_rate_bpm is None else round(e.atrial_rate_bpm),
    }
    return Statement(f.rhythm, text, severity, {name: value for name, value in numbers.items() if value is not None})


def _made(f: Findings) -> Iterator[Statement]:
    yield rhythm_statement(f)
    for rule in RULES:
        evidence = rule.when(f)
        if evidence is not None:
            leads = str(evidence.pop("leads", ""))
            text = Text(rule.zh.format(leads=leads), rule.en.format(leads=leads.replace("、", ", ")))
            yield Statement(rule.code, text, rule.severity, evidence)


def statements(f: Findings) -> tuple[Statement, ...]:
    """Return the rhythm and every statement whose rule holds, in the order of the table."""
    return tuple(_made(f))
