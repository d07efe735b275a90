"""What is written around the traces: who, when and where above them, how they were drawn below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone

from ecg.analysis import Analysis
from ecg.recording import Filters, Recording
from ecg.rendering.ink import Tone
from ecg.rendering.layouts import FILTERS, Paper
from ecg.rendering.wording import SEXES, fitted, width_mm

GRID_LEFT_MM, GRID_TOP_MM = 13.5, 41.0
TOP_MM, LINE_MM = 10.0, 4.6
#: Left edges of the three columns above the grid, and where the last one ends.
COLUMNS_MM = (13.5, 101.0, 189.0, 283.5)
SMALL_MM = 2.9
MOST_LINES = 5
HINT = "自动分析：提示，非诊断 Automatic: a hint, not a diagnosis"
REVIEWED = "审核医师 Reviewed by ____________________"


@dataclass(frozen=True)
class Label:
    """One line of text: *y_mm* is its baseline, *x_mm* its left end, or its right end when *ends* there."""

    text: str
    x_mm: float
    y_mm: float
    size_mm: float
    bold: bool = False
    tone: Tone = "ink"
    ends: bool = False


@dataclass(frozen=True)
class Particulars:
    """What a recording does not know itself: the institution's name, and the zone in which times are printed.

    Of an excerpt, where in the whole it begins, and how long the whole is.
    """

    institution: str = ""
    utc_offset: timedelta = timedelta(hours=8)
    begins_s: float = 0.0
    total_s: float | None = None


def heading(recording: Recording, particulars: Particulars, analysis: Analysis | None) -> Iterator[Label]:
    """Return the three columns above the grid: patient, measurements, statements."""
    yield from _patient(recording, particulars)
    if analysis is not None:
        yield from _measurements(analysis)
        yield from _statements(analysis)


def _patient(recording: Recording, particulars: Particulars) -> Iterator[Label]:
    left, room = COLUMNS_MM[0], COLUMNS_MM[1] - COLUMNS_MM[0] - 3
    patient = recording.patient
    at = recording.started_at
    name = _readable(patient.name) if patient else ""
    yield Label(fitted(name or "姓名未记录 no name", 5.0, room), left, TOP_MM + 0.6, 5.0, bold=True)
    age = patient.age_at(at) if patient else None
    born = f"{patient.birth_date:%Y-%m-%d}" if patient and patient.birth_date else ""
    years = "" if age is None else f"{int(age)} 岁 y"
    when = at.astimezone(timezone(particulars.utc_offset)).strftime("%Y-%m-%d %H:%M:%S") if at else ""
    lines = (
        ("", "　".join(part for part in (SEXES.get(patient.sex if patient else "", ""), years, born) if part)),
        ("病人号 ID", patient.patient_id if patient else ""),
        ("记录时间 Recorded", when),
        ("机构 Institution", particulars.institution or recording.institution),
        ("设备 Device", recording.equipment),
    )
    for number, (label, value) in enumerate(lines, 1):
        text = f"{label}　{value or '—'}" if label else value or "性别年龄未记录 no sex, no age"
        yield Label(fitted(text, SMALL_MM, room), left, TOP_MM + number * LINE_MM + 1, SMALL_MM)


def _readable(name: str) -> str:
    """Return a PN value (PS3.5 6.2.1) as people read it: the ideographic group, else the first one without its carets."""
    groups = [" ".join(group.replace("^", " ").split()) for group in name.split("=")]
    return next((group for group in (*groups[1:2], *groups) if group), "")


def _measurements(analysis: Analysis) -> Iterator[Label]:
    m = analysis.measurements
    cells: tuple[tuple[str, float | None, str], ...] = (
        ("心率 HR", m.heart_rate_bpm, " bpm"),
        ("P 时限 P", m.p_duration_ms, " ms"),
        ("PR 间期 PR", m.pr_interval_ms, " ms"),
        ("QRS 时限 QRS", m.qrs_duration_ms, " ms"),
        ("QT 间期 QT", m.qt_interval_ms, " ms"),
        ("QTc Bazett", m.qtc_ms.bazett, " ms"),
        ("QTc Fridericia", m.qtc_ms.fridericia, " ms"),
        ("P 电轴 P axis", m.p_axis_deg, "°"),
        ("QRS 电轴 axis", m.qrs_axis_deg, "°"),
        ("T 电轴 T axis", m.t_axis_deg, "°"),
        ("RV5+SV1", m.rv5_sv1_mv, " mV"),
    )
    left, width = COLUMNS_MM[1], (COLUMNS_MM[2] - COLUMNS_MM[1]) / 2
    rows = (len(cells) + 1) // 2
    for number, (name, value, unit) in enumerate(cells):
        x, y = left + number // rows * width, TOP_MM + number % rows * LINE_MM
        yield Label(name, x, y, SMALL_MM, tone="soft")
        yield Label("—" if value is None else f"{round(value, 2):g}{unit}", x + width - 5, y, SMALL_MM, bold=True, ends=True)


def _statements(analysis: Analysis) -> Iterator[Label]:
    left, room = COLUMNS_MM[2], COLUMNS_MM[3] - COLUMNS_MM[2]
    yield Label(fitted(HINT, SMALL_MM, room), left, TOP_MM, SMALL_MM, tone="soft")
    said: list[tuple[str, bool]] = []
    for each in analysis.statements:
        critical = each.severity == "critical"
        whole = f"{each.text.zh} {each.text.en}"
        parts = [whole] if width_mm(whole, SMALL_MM) <= room else [each.text.zh, each.text.en]
        if len(said) + len(parts) > MOST_LINES:
            said = [*said[: MOST_LINES - 1], ("其余见报告 more in the report", False)]
            break
        said += [(part, critical) for part in parts]
    for number, (text, critical) in enumerate(said, 1):
        tone: Tone = "alarm" if critical else "ink"
        yield Label(fitted(text, SMALL_MM, room), left, TOP_MM + number * LINE_MM, SMALL_MM, bold=critical, tone=tone)
    yield Label(REVIEWED, left, TOP_MM + (MOST_LINES + 1) * LINE_MM, SMALL_MM, tone="soft")


def footing(
    recording: Recording,
    paper: Paper,
    place: tuple[float, float, float],
    *,
    particulars: Particulars,
    page: tuple[int, int],
    beyond: Sequence[str],
) -> Iterator[Label]:
    """Return the two lines below the grid, whose left edge, lower edge and width are *place*.

    They say speed, gain, filters, which part of the recording this is, and what is not as it should be.
    """
    left, bottom, width = place
    begins, ends = paper.start_s, min(recording.duration_s, paper.start_s + paper.page_s)
    total_s = particulars.total_s or recording.duration_s
    span = f"{begins + particulars.begins_s:.1f}–{ends + particulars.begins_s:.1f}"
    part = f"第 {span} 秒，全长 {total_s:.1f} 秒 of {total_s:.1f} s"
    cabrera = " Cabrera" if paper.cabrera else ""
    how = (
        f"{paper.speed_mm_s:g} mm/s",
        f"{paper.gain_mm_mv:g} mm/mV",
        f"绘图滤波 drawn with: {_drawn_with(paper)}",
        f"记录时滤波 recorded with: {_recorded_with(recording.filters)}",
        f"{paper.layout}{cabrera}",
    )
    yield Label(fitted("　".join(how), SMALL_MM, width - 34), left, bottom + 4.2, SMALL_MM)
    yield Label(f"第 {page[0]} 页 / 共 {page[1]} 页", left + width, bottom + 4.2, SMALL_MM, ends=True)
    yield Label(fitted(part, SMALL_MM, 95), left, bottom + 8.2, SMALL_MM, tone="soft")
    if beyond:
        text = f"超出纸面 beyond the paper: {', '.join(beyond)}"
        yield Label(fitted(text, SMALL_MM, width - 160), left + 97, bottom + 8.2, SMALL_MM, bold=True, tone="alarm")
    yield Label("按 100% 打印 print at 100 %", left + width, bottom + 8.2, SMALL_MM, tone="soft", ends=True)


def _drawn_with(paper: Paper) -> str:
    band = FILTERS[paper.filter]
    if band is None:
        return "无 none"
    bends = "（ST 段会变形 bends ST）" if paper.filter == "monitor" else ""
    return f"{band[0]:g}–{band[1]:g} Hz{bends}"


def _recorded_with(leads: Sequence[Filters] | None) -> str:
    """Say how the machine filtered, as far as the file tells and all leads agree."""
    stated = set(leads or ())
    if len(stated) > 1:
        return "各导联不同 by lead"
    own = next(iter(stated), Filters())
    corners = f"{own.high_pass_hz or 0:g}–{own.low_pass_hz or 0:g} Hz" if own.high_pass_hz or own.low_pass_hz else ""
    notch = f"陷波 notch {own.notch_hz:g} Hz" if own.notch_hz else ""
    return " ".join(part for part in (corners, notch) if part) or "未注明 not stated"
