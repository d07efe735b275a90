"""ST, T, QT and Q waves: ischaemia, infarction, what mimics them (Fourth universal definition of myocardial infarction, 2018)."""

from collections.abc import Callable, Mapping

from ecg.analysis import Severity, Text
from ecg.findings import Evidence, Findings, Rule
from ecg.leads import CONTIGUOUS

SHORT_QTC_MS = 340
INVERTED_MV = -0.10
INVERTED_LEADS = frozenset({"I", "II", "aVL", "aVF", "V2", "V3", "V4", "V5", "V6"})  # where an upright T is the rule
Q_MS, Q_MV, Q_V2_V3_MS = 30, -0.10, 20
TALL_T_MV, TALL_T_LEADS = 1.2, 2
BRUGADA_MV = 0.20


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


def _qt_short(f: Findings) -> Evidence | None:
    qtc = f.measurements.qtc_ms.fridericia
    return (
        {"qtc_fridericia_ms": qtc, "limit_ms": SHORT_QTC_MS} if qtc is not None and f.conducted and qtc < SHORT_QTC_MS else None
    )


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


def _paired(leads: set[str]) -> list[str]:
    """Return the leads that have a contiguous one beside them, in the order of the pairs."""
    return list(dict.fromkeys(lead for pair in CONTIGUOUS if set(pair) <= leads for lead in pair))


def _t_inverted(f: Findings) -> Evidence | None:
    upright = {name for name, lead in f.amplitudes.items() if lead.r_mv > -min(lead.s_mv, lead.q_mv)}
    low = {name for name in INVERTED_LEADS & upright if f.amplitudes[name].t_mv <= INVERTED_MV}
    leads = _paired(low) if f.conducted and f.adult else []
    return {"t_mv": {lead: round(f.amplitudes[lead].t_mv, 2) for lead in leads}, "leads": "、".join(leads)} if leads else None


def _has_q(f: Findings, lead: str) -> bool:
    a = f.amplitudes.get(lead)
    if a is None or not a.q_mv:
        return False
    if lead in ("V2", "V3"):
        return a.q_ms >= Q_V2_V3_MS and a.q_mv <= Q_MV
    return a.q_ms >= Q_MS and a.q_mv <= Q_MV


def _q_waves(wall: str) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        if not f.conducted or not f.adult:
            return None
        leads = _paired({lead for lead in WALLS[wall][1] if _has_q(f, lead)})
        return {"q_mv": {lead: round(f.amplitudes[lead].q_mv, 2) for lead in leads}, "leads": "、".join(leads)} if leads else None

    return when


def _tall_t(f: Findings) -> Evidence | None:
    tall = {
        name: round(a.t_mv, 2)
        for name, a in f.amplitudes.items()
        if name.startswith("V") and a.t_mv >= max(TALL_T_MV, 0.75 * a.r_mv)
    }
    return {"t_mv": tall, "leads": "、".join(tall)} if len(tall) >= TALL_T_LEADS and f.rhythm != "paced" else None


def _brugada(f: Findings) -> Evidence | None:
    """Look for coved ST: 0.2 mV and more at J in V1 or V2, falling from there into a negative T."""
    at_j, later = f.measurements.st_j_mv or {}, f.st_j60_mv or {}
    coved = {
        lead: at_j[lead]
        for lead in ("V1", "V2")
        if lead in f.amplitudes
        and at_j.get(lead, 0) >= BRUGADA_MV
        and later.get(lead, 1) < at_j[lead]
        and f.amplitudes[lead].t_mv < 0
    }
    return {"st_j_mv": coved, "leads": "、".join(coved)} if coved and f.rhythm != "paced" else None


_B, _A, _C = Severity.BORDERLINE, Severity.ABNORMAL, Severity.CRITICAL
#: Wall -> code of SCP-ECG for an infarct there.
_INFARCTS = {"inferior": "IMI", "anterior": "AMI", "lateral": "LMI"}
RULES = (
    *(
        Rule(
            f"{wall}-st-elevation",
            f"{text.zh}导联ST段抬高（{{leads}}）",
            f"ST elevation in {text.en} leads ({{leads}})",
            severity,
            _st_elevation(wall, critical=severity is _C),
            "STE_",
        )
        for wall, (text, _) in WALLS.items()
        for severity in (_C, _A)
    ),
    Rule("st-depression", "ST段压低（{leads}）", "ST depression ({leads})", _A, _st_depression, "STD_"),
    *(
        Rule(
            f"{wall}-q-waves",
            f"{text.zh}异常Q波（{{leads}}）：陈旧性心肌梗死不能排除",
            f"Pathological Q waves in {text.en} leads ({{leads}}): old infarct not excluded",
            _A,
            _q_waves(wall),
            _INFARCTS[wall],
        )
        for wall, (text, _) in WALLS.items()
    ),
    Rule("t-wave-inversion", "T波倒置（{leads}）", "T wave inversion ({leads})", _B, _t_inverted, "INVT"),
    Rule(
        "tall-t-waves", "T波高耸（{leads}）：注意高钾血症", "Tall T waves ({leads}): think of hyperkalaemia", _A, _tall_t, "HVOLT"
    ),
    Rule("brugada-pattern", "Brugada样改变（{leads}）", "Brugada pattern ({leads})", _A, _brugada),
    Rule("very-long-qt", "QT间期明显延长", "Very long QT interval", _A, _qt_very_long, "LNGQT"),
    Rule("long-qt", "QT间期延长", "Long QT interval", _B, _qt_long, "LNGQT"),
    Rule("short-qt", "QT间期缩短", "Short QT interval", _B, _qt_short),
)
