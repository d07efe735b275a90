"""What a machine measured itself: the names of `Recording.device` and their codes (PS3.16 CID 3227, 3228, 3229)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceMeasure:
    """One global measurement: *code* under the scheme *scheme*, its meaning, its unit in UCUM, and HL7 aECG's name for it."""

    code: str
    scheme: str
    meaning: str
    unit: str
    aecg: str = ""


#: By the name under which a recording keeps it. A corrected QT whose formula the file does not say is ``qtc_interval_ms``.
DEVICE_MEASURES = {
    "heart_rate_bpm": DeviceMeasure("8867-4", "LN", "Heart rate", "/min", "MDC_ECG_HEART_RATE"),
    "rr_interval_ms": DeviceMeasure("2:16168", "MDC", "RR interval global", "ms", "MDC_ECG_TIME_PD_RR"),
    "p_duration_ms": DeviceMeasure("2:16184", "MDC", "P duration global", "ms", "MDC_ECG_TIME_PD_P"),
    "pr_interval_ms": DeviceMeasure("2:15872", "MDC", "PR interval global", "ms", "MDC_ECG_TIME_PD_PR"),
    "qrs_duration_ms": DeviceMeasure("2:16156", "MDC", "QRS duration global", "ms", "MDC_ECG_TIME_PD_QRS"),
    "qt_interval_ms": DeviceMeasure("2:16160", "MDC", "QT interval global", "ms", "MDC_ECG_TIME_PD_QT"),
    "qtc_interval_ms": DeviceMeasure("2:15876", "MDC", "QTc interval global", "ms", "MDC_ECG_TIME_PD_QTc"),
    "qtc_bazett_ms": DeviceMeasure("2:15880", "MDC", "QTc global using Bazett formula", "ms", "MDC_ECG_TIME_PD_QTcB"),
    "qtc_fridericia_ms": DeviceMeasure("2:15892", "MDC", "QTc global using Fredericia formula", "ms", "MDC_ECG_TIME_PD_QTcF"),
    "p_axis_deg": DeviceMeasure("2:16128", "MDC", "P Axis", "deg", "MDC_ECG_ANGLE_P_FRONT"),
    "qrs_axis_deg": DeviceMeasure("2:16132", "MDC", "QRS axis", "deg", "MDC_ECG_ANGLE_QRS_FRONT"),
    "t_axis_deg": DeviceMeasure("2:16136", "MDC", "T axis", "deg", "MDC_ECG_ANGLE_T_FRONT"),
}
