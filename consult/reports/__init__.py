"""DiagnosticReport: a draft while it is written, final once signed, then replaced by further versions; never edited.

What is signed is the canonical JSON of the report's content (`model.canonical`), and the PDF made from it before the
signing transaction: both are kept with their SHA-256 in the transaction that completes the task. The slice decides
neither who is told (delivery) nor how far the clock has run (turnaround).
"""
