"""Electrodes that were put where they do not belong: hints to look at the patient before the heart is blamed."""

from ecg.analysis import Severity
from ecg.findings import VENTRICULAR, Evidence, Findings, Rule

FLAT_SHARE = 0.12  # of the greatest QRS in the limb leads
SMALLEST_MV = 0.05


def _net(f: Findings, lead: str) -> float | None:
    """Return R and R' less the deepest of Q and S, or None where the lead was not measured."""
    a = f.amplitudes.get(lead)
    return None if a is None else max(a.r_mv, a.r2_mv) + min(a.q_mv, a.s_mv)


def _inverted(f: Findings, lead: str) -> bool:
    """Tell whether P and QRS of *lead* both point down."""
    a, net = f.amplitudes.get(lead), _net(f, lead)
    return a is not None and net is not None and net < -SMALLEST_MV and a.p_mv < -SMALLEST_MV / 2


def _arms(f: Findings) -> Evidence | None:
    """I upside down with an upright aVR, while V6 is upright: arms; when V6 fades too: the heart lies right."""
    net_avr, net_v6 = _net(f, "aVR"), _net(f, "V6")
    if f.rhythm in VENTRICULAR or net_avr is None or net_v6 is None or not _inverted(f, "I") or net_avr <= 0:
        return None
    if _right_arm_left_leg(f) is not None:
        return None
    return {"net_qrs_mv": {lead: round(_net(f, lead) or 0.0, 2) for lead in ("I", "aVR", "V6")}} if net_v6 > 0 else None


def _dextrocardia(f: Findings) -> Evidence | None:
    nets = [_net(f, lead) for lead in ("V1", "V6")]
    if f.rhythm in VENTRICULAR or None in nets or not _inverted(f, "I"):
        return None
    size = {lead: max(f.amplitudes[lead].r_mv, f.amplitudes[lead].r2_mv) for lead in ("V1", "V6")}
    fading = size["V6"] < size["V1"] and (nets[1] or 0.0) <= 0
    return {"r_mv": {lead: round(value, 2) for lead, value in size.items()}} if fading else None


def _right_arm_left_leg(f: Findings) -> Evidence | None:
    """II upside down with an upright aVR, and V6 upright; with swapped arms it is I that is turned over most."""
    net = {lead: _net(f, lead) for lead in ("I", "II", "aVR", "V6")}
    known = {lead: round(value, 2) for lead, value in net.items() if value is not None}
    if len(known) < len(net) or f.rhythm in VENTRICULAR or not (_inverted(f, "II") and _inverted(f, "aVF")):
        return None
    told = known["II"] < known["I"] and known["aVR"] > 0 and known["V6"] > 0
    return {"net_qrs_mv": known} if told else None


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
    Rule("arm-electrodes-swapped", "左右手电极可能接反", "Arm electrodes probably swapped", _B, _arms),
    Rule(
        "dextrocardia",
        "右位心可能，或左右手及胸前电极接反",
        "Possible dextrocardia, or arm and chest electrodes swapped",
        _B,
        _dextrocardia,
    ),
    Rule(
        "right-arm-left-leg-swapped",
        "右手与左腿电极可能接反",
        "Right arm and left leg electrodes probably swapped",
        _B,
        _right_arm_left_leg,
    ),
    Rule(
        "right-leg-electrode-misplaced",
        "右腿电极可能接错（{leads}导联近于直线）",
        "Right leg electrode probably misplaced ({leads} nearly flat)",
        _B,
        _right_leg,
    ),
)
