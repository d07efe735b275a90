"""AV conduction, bundle branches and fascicles (AHA/ACCF/HRS 2009, part III), pre-excitation."""

from collections.abc import Callable

from ecg.analysis import Severity
from ecg.findings import COMPLETE_MS, INCOMPLETE_MS, VENTRICULAR, Evidence, Findings, Rule
from ecg.measures.amplitudes import Amplitudes

SMALL_Q_MV = -0.05  # a shallower one does not speak against a left bundle branch block
DELTA_QRS_MS = 110
LONG_PR_MS, SHORT_PR_MS, DELTA_PR_MS = 200, 110, 120
R2_MV, SMALL_R2_MV, WIDE_S_MS, LATE_R_MS = 0.10, 0.06, 40, 55
SLUR_MS, SLURRED_LEADS = 30, 6
DROPPED = (1.85, 2.15)  # of the usual interval


def _pr(f: Findings) -> int | None:
    return f.measurements.pr_interval_ms if f.rhythm.startswith("sinus") else None


def _pr_long(f: Findings) -> Evidence | None:
    pr = _pr(f)
    return {"pr_interval_ms": pr, "limit_ms": LONG_PR_MS} if pr is not None and pr > LONG_PR_MS else None


def _pr_short(f: Findings) -> Evidence | None:
    pr = _pr(f)
    short = pr is not None and pr < SHORT_PR_MS and _preexcited(f) is None
    return {"pr_interval_ms": pr, "limit_ms": SHORT_PR_MS} if short else None


def _preexcited(f: Findings) -> Evidence | None:
    pr, qrs = _pr(f), f.measurements.qrs_duration_ms
    slurred = [name for name, lead in f.amplitudes.items() if lead.slur_ms >= SLUR_MS]
    if pr is None or qrs is None or pr >= DELTA_PR_MS or qrs < DELTA_QRS_MS or len(slurred) < SLURRED_LEADS:
        return None
    return {"pr_interval_ms": pr, "qrs_duration_ms": qrs, "slurred_leads": slurred}


