"""Readings: how many pairs of eyes a report needs before it is final, and what becomes of what each of them wrote.

A second reader reads blind; what the two wrote is compared by RADPEER's scale, and where they differ in what matters a third
writes the report. What somebody in training wrote is signed by a supervising doctor. The task goes through the same queue each
time and its clock never stops; the clinic has one report, and what is critical in a reading is told at once as preliminary.
"""
