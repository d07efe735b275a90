"""How urgent: a pure function that says why, and the automatic ECG analyses it weighs.

The analyses are kept here because triage is the first to need them: intake fills the table, the web shows it. They are
hints (提示，非诊断): they may raise a priority and a lane, and never lower one.
"""