def _dropped(f: Findings) -> Evidence | None:
    """Look for an interval twice the usual one between sinus beats that come regularly otherwise."""
    if not f.rhythm.startswith("sinus") or len(f.gaps_ms) < 4 or f.evidence.irregular:
        return None
    usual = sorted(f.gaps_ms)[len(f.gaps_ms) // 2]
    sinus = [gap for gap, pair in zip(f.gaps_ms, zip(f.beats, f.beats[1:], strict=False), strict=False) if set(pair) == {"N"}]
    double = [round(gap) for gap in sinus if DROPPED[0] * usual <= gap <= DROPPED[1] * usual]
    return {"rr_ms": double, "usual_rr_ms": round(usual)} if double else None


def _leads(f: Findings, *names: str) -> list[Amplitudes] | None:
    found = [f.amplitudes[name] for name in names if name in f.amplitudes]
    return found if len(found) == len(names) and f.rhythm not in VENTRICULAR and f.measurements.qrs_duration_ms else None


def _right(f: Findings) -> bool:
    """Tell whether V1 has R' or a late broad R, and I or V6 a broad S."""
    if (leads := _leads(f, "V1", "I", "V6")) is None:
        return False
    v1, one, v6 = leads
    late = v1.r2_mv >= max(R2_MV, v1.r_mv) or (v1.r_mv > -v1.s_mv and v1.r_mv >= R2_MV and v1.peak_ms >= LATE_R_MS)
    return late and max(one.s_ms, v6.s_ms) >= WIDE_S_MS


def _slightly_right(f: Findings) -> bool:
    """Tell whether V1 has a small R' behind its S."""
    leads = _leads(f, "V1")
    return leads is not None and leads[0].r2_mv >= SMALL_R2_MV and leads[0].s_mv < 0


def _left(f: Findings) -> bool:
    """Tell whether V1 is rS or QS, and V6 or I has a late R without a Q to speak of."""
    if (leads := _leads(f, "V1", "I", "V6")) is None:
        return False
    v1, one, v6 = leads
    down = min(v1.s_mv, v1.q_mv) < -max(R2_MV, 2 * v1.r_mv) and v1.r2_mv < R2_MV
    return down and any(lead.r_mv > -lead.s_mv and lead.q_mv > SMALL_Q_MV and lead.peak_ms >= LATE_R_MS for lead in (one, v6))


def _block(side: Callable[[Findings], bool], low: int, high: int) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        qrs = f.measurements.qrs_duration_ms
        if qrs is None or not low <= qrs < high or not side(f) or _preexcited(f):
            return None
        v1 = f.amplitudes["V1"]
        return {
            "qrs_duration_ms": qrs,
            "v1_r_mv": round(v1.r_mv, 2),
            "v1_r2_mv": round(v1.r2_mv, 2),
            "v1_s_mv": round(v1.s_mv, 2),
        }

    return when


def _unspecific(f: Findings) -> Evidence | None:
    qrs = f.measurements.qrs_duration_ms
    wide = qrs is not None and qrs >= COMPLETE_MS and f.rhythm not in VENTRICULAR
    return {"qrs_duration_ms": qrs} if wide and not (_right(f) or _left(f) or _preexcited(f)) else None


def _left_anterior(f: Findings) -> Evidence | None:
    degrees, leads = f.measurements.qrs_axis_deg, _leads(f, "aVL", "II", "III")
    if degrees is None or leads is None or not -90 <= degrees <= -45 or _left(f):
        return None
    avl, two, three = leads
    return {"qrs_axis_deg": degrees} if avl.r_mv > -avl.s_mv and -three.s_mv > three.r_mv > 0 and -two.s_mv > two.r_mv else None


def _left_posterior(f: Findings) -> Evidence | None:
    degrees, leads = f.measurements.qrs_axis_deg, _leads(f, "I", "aVL", "III", "aVF")
    if degrees is None or leads is None or degrees < 90 or not f.adult:
        return None
    one, avl, three, foot = leads
    down = all(lead.r_mv > 0 and -lead.s_mv > lead.r_mv for lead in (one, avl))
    return {"qrs_axis_deg": degrees} if down and three.q_mv < 0 and foot.q_mv < 0 and three.r_mv > -three.s_mv else None


def _axis(low: int, high: int) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        degrees = f.measurements.qrs_axis_deg
        return {"qrs_axis_deg": degrees} if degrees is not None and low <= degrees < high and f.rhythm != "paced" else None

    return when


_B, _A = Severity.BORDERLINE, Severity.ABNORMAL
RULES = (
    Rule(
        "first-degree-av-block",
        "PR间期延长（一度房室传导阻滞）",
        "Long PR interval (first degree AV block)",
        _A,
        _pr_long,
        "1AVB",
    ),
    Rule(
        "dropped-beat",
        "漏搏：二度房室或窦房传导阻滞不能排除",
        "Dropped beat: second degree AV or sinoatrial block not excluded",
        _A,
        _dropped,
        "2AVB",
    ),
    Rule("short-pr", "PR间期缩短", "Short PR interval", _B, _pr_short),
    Rule("pre-excitation", "心室预激（WPW）可能", "Possible ventricular pre-excitation (WPW)", _A, _preexcited, "WPW"),
    Rule(
        "right-bundle-branch-block",
        "完全性右束支传导阻滞",
        "Right bundle branch block",
        _A,
        _block(_right, COMPLETE_MS, 999),
        "CRBBB",
    ),
    Rule(
        "incomplete-right-bundle-branch-block",
        "不完全性右束支传导阻滞",
        "Incomplete right bundle branch block",
        _B,
        _block(_slightly_right, 90, COMPLETE_MS),
        "IRBBB",
    ),
    Rule(
        "left-bundle-branch-block",
        "完全性左束支传导阻滞",
        "Left bundle branch block",
        _A,
        _block(_left, COMPLETE_MS, 999),
        "CLBBB",
    ),
    Rule(
        "incomplete-left-bundle-branch-block",
        "不完全性左束支传导阻滞",
        "Incomplete left bundle branch block",
        _B,
        _block(_left, INCOMPLETE_MS, COMPLETE_MS),
        "ILBBB",
    ),
    Rule(
        "wide-qrs",
        "QRS波增宽（非特异性室内传导阻滞）",
        "Wide QRS (unspecific intraventricular conduction delay)",
        _A,
        _unspecific,
        "IVCD",
    ),
    Rule("left-anterior-fascicular-block", "左前分支传导阻滞", "Left anterior fascicular block", _A, _left_anterior, "LAFB"),
    Rule(
        "left-posterior-fascicular-block",
        "左后分支传导阻滞可能",
        "Possible left posterior fascicular block",
        _A,
        _left_posterior,
        "LPFB",
    ),
    Rule("left-axis-deviation", "电轴左偏", "Left axis deviation", _B, _axis(-90, -30)),
    Rule("right-axis-deviation", "电轴右偏", "Right axis deviation", _B, _axis(91, 181)),
    Rule("extreme-axis-deviation", "电轴极度偏移", "Extreme axis deviation", _B, _axis(-180, -90)),
)
