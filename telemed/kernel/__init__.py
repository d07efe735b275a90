"""The floor everything stands on: time, errors, one database, one log, one audit trail, one place for hostile work.

It knows no patient and imports nothing of ours. A module enters only when it has no clinical noun, is used by two
packages, and needs nothing above it.
"""
