"""Voltages of enlarged chambers, by the names of their criteria (AHA/ACCF/HRS 2009, part V; Peguero 2017)."""

from ecg.analysis import Severity
from ecg.findings import FIBRILLATING, Evidence, Findings, Rule

SOKOLOW_MV, AVL_MV = 3.5, 1.1
SOKOLOW_FROM_YEARS = 35
CORNELL_MV = {"M": 2.8, "F": 2.0}
PEGUERO_MV = {"M": 2.8, "F": 2.3}
MORRIS_MV_MS = -4.0  # 0.04 mm·s
LONG_P_MS = 120
TALL_P_MV = {"II": 0.25, "V1": 0.15}
RIGHT_R_MV, RIGHT_SUM_MV, RIGHT_AXIS = 0.6, 1.05, 90


def _sokolow(f: Findings) -> Evidence | None:
    volts = f.measurements.rv5_sv1_mv
    old = f.age_years is None or f.age_years >= SOKOLOW_FROM_YEARS
    told = volts is not None and volts >= SOKOLOW_MV and old and f.conducted
    return {"rv5_sv1_mv": volts, "limit_mv": SOKOLOW_MV} if told else None


def _left_ventricle(f: Findings) -> Evidence | None:
    """Return the criteria other than Sokolow's that hold: Cornell, R in aVL, Peguero-Lo Presti."""
    if not f.conducted or not f.adult:
        return None
    a, sex = f.amplitudes, f.sex if f.sex in CORNELL_MV else "M"
    depth = {name: -min(lead.s_mv, lead.q_mv) for name, lead in a.items()}
    found: dict[str, float] = {}
    if "aVL" in a and a["aVL"].r_mv >= AVL_MV:
        found["r_avl_mv"] = a["aVL"].r_mv
    if {"aVL", "V3"} <= set(a) and a["aVL"].r_mv + depth["V3"] >= CORNELL_MV[sex]:
        found["cornell_mv"] = a["aVL"].r_mv + depth["V3"]
    if "V4" in a and max(depth.values()) + depth["V4"] >= PEGUERO_MV[sex]:
        found["peguero_lo_presti_mv"] = max(depth.values()) + depth["V4"]
    return {name: round(value, 2) for name, value in found.items()} or None


def _right_ventricle(f: Findings) -> Evidence | None:
    a, degrees = f.amplitudes, f.measurements.qrs_axis_deg
    if not {"V1", "V6"} <= set(a) or not f.conducted or not f.adult or degrees is None or a["V1"].r2_mv:
        return None
    r, s = a["V1"].r_mv, -a["V1"].s_mv
    tall = r >= RIGHT_R_MV and r > s
    return (
        {"r_v1_mv": round(r, 2), "qrs_axis_deg": degrees}
        if degrees > RIGHT_AXIS and (tall or r - a["V6"].s_mv >= RIGHT_SUM_MV)
        else None
    )


def _left_atrium(f: Findings) -> Evidence | None:
    duration, v1 = f.measurements.p_duration_ms, f.amplitudes.get("V1")
    if duration is None or v1 is None or f.rhythm in FIBRILLATING or (v1.p_late_mv_ms > MORRIS_MV_MS and duration < LONG_P_MS):
        return None
    return {"p_duration_ms": duration, "morris_v1_mv_ms": round(v1.p_late_mv_ms, 1)}


def _right_atrium(f: Findings) -> Evidence | None:
    if f.measurements.p_duration_ms is None:
        return None
    tall = {
        name: round(f.amplitudes[name].p_mv, 2)
        for name, limit in TALL_P_MV.items()
        if name in f.amplitudes and f.amplitudes[name].p_mv >= limit
    }
    return {"p_mv": tall} if tall else None


_B = Severity.BORDERLINE
RULES = (
    Rule(
        "left-ventricular-voltage", "左心室高电压（RV5+SV1）", "Left ventricular high voltage (RV5 + SV1)", _B, _sokolow, "VCLVH"
    ),
    Rule(
        "left-ventricular-hypertrophy",
        "左心室肥厚可能（电压标准）",
        "Possible left ventricular hypertrophy (voltage criteria)",
        _B,
        _left_ventricle,
        "LVH",
    ),
    Rule(
        "right-ventricular-hypertrophy", "右心室肥厚可能", "Possible right ventricular hypertrophy", _B, _right_ventricle, "RVH"
    ),
    Rule("left-atrial-enlargement", "左心房扩大可能", "Possible left atrial enlargement", _B, _left_atrium, "LAO/LAE"),
    Rule("right-atrial-enlargement", "右心房扩大可能", "Possible right atrial enlargement", _B, _right_atrium, "RAO/RAE"),
)
