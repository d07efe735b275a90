"""The couch gate: while the patient still lies there, the clinic is told what of an ECG to record again.

It never holds anything up: the recording is kept and read whatever the gate says. What it says, and what the clinic made
of it, is in the log, so that the share of recordings that had to be repeated can be told.
"""
