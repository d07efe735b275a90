"""ECG on calibrated paper.

One geometry, in millimetres, is laid out by `sheets`; `svg` writes a sheet as SVG, and whoever prints a PDF draws the same
sheet. What is on the paper beside the traces (who, when, which filters, what the machine measured) is told by `Particulars`
and the analysis.
"""

from ecg.rendering.excerpt import excerpt
from ecg.rendering.heading import Label, Particulars
from ecg.rendering.layouts import FILTERS, GAINS_MM_MV, LAYOUTS, SPEEDS_MM_S, Paper
from ecg.rendering.sheet import Grid, Line, Sheet, Strip, sheets
from ecg.rendering.svg import svg

__all__ = [
    "FILTERS",
    "GAINS_MM_MV",
    "LAYOUTS",
    "SPEEDS_MM_S",
    "Grid",
    "Label",
    "Line",
    "Paper",
    "Particulars",
    "Sheet",
    "Strip",
    "excerpt",
    "sheets",
    "svg",
]
