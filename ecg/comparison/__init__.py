"""An ECG beside the patient's previous one: what changed and by how much, and the median beats drawn one over the other.

Pure: which recording is the previous one is for others to say. The doors: `ecg.comparison.average.snapshot`,
`ecg.comparison.changes.compare`, `ecg.comparison.drawing.svg`.
"""
