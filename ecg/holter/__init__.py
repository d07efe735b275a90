"""Long recordings (Holter, monitoring): read once from front to back; memory does not grow with the signal.

The samples pass through windows of a minute whose borders are absolute sample numbers, so that the result does not depend on the
sizes of the chunks they came in; it is the same detection as for a strip. What is kept of each window is its beats and a few
numbers. Classes, rhythm and episodes are decided at the end, when all beats are known.

The doors: `ecg.holter.analyser.Analyser` (chunks in), `ecg.holter.analyser.analyse` (a `ecg.formats.streams.Source` in),
`ecg.holter.variability.variability`, `ecg.holter.drawing.svg`. Nothing here decides what is done about what it finds.
"""

#: A file this large may be longer than fits into memory; it is opened to be read in pieces.
LONG_BYTES = 8 << 20
