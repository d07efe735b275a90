"""Rates, pauses and premature beats."""

from collections.abc import Callable

from ecg.analysis import Severity
from ecg.findings import FIBRILLATING, Evidence, Findings, Rule
from ecg.measures.ectopy import SUPRAVENTRICULAR, VENTRICULAR, longest_run

RUN = 3  # ventricular beats in a row


def _rate_under(f: Findings) -> Evidence | None:
    slow = 0 < f.rate < f.critical.slow_bpm
    return {"heart_rate_bpm": round(f.rate), "limit_bpm": f.critical.slow_bpm} if slow else None


def _pause(f: Findings) -> Evidence | None:
    longest = max(f.gaps_ms, default=0.0)
    return {"rr_ms": round(longest), "limit_ms": f.critical.pause_ms} if longest >= f.critical.pause_ms else None


def _fast(rhythms: frozenset[str], limit: str) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        bound = getattr(f.critical, limit)
        return {"heart_rate_bpm": round(f.rate), "limit_bpm": bound} if f.rhythm in rhythms and f.rate >= bound else None

    return when


def _premature(kind: str) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        count = f.beats.count(kind)
        return {"beats": count, "of": len(f.beats)} if count and 2 * count < len(f.beats) else None

    return when


def _run(f: Findings) -> Evidence | None:
    first, last = longest_run(f.beats, VENTRICULAR)
    if last - first + 1 < RUN:
        return None
    inside = f.gaps_ms[first:last]
    rate = 60000 * len(inside) / sum(inside)
    return {"beats": last - first + 1, "heart_rate_bpm": round(rate)} if rate >= 100 else None


_B, _A, _C = Severity.BORDERLINE, Severity.ABNORMAL, Severity.CRITICAL
RULES = (
    Rule("critical-bradycardia", "心室率过缓", "Very slow ventricular rate", _C, _rate_under),
    Rule("pause", "长间歇（RR ≥ 3 秒）", "Pause (RR of 3 s or more)", _C, _pause),
    Rule(
        "rapid-atrial-fibrillation",
        "快速心房颤动",
        "Rapid atrial fibrillation",
        _C,
        _fast(FIBRILLATING, "fibrillation_bpm"),
        "AFIB",
    ),
    Rule(
        "rapid-svt",
        "极快室上性心动过速",
        "Very rapid supraventricular tachycardia",
        _C,
        _fast(frozenset({"supraventricular-tachycardia"}), "supraventricular_bpm"),
        "SVTAC",
    ),
    Rule(
        "possible-vt",
        "宽QRS心动过速：室性心动过速不能排除",
        "Wide complex tachycardia: ventricular tachycardia not excluded",
        _C,
        _fast(frozenset({"wide-complex-tachycardia"}), "ventricular_bpm"),
    ),
    Rule(
        "ventricular-run",
        "连续室性搏动（短阵室性心动过速）",
        "Run of ventricular beats (short ventricular tachycardia)",
        _A,
        _run,
    ),
    Rule("ventricular-premature-beats", "室性早搏", "Ventricular premature beats", _B, _premature(VENTRICULAR), "PVC"),
    Rule(
        "supraventricular-premature-beats",
        "室上性早搏",
        "Supraventricular premature beats",
        _B,
        _premature(SUPRAVENTRICULAR),
        "PAC",
    ),
)
