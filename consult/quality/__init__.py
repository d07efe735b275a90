"""How good what was sent and what was answered is: images refused, ECGs asked for again, reports amended, readings that differ.

Like the figures of time it writes nothing and names no patient, and every one of its figures can be counted again from the
event log alone.
"""
