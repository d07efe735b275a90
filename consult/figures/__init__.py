"""What the service achieved: of many consultations how many, how fast, how well; never a patient.

The slice reads what the others wrote and writes nothing. Every figure can be counted again from the event log alone, and a
test does so by SQL of its own.
"""
