"""Electrodes that were put where they do not belong: hints to look at the patient before the heart is blamed.

Which limbs were mistaken for each other is told by `ecg.measures.placement`, from the chest leads, and so only where these are in
order, which `ecg.measures.chest_order` tells; a heart on the right side turns the limb leads like
swapped arms, and only its fading chest leads tell it apart.
"""

from collections.abc import Callable, Mapping

from ecg.analysis import Severity
from ecg.findings import FIBRILLATING, VENTRICULAR, Evidence, Findings, Rule

FLAT_SHARE = 0.12  # of the greatest QRS in the limb leads
SMALLEST_MV = 0.05
#: Log odds over the right arrangement at which a hint is given: a moved right arm is plain to see, the left arm and leg are not.
RIGHT_ARM, LEFT_SIDE = 0.5, 1.9
CHEST_ODDS = 1.0
#: Two electrodes are taken for each other more often than three.
ROTATED = 1.0
_RIGHT_ARM = {
    "arm-electrodes-swapped": 0.0,
    "right-arm-left-leg-swapped": 0.0,
    "limb-electrodes-rotated": ROTATED,
    "limb-electrodes-rotated-back": ROTATED,
}
_LEFT = "left-arm-left-leg-swapped"


def told(scores: Mapping[str, float], *, fibrillating: bool) -> str | None:
    """Return the statement's code for *scores* of `ecg.measures.placement`, or None where no hint is to be given.

    The P wave tells the left arm from the left leg, which is why nothing is said of them while the atria are *fibrillating*.
    """
    if not scores:
        return None
    likeliest = max(_RIGHT_ARM, key=lambda name: scores[name] - _RIGHT_ARM[name])
    if scores[likeliest] - _RIGHT_ARM[likeliest] > RIGHT_ARM + max(0.0, scores[_LEFT]):
        return likeliest.removesuffix("-back")
    return _LEFT if scores[_LEFT] > LEFT_SIDE and not fibrillating else None


def _chest(f: Findings) -> Evidence | None:
    """Return the exchange of chest electrodes that best explains the leads, where it explains them much better than none."""
    if not f.chest_order or f.rhythm in VENTRICULAR or _dextrocardia(f) is not None:
        return None
    electrodes = max(f.chest_order, key=lambda each: f.chest_order[each])
    odds = f.chest_order[electrodes]
    shown = {"leads": "、".join(electrodes), "electrodes": list(electrodes), "log_odds": round(odds, 1)}
    return shown if odds > CHEST_ODDS else None


def _net(f: Findings, lead: str) -> float | None:
    """Return R and R' less the deepest of Q and S, or None where the lead was not measured."""
    a = f.amplitudes.get(lead)
    return None if a is None else max(a.r_mv, a.r2_mv) + min(a.q_mv, a.s_mv)


def _inverted(f: Findings, lead: str) -> bool:
    """Tell whether P and QRS of *lead* both point down."""
    a, net = f.amplitudes.get(lead), _net(f, lead)
    return a is not None and net is not None and net < -SMALLEST_MV and a.p_mv < -SMALLEST_MV / 2


def _swapped(code: str) -> Callable[[Findings], Evidence | None]:
    def when(f: Findings) -> Evidence | None:
        hint = told(f.placement, fibrillating=f.rhythm in FIBRILLATING)
        if f.rhythm in VENTRICULAR or hint != code or _dextrocardia(f) is not None or _chest(f) is not None:
            return None
        net = {lead: round(value, 2) for lead in ("I", "II", "aVR", "V6") if (value := _net(f, lead)) is not None}
        return {"net_qrs_mv": net, "log_odds": {name: round(value, 1) for name, value in f.placement.items()}}

    return when


def _dextrocardia(f: Findings) -> Evidence | None:
    nets = [_net(f, lead) for lead in ("V1", "V6")]
    if f.rhythm in VENTRICULAR or None in nets or not _inverted(f, "I"):
        return None
    size = {lead: max(f.amplitudes[lead].r_mv, f.amplitudes[lead].r2_mv) for lead in ("V1", "V6")}
    fading = size["V6"] < size["V1"] and (nets[1] or 0.0) <= 0
    return {"r_mv": {lead: round(value, 2) for lead, value in size.items()}} if fading else None


def _right_leg(f: Findings) -> Evidence | None:
    """One of I, II and III nearly flat: the right leg's electrode is on an arm."""
    size = {lead: max(a.r_mv, a.r2_mv) - min(a.q_mv, a.s_mv) for lead, a in f.amplitudes.items() if lead in ("I", "II", "III")}
    if len(size) < 3 or max(size.values()) < 4 * SMALLEST_MV:
        return None
    flat = [
        lead
        for lead, value in size.items()
        if value < FLAT_SHARE * max(size.values()) and abs(f.amplitudes[lead].t_mv) < SMALLEST_MV
    ]
    return {"flat": flat, "leads": "、".join(flat)} if flat else None


_B = Severity.BORDERLINE
RULES = (
    *(
        Rule(code, zh, en, _B, _swapped(code))
        for code, zh, en in (
            ("arm-electrodes-swapped", "左右手电极可能接反", "Arm electrodes probably swapped"),
            ("right-arm-left-leg-swapped", "右手与左腿电极可能接反", "Right arm and left leg electrodes probably swapped"),
            ("left-arm-left-leg-swapped", "左手与左腿电极可能接反", "Left arm and left leg electrodes possibly swapped"),
            ("limb-electrodes-rotated", "左右手及左腿电极可能轮换接错", "Arm and left leg electrodes probably exchanged in turn"),
        )
    ),
    Rule(
        "chest-electrodes-swapped",
        "胸前导联电极可能接错（{leads}）",
        "Chest electrodes probably exchanged ({leads})",
        _B,
        _chest,
    ),
    Rule(
        "dextrocardia",
        "右位心可能，或左右手及胸前电极接反",
        "Possible dextrocardia, or arm and chest electrodes swapped",
        _B,
        _dextrocardia,
    ),
    Rule(
        "right-leg-electrode-misplaced",
        "右腿电极可能接错（{leads}导联近于直线）",
        "Right leg electrode probably misplaced ({leads} nearly flat)",
        _B,
        _right_leg,
    ),
)
