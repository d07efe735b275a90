"""The geometry of a page: grid, traces, pulses and labels in millimetres, for SVG and PDF alike."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecg.analysis import Analysis
from ecg.processing import filters
from ecg.recording import Millivolts, Recording, with_limb_leads
from ecg.rendering.heading import GRID_LEFT_MM, GRID_TOP_MM, Label, Particulars, footing, heading
from ecg.rendering.layouts import FILTERS, HEIGHT_MM, RUN_MM, Paper, Row, rows_of
from ecg.rendering.wording import REASONS, fitted, width_mm

Point = tuple[float, float]
Line = tuple[Point, ...]

#: A sheet of A4 on its side; without a heading only the grid and its foot are left, for the page of a report.
PAGE_MM = (297.0, 210.0)
GRID_MM = (270, HEIGHT_MM)
FOOT_MM = 9.0
#: From the grid's left edge: the pulse, then the traces, which begin on a bold line.
RUN_LEFT_MM = 15.0
PULSE_S, PULSE_LEFT_MM = 0.2, 2.0
DRAWN_HZ = 1000.0  # finer than any printer; a faster recording is drawn by the extremes of so many stretches a second
FILTER_MARGIN_S = 5.0  # filtered beside what is drawn, so that the filter's beginning is not seen
NAME_MM, NOTE_MM = 3.6, 2.8
#: Where a lead's name may stand, from its baseline: the first place that the traces leave free.
NAMES_AWAY_MM = (-8.0, -6.0, -10.0, -4.5, -12.0, 6.0, 8.0, -14.0, 10.0, -17.0, 12.0)


@dataclass(frozen=True)
class Grid:
    """Where the squared paper lies; lines stand at every millimetre from its corner, the bold at every fifth."""

    left_mm: float
    top_mm: float
    width_mm: int
    height_mm: int


@dataclass(frozen=True)
class Strip:
    """One lead's stretch: its label, and its lines, broken where samples miss."""

    lead: str
    label: Label
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sheet:
    """A page of paper in millimetres; y grows downwards."""

    width_mm: float
    height_mm: float
    grid: Grid
    strips: tuple[Strip, ...]
    pulses: tuple[Line, ...]
    #: Where one lead ends and the next begins.
    ticks: tuple[Line, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class _Trace:
    """A lead's stretch before it has a place: x and millivolts over its own median, NaN where samples miss."""

    name: str
    left_mm: float
    room_mm: float
    x_mm: Millivolts
    millivolts: Millivolts

    def reach_mm(self, gain_mm_mv: float) -> tuple[float, float]:
        """Return how far it reaches above and below its baseline, the pulse's height at least above."""
        finite = self.millivolts[np.isfinite(self.millivolts)]
        if not finite.size:
            return gain_mm_mv, 0.0
        return max(gain_mm_mv, float(finite.max()) * gain_mm_mv), max(0.0, -float(finite.min()) * gain_mm_mv)


def sheets(
    recording: Recording, paper: Paper | None = None, particulars: Particulars | None = None, analysis: Analysis | None = None
) -> list[Sheet]:
    """Return the pages of *recording*: of its *paper.seconds*, and of all its leads.

    Limb leads that follow from I and II are drawn. A lead that was not recorded leaves its place empty and says so; one that
    *analysis* could not use says why. With *particulars* a page is a sheet of A4 with heading and foot, without them only the
    grid and its foot, for the page of a report. `EcgError` for a choice that is not offered.
    """
    paper = paper or Paper()
    recording = with_limb_leads(recording)
    until = min(recording.duration_s, paper.start_s + paper.seconds)
    turns = max(1, math.ceil((until - paper.start_s) / paper.page_s - 0.05))
    pages = [(rows, turn) for turn in range(turns) for rows in rows_of(paper, recording.names)]
    drawn = _filtered(recording, paper)
    return [
        _page(
            drawn,
            replace(paper, start_s=paper.start_s + turn * paper.page_s),
            rows,
            particulars=particulars,
            analysis=analysis,
            page=(page, len(pages)),
        )
        for page, (rows, turn) in enumerate(pages, 1)
    ]


def _page(
    recording: Recording,
    paper: Paper,
    rows: Sequence[Row],
    *,
    particulars: Particulars | None,
    analysis: Analysis | None,
    page: tuple[int, int],
) -> Sheet:
    grid = Grid(GRID_LEFT_MM, GRID_TOP_MM, *GRID_MM) if particulars else Grid(0.0, 0.0, *GRID_MM)
    traces = [list(_traces(recording, paper, row, grid)) for row in rows]
    baselines = _baselines(traces, grid, paper.gain_mm_mv)
    placed = [(trace, zero) for row, zero in zip(traces, baselines, strict=True) for trace in row]
    beyond = [trace.name for trace, zero in placed if _leaves(trace, zero, grid, paper.gain_mm_mv)]
    lines = [_lines(trace, zero, grid, paper.gain_mm_mv) for trace, zero in placed]
    names = list(_names(placed, lines, _notes(recording, rows, analysis), grid))
    bottom_mm = grid.top_mm + grid.height_mm
    width, height = PAGE_MM if particulars else (float(grid.width_mm), bottom_mm + FOOT_MM)
    return Sheet(
        width_mm=width,
        height_mm=height,
        grid=grid,
        strips=tuple(Strip(trace.name, name, own) for (trace, _), (name, _), own in zip(placed, names, lines, strict=True)),
        pulses=tuple(_pulse(grid.left_mm + PULSE_LEFT_MM, zero, paper) for zero in baselines),
        ticks=tuple(((trace.left_mm, zero - 2.5), (trace.left_mm, zero + 2.5)) for trace, zero in placed),
        labels=(
            *(heading(recording, particulars, analysis) if particulars else ()),
            *(note for _, note in names if note),
            *footing(
                recording,
                paper,
                (grid.left_mm, bottom_mm, grid.width_mm),
                particulars=particulars or Particulars(),
                page=page,
                beyond=beyond,
            ),
        ),
    )


def _filtered(recording: Recording, paper: Paper) -> Recording:
    """Return *recording* with what will be drawn filtered as the paper says; missing samples stay missing."""
    band = FILTERS[paper.filter]
    if band is None:
        return recording
    rate = recording.sampling_frequency_hz
    first = max(0, round((paper.start_s - FILTER_MARGIN_S) * rate))
    last = round((paper.start_s + paper.seconds + FILTER_MARGIN_S) * rate)
    part = recording.millivolts[:, first:last]
    if part.shape[1] < 3:
        return recording
    whole, missing = filters.repaired(part)
    transform = filters.spectrum(whole, rate)
    drawn = np.array(recording.millivolts)
    clean = transform.filtered(transform.band(band[0], np.inf, order=1) * transform.band(0, band[1]))
    drawn[:, first:last] = np.where(missing, np.nan, clean)
    return replace(recording, millivolts=drawn)


def _traces(recording: Recording, paper: Paper, row: Row, grid: Grid) -> Iterator[_Trace]:
    seconds, rate = paper.page_s / len(row), recording.sampling_frequency_hz
    until = min(recording.duration_s, paper.start_s + paper.seconds)
    for column, name in enumerate(row):
        left_mm = grid.left_mm + RUN_LEFT_MM + RUN_MM * column / len(row)
        start_s = max(paper.start_s, min(paper.start_s + column * seconds, until - seconds))  # a short one fills every column
        samples = recording.lead(name.lstrip("-"))
        first, last = round(start_s * rate), round(min(start_s + seconds, until) * rate)
        stretch = np.empty(0) if samples is None else samples[first : max(first, last)] * (-1 if name.startswith("-") else 1)
        kept = _thinned(stretch, rate)
        with np.errstate(invalid="ignore"):
            values = np.where(np.abs(stretch[kept]) < filters.IMPOSSIBLE_MV, stretch[kept], np.nan)
        level = float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else 0.0
        yield _Trace(
            name, left_mm, RUN_MM / len(row), left_mm + kept.astype(np.float64) * (paper.speed_mm_s / rate), values - level
        )


def _thinned(samples: Millivolts, rate: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return which samples are drawn: all, or of a fast recording the least and the greatest of each stretch, in their order."""
    width = 2 * round(rate / DRAWN_HZ)
    if width <= 2:
        return np.arange(samples.size)
    whole = samples.size // width * width
    table = np.nan_to_num(samples[:whole]).reshape(-1, width)
    ends = np.sort(np.stack([table.argmin(axis=1), table.argmax(axis=1)], axis=1), axis=1)
    return np.unique(ends + np.arange(0, whole, width)[:, None])


def _baselines(traces: Sequence[Sequence[_Trace]], grid: Grid, gain_mm_mv: float) -> list[float]:
    """Return each row's baseline, on a line of the grid.

    Rows stand evenly; where the first would leave the paper above or the last below, they move and draw together, to half the
    pitch at the least. Neighbours may overlap, as on any paper. Where that does not help the pulses at least are whole.
    """
    reaches = [[trace.reach_mm(gain_mm_mv) for trace in row] for row in traces]
    above = np.array([max(up for up, _ in row) for row in reaches])
    below = np.array([max(down for _, down in row) for row in reaches])
    order, even = np.arange(len(traces)), grid.height_mm // len(traces)
    for pitch in range(even, even // 2, -1):
        middle = (grid.height_mm - pitch * (len(traces) - 1)) * 0.5 + 0.08 * pitch
        least = math.ceil((above - order * pitch).max()) + 1
        most = math.floor((grid.height_mm - below - order * pitch).min()) - 1
        if least <= most:
            break
    else:
        pitch, middle, least, most = even, even * 0.55, math.ceil(gain_mm_mv) + 1, grid.height_mm
    first = min(max(round(middle), least), most)
    return [float(grid.top_mm + first + row * pitch) for row in range(len(traces))]


def _leaves(trace: _Trace, zero_mm: float, grid: Grid, gain_mm_mv: float) -> bool:
    up, down = trace.reach_mm(gain_mm_mv)
    return zero_mm - up < grid.top_mm or zero_mm + down > grid.top_mm + grid.height_mm


def _pulse(left_mm: float, zero_mm: float, paper: Paper) -> Line:
    """One millivolt for 0.2 s."""
    begin, end, top = left_mm + 1, left_mm + 1 + PULSE_S * paper.speed_mm_s, zero_mm - paper.gain_mm_mv
    return ((left_mm, zero_mm), (begin, zero_mm), (begin, top), (end, top), (end, zero_mm), (end + 1, zero_mm))


def _lines(trace: _Trace, zero_mm: float, grid: Grid, gain_mm_mv: float) -> tuple[Line, ...]:
    """Return the lines of *trace* around *zero_mm*, never beyond the grid, broken where samples miss."""
    finite = np.isfinite(trace.millivolts)
    y = zero_mm - np.where(finite, trace.millivolts, 0.0) * gain_mm_mv
    x, y = trace.x_mm.round(3), np.clip(y, grid.top_mm, grid.top_mm + grid.height_mm).round(2)
    pieces = np.split(np.arange(x.size), np.flatnonzero(np.diff(finite.astype(np.int8))) + 1)
    return tuple(
        tuple(zip(x[piece].tolist(), y[piece].tolist(), strict=True)) for piece in pieces if piece.size and finite[piece[0]]
    )


def _names(
    placed: Sequence[tuple[_Trace, float]], lines: Sequence[tuple[Line, ...]], notes: Mapping[str, str], grid: Grid
) -> Iterator[tuple[Label, Label | None]]:
    """Yield each lead's name with its note, where the traces leave them most room and no other name stands."""
    points = np.array([point for own in lines for line in own for point in line] or [(-1.0, -1.0)])
    taken: list[tuple[float, float]] = []
    for trace, zero in placed:
        left, beside = trace.left_mm + 1.5, trace.left_mm + 2.5 + width_mm(trace.name, NAME_MM)
        note = fitted(notes.get(trace.name.lstrip("-"), ""), NOTE_MM, trace.left_mm + trace.room_mm - beside)
        right = beside + width_mm(note, NOTE_MM)
        near = points[(points[:, 0] > left - 0.5) & (points[:, 0] < right + 0.5), 1]
        others = [y for x, y in taken if x == left]
        inside = (
            y for y in (zero + away for away in NAMES_AWAY_MM) if grid.top_mm + NAME_MM < y < grid.top_mm + grid.height_mm - 1
        )
        places = [y for y in inside if all(abs(y - other) > NAME_MM + 0.8 for other in others)]
        crossed = [int(((near > y - NAME_MM) & (near < y + 0.8)).sum()) for y in places]
        y = round(places[crossed.index(min(crossed))], 2)
        taken.append((left, y))
        yield Label(trace.name, left, y, NAME_MM, bold=True), Label(note, beside, y, NOTE_MM, tone="alarm") if note else None


def _notes(recording: Recording, rows: Sequence[Row], analysis: Analysis | None) -> dict[str, str]:
    """Say of each lead that was not recorded, or why it cannot be measured."""
    leads = {name.lstrip("-") for row in rows for name in row}
    quality = analysis.quality if analysis else {}
    notes = {lead: "未记录 not recorded" for lead in leads if lead not in recording.rows}
    for lead in leads & set(quality):
        if not quality[lead].usable:
            reasons = [REASONS[reason] for reason in quality[lead].reasons if reason in REASONS]
            notes[lead] = f"不可用：{'、'.join(each.zh for each in reasons)} {', '.join(each.en for each in reasons)}"
    return notes
