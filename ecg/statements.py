"""From measurements to coded statements, each with its evidence and severity.

Every statement is a hint and not a diagnosis (提示，非诊断): it may raise a priority, it never lowers one. The criteria stand in
`ecg.criteria`; what must be told to a person at once stands in `CriticalValues`, which an institution may set otherwise.
"""

from collections.abc import Iterator

from ecg.analysis import Severity, Statement, Text
from ecg.criteria import chambers, conduction, electrodes, rates, repolarisation
from ecg.findings import CriticalValues, Evidence, Findings, Rule

__all__ = ["RHYTHMS", "RULES", "CriticalValues", "Findings", "rhythm_statement", "statements"]

_N, _B, _A, _C = Severity.NORMAL, Severity.BORDERLINE, Severity.ABNORMAL, Severity.CRITICAL

#: Rhythm code -> wording and severity (raised by the critical values below).
RHYTHMS: dict[str, tuple[Text, Severity]] = {
    "sinus-rhythm": (Text("窦性心律", "Sinus rhythm"), _N),
    "sinus-bradycardia": (Text("窦性心动过缓", "Sinus bradycardia"), _B),
    "sinus-tachycardia": (Text("窦性心动过速", "Sinus tachycardia"), _B),
    "sinus-arrhythmia": (Text("窦性心律不齐", "Sinus arrhythmia"), _B),
    "ectopic-atrial-rhythm": (Text("异位房性心律", "Ectopic atrial rhythm"), _B),
    "atrial-flutter": (Text("心房扑动", "Atrial flutter"), _A),
    "atrial-tachycardia": (Text("房性心动过速或心房扑动", "Atrial tachycardia or flutter"), _A),
    "premature-beats-in-turn": (Text("早搏成组出现（二联律、三联律）", "Premature beats in turn (bigeminy, trigeminy)"), _B),
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

#: Rhythm code -> statement code of SCP-ECG (EN 1064, annex B).
RHYTHM_SCP = {
    "sinus-rhythm": "SR",
    "sinus-bradycardia": "SBRAD",
    "sinus-tachycardia": "STACH",
    "sinus-arrhythmia": "SARRH",
    "ectopic-atrial-rhythm": "SVARR",
    "premature-beats-in-turn": "BIGU",
    "atrial-fibrillation": "AFIB",
    "atrial-flutter": "AFLT",
    "atrial-tachycardia": "SVTAC",
    "supraventricular-tachycardia": "SVTAC",
    "complete-av-block": "3AVB",
    "paced": "PACE",
}


def _low_quality(f: Findings) -> Evidence | None:
    aside = {lead: list(quality.reasons) for lead, quality in f.quality.items() if not quality.usable}
    return {"set_aside": aside, "leads": "、".join(aside)} if aside else None


RULES = (
    *rates.RULES,
    *repolarisation.RULES,
    *conduction.RULES,
    *chambers.RULES,
    *electrodes.RULES,
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
        "flutter_rate_bpm": None if e.flutter_bpm is None else round(e.flutter_bpm),
        "atrial_rate_bpm": None if e.atrial_rate_bpm is None else round(e.atrial_rate_bpm),
    }
    known = {name: value for name, value in numbers.items() if value is not None}
    return Statement(f.rhythm, text, severity, known, RHYTHM_SCP.get(f.rhythm, ""))


def _made(f: Findings) -> Iterator[Statement]:
    yield rhythm_statement(f)
    for rule in RULES:
        evidence = rule.when(f)
        if evidence is not None:
            leads = str(evidence.pop("leads", ""))
            text = Text(rule.zh.format(leads=leads), rule.en.format(leads=leads.replace("、", ", ")))
            yield Statement(rule.code, text, rule.severity, evidence, rule.scp)


def statements(f: Findings) -> tuple[Statement, ...]:
    """Return the rhythm and every statement whose rule holds, in the order of the table."""
    return tuple(_made(f))
