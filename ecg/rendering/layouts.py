"""Which lead stands where on the paper, and the choices a reader has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ecg.errors import EcgError

Row = tuple[str, ...]

_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
#: Cabrera's order follows the frontal plane from the left; aVR is turned over to close the gap at 30 degrees.
_CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III")
_CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")

#: Columns of the twelve leads, and the leads that run through the whole sheet below them.
LAYOUTS: dict[str, tuple[int, Row]] = {
    "3x4+1R": (4, ("II",)),
    "3x4+3R": (4, ("V1", "II", "V5")),
    "6x2": (2, ()),
    "12x1": (1, ()),
}
SPEEDS_MM_S = (12.5, 25.0, 50.0)
GAINS_MM_MV = (5.0, 10.0, 20.0)

#: What is done to the drawing, never to the measurements: corners in Hz, zero-phase. "monitor" bends ST segments.
FILTERS: dict[str, tuple[float, float] | None] = {"none": None, "diagnostic": (0.05, 150.0), "monitor": (0.5, 40.0)}

RUN_MM, HEIGHT_MM = 250.0, 155
MOST_ROWS = 12


@dataclass(frozen=True)
class Paper:
    """How a recording is put on paper: *seconds* of it from *start_s* on, on as many pages as that takes."""

    layout: str = "3x4+1R"
    speed_mm_s: float = 25.0
    gain_mm_mv: float = 10.0
    cabrera: bool = False
    filter: str = "none"
    start_s: float = 0.0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        choices = (
            ("layout", self.layout, tuple(LAYOUTS)),
            ("speed", self.speed_mm_s, SPEEDS_MM_S),
            ("gain", self.gain_mm_mv, GAINS_MM_MV),
            ("filter", self.filter, tuple(FILTERS)),
        )
        for name, value, known in choices:
            if value not in known:
                raise EcgError(f"The {name} {value} is not offered; choose one of {', '.join(map(str, known))}.")

    @property
    def page_s(self) -> float:
        """Seconds from one edge of the traces to the other."""
        return RUN_MM / self.speed_mm_s


def rows_of(paper: Paper, recorded: Sequence[str]) -> list[tuple[Row, ...]]:
    """Return the rows of each page: the twelve leads as laid out, then all others one to a row.

    A recording that has none of the twelve is drawn one lead to a row. A leading "-" turns a lead over. Where the rows would
    stand closer than one millivolt is high, they go on to another page.
    """
    limb = _CABRERA if paper.cabrera else _LIMB
    order = (*limb, *_CHEST)
    twelve = {name.lstrip("-") for name in order}
    blocks: list[list[Row]] = []
    if twelve & set(recorded):
        columns, rhythm = LAYOUTS[paper.layout]
        rows = len(order) // columns
        blocks.append([*(order[row::rows] for row in range(rows)), *((name,) for name in rhythm)])
    others: list[Row] = [(name,) for name in recorded if name not in twelve]
    if others:
        blocks.append(others)
    most = min(MOST_ROWS, int(HEIGHT_MM / paper.gain_mm_mv))
    return [page for block in blocks for page in _in_pages(block, most)]


def _in_pages(rows: list[Row], most: int) -> list[tuple[Row, ...]]:
    """Return *rows* in as few pages of at most *most* as that takes, none much fuller than another."""
    each = math.ceil(len(rows) / math.ceil(len(rows) / most))
    return [tuple(rows[first : first + each]) for first in range(0, len(rows), each)]
