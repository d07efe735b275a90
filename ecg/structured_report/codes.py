"""The concepts of TID 3700 and its parts, as (code value, scheme, meaning); measurements with their units."""

from dataclasses import dataclass

Code = tuple[str, str, str]

REPORT = ("11524-0", "LN", "ECG Report")
LANGUAGE = ("121049", "DCM", "Language of Content Item and Descendants")
CHINESE = ("zh-CN", "RFC5646", "Chinese (China)")
PROCEDURE_REPORTED = ("121058", "DCM", "Procedure reported")
TWELVE_LEAD = ("268400002", "SCT", "12-Lead ECG")

OBSERVER_TYPE = ("121005", "DCM", "Observer Type")
DEVICE = ("121007", "DCM", "Device")
DEVICE_UID = ("121012", "DCM", "Device Observer UID")
DEVICE_NAME = ("121013", "DCM", "Device Observer Name")
DEVICE_MANUFACTURER = ("121014", "DCM", "Device Observer Manufacturer")

PROCEDURE = ("55111-9", "LN", "Current Procedure Descriptions")
PROCEDURE_AT = ("122146", "DCM", "Procedure DateTime")
SOURCE = ("121112", "DCM", "Source of Measurement")
LEAD_SYSTEM = ("10:11345", "MDC", "Lead System")
UNSPECIFIED_TWELVE = ("10:11264", "MDC", "Unspecified 12-lead system")
EQUIPMENT = ("121122", "DCM", "Equipment Identification")
ALGORITHM_NAME = ("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION = ("111003", "DCM", "Algorithm Version")

PATIENT = ("121118", "DCM", "Patient Characteristics")
AGE = ("121033", "DCM", "Subject Age")
SEX = ("121032", "DCM", "Subject Sex")
SEXES = {"M": ("M", "DCM", "Male"), "F": ("F", "DCM", "Female"), "O": ("121102", "DCM", "Other sex")}

QUANTITATIVE = ("122144", "DCM", "Quantitative Analysis")
GLOBAL = ("122158", "DCM", "ECG Global Measurements")
OF_LEAD = ("122159", "DCM", "ECG Lead Measurements")
LEAD = ("122148", "DCM", "Lead ID")
J_POINT = ("2:1024", "MDC", "J point Amplitude, per lead")
FAILED = ("114006", "DCM", "Measurement failure")

QUALITATIVE = ("122145", "DCM", "Qualitative Analysis")
FINDING = ("271921002", "SCT", "ECG Finding")
IN_WORDS = ("121051", "DCM", "Equivalent Meaning of Value")
SUMMARY = ("55112-7", "LN", "Summary")
OVERALL = ("18810-2", "LN", "ECG overall finding")

#: The gravest statement's severity -> CID 3677.
OVERALL_FINDINGS = {
    "normal": ("164854000", "SCT", "Normal ECG"),
    "borderline": ("251135002", "SCT", "Borderline Normal ECG"),
    "abnormal": ("102594003", "SCT", "Abnormal ECG"),
    "critical": ("102594003", "SCT", "Abnormal ECG"),
}
NON_DIAGNOSTIC = ("122753", "DCM", "Non-diagnostic ECG")

MS = ("ms", "UCUM", "millisecond")
BPM = ("{H.B.}/min", "UCUM", "BPM")
DEGREES = ("deg", "UCUM", "degree")
BEATS = ("{beats}", "UCUM", "beats")
MILLIVOLTS = ("mV", "UCUM", "millivolt")
YEARS = ("a", "UCUM", "year")


@dataclass(frozen=True)
class Measure:
    """One global measurement: *always* there, without a value when it could not be measured; *by* names the QT correction."""

    concept: Code
    unit: Code
    always: bool = False
    by: Code | None = None


#: TID 3713 in its order, with CID 3227 (QTc), 3228 (intervals), 3229 (axes) and 3678 (QT corrections).
GLOBALS = {
    "heart_rate_bpm": Measure(("2:16016", "MDC", "Ventricular Heart Rate"), BPM, always=True),
    "qt_interval_ms": Measure(("2:16160", "MDC", "QT interval global"), MS, always=True),
    "pr_interval_ms": Measure(("2:15872", "MDC", "PR interval global"), MS, always=True),
    "qrs_duration_ms": Measure(("2:16156", "MDC", "QRS duration global"), MS, always=True),
    "rr_interval_ms": Measure(("2:16168", "MDC", "RR interval global"), MS, always=True),
    "qtc_ms.bazett": Measure(
        ("2:15880", "MDC", "QTc global using Bazett formula"), MS, by=("122730", "DCM", "Bazett QT Correction Algorithm")
    ),
    "qtc_ms.fridericia": Measure(
        ("2:15892", "MDC", "QTc global using Fredericia formula"), MS, by=("122732", "DCM", "Fridericia QTc Algorithm")
    ),
    "qtc_ms.framingham": Measure(("2:15876", "MDC", "QTc interval global"), MS, by=("122733", "DCM", "Framingham QTc Algorithm")),
    "qtc_ms.hodges": Measure(
        ("2:15876", "MDC", "QTc interval global"), MS, by=("122731", "DCM", "Hodges QT Correction Algorithm")
    ),
    "p_duration_ms": Measure(("2:16184", "MDC", "P duration global"), MS),
    "p_axis_deg": Measure(("2:16128", "MDC", "P Axis"), DEGREES),
    "qrs_axis_deg": Measure(("2:16132", "MDC", "QRS axis"), DEGREES),
    "t_axis_deg": Measure(("2:16136", "MDC", "T axis"), DEGREES),
    "beats": Measure(("2:16032", "MDC", "Count of all beats"), BEATS),
    "ectopic_beats": Measure(("122707", "DCM", "Number of Ectopic Beats"), BEATS),
}
