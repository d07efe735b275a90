"""Every operation of the API, module by module."""

from __future__ import annotations

from web.api import (
    charsets,
    conflicts,
    figures,
    forwarding,
    gate,
    paper,
    patients,
    people,
    recordings,
    reports,
    requests,
    rounds,
    session,
    studies,
    tasks,
)

OPERATIONS = (
    *session.OPERATIONS,
    *people.OPERATIONS,
    *patients.OPERATIONS,
    *charsets.OPERATIONS,
    *studies.OPERATIONS,
    *requests.OPERATIONS,
    *tasks.OPERATIONS,
    *reports.OPERATIONS,
    *recordings.OPERATIONS,
    *gate.OPERATIONS,
    *paper.OPERATIONS,
    *rounds.OPERATIONS,
    *figures.OPERATIONS,
    *forwarding.OPERATIONS,
    *conflicts.OPERATIONS,
)
