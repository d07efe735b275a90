"""Sections: one patient's study read in regions by several readers at once, put together into one report.

Whoever holds the task at its first reading splits it and signs what becomes of it; each section has its own reader, text and
signature, and holds it by a lease like a task's. Ladder and deadline stay those of the task: however many read it, the clinic
waits for one answer.
"""
