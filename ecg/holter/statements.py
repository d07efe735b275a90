"""From the episodes of a long recording to coded statements, as a strip has them: hints, never a diagnosis."""

from collections.abc import Callable, Sequence

from ecg.analysis import Severity, Statement, Text
from ecg.findings import CriticalValues
from ecg.holter.episodes import KINDS, Episode
from ecg.holter.summary import Summary
from ecg.measures.rhythm import BRADYCARDIA_BPM, PACED_SHARE, TACHYCARDIA_BPM
from ecg.statements import RHYTHM_SCP, RHYTHMS

VENTRICULAR_S = 30.0
MOSTLY = 0.5  # of the beats
_B, _A, _C = Severity.BORDERLINE, Severity.ABNORMAL, Severity.CRITICAL

#: Kind of episode -> its severity, and when one of them is critical (seconds, episode, limits).
SEVERITIES: dict[str, tuple[Severity, Callable[[float, Episode, CriticalValues], bool] | None]] = {
    "atrial-fibrillation": (_A, lambda _, e, c: (e.rate_bpm or 0) >= c.fibrillation_bpm),
    "atrial-flutter": (_A, lambda _, e, c: (e.rate_bpm or 0) >= c.fibrillation_bpm),
    "ventricular-run": (_A, lambda s, e, c: s >= VENTRICULAR_S and (e.rate_bpm or 0) >= c.ventricular_bpm),
    "idioventricular-run": (_A, None),
    "supraventricular-run": (_B, lambda _, e, c: (e.rate_bpm or 0) >= c.supraventricular_bpm),
    "couplet": (_B, None),
    "bigeminy": (_B, None),
    "trigeminy": (_B, None),
    "pause": (_A, lambda _, e, c: float(e.evidence["pause_ms"]) >= c.pause_ms),
    "bradycardia": (_B, lambda _, e, c: (e.rate_bpm or c.slow_bpm) < c.slow_bpm),
    "tachycardia": (_B, None),
    "st-elevation": (_A, None),
    "st-depression": (_A, None),
}


def rhythm_of(summary: Summary) -> Statement:
    """Return the rhythm of most beats; "undetermined" where neither fibrillation, pacing nor P waves make up the half."""
    table = summary.table
    shares = {
        "atrial-flutter": table.fluttering,
        "atrial-fibrillation": table.fibrillating,
    }
    code = "no-beats" if not table.at.size else "undetermined"
    bpm = summary.rates.mean_bpm
    if table.at.size:
        code = next((name for name, mask in shares.items() if mask.mean() > MOSTLY), code)
        if (table.kind == "P").mean() >= PACED_SHARE:
            code = "paced"
        elif code == "undetermined" and bpm is not None and table.with_p.mean() > MOSTLY:
            slow, fast = bpm < BRADYCARDIA_BPM, bpm > TACHYCARDIA_BPM
            code = "sinus-bradycardia" if slow else "sinus-tachycardia" if fast else "sinus-rhythm"
    if code == "no-beats" and summary.artefact_share > MOSTLY:
        code = "not-measurable"
    text, severity = RHYTHMS[code]
    return Statement(code, text, severity, {"heart_rate_bpm": bpm}, RHYTHM_SCP.get(code, ""))


def statements(summary: Summary, critical: CriticalValues | None = None) -> tuple[Statement, ...]:
    """Return the rhythm and one statement for every kind of episode that occurs, in the order of `KINDS`."""
    limits = critical or CriticalValues()
    made = [rhythm_of(summary)]
    for kind, text in KINDS.items():
        own = [episode for episode in summary.episodes if episode.kind == kind]
        if own:
            made.append(_statement(kind, text, own, summary.sampling_frequency_hz, limits))
    return tuple(made)


def _statement(kind: str, text: Text, episodes: Sequence[Episode], rate: float, limits: CriticalValues) -> Statement:
    severity, when = SEVERITIES[kind]
    lengths = [(episode.last - episode.first) / rate for episode in episodes]
    if when is not None and any(when(length, episode, limits) for length, episode in zip(lengths, episodes, strict=True)):
        severity = _C
    count, longest = len(episodes), max(lengths)
    said = Text(f"{text.zh}：{count}次，最长{longest:.1f}秒", f"{text.en}: {count}, the longest {longest:.1f} s")
    return Statement(f"episodes-of-{kind}", said, severity, {"episodes": count, "longest_s": round(longest, 1)})
