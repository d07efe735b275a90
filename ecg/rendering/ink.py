"""Colours and strokes of the paper, in millimetres, the same for SVG and PDF."""

from typing import Literal

Tone = Literal["ink", "soft", "alarm"]

TONES: dict[Tone, str] = {"ink": "#16191d", "soft": "#5b6470", "alarm": "#b3161d"}
PAPER = "#fffaf9"
TRACE_MM = 0.28
#: Lines of the grid: at every so many millimetres, in this colour, so thick.
GRID = ((1, "#f7d3d1", 0.1), (5, "#e79c9a", 0.2))
