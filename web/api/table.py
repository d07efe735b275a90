"""Every operation of the API, module by module."""

from __future__ import annotations

from web.api import (
    agreements,
    channels,
    charsets,
    conflicts,
    consents,
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
    schedule,
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
    *consents.OPERATIONS,
    *tasks.OPERATIONS,
    *reports.OPERATIONS,
    *channels.OPERATIONS,
    *recordings.OPERATIONS,
    *gate.OPERATIONS,
    *paper.OPERATIONS,
    *rounds.OPERATIONS,
    *schedule.OPERATIONS,
    *agreements.OPERATIONS,
    *figures.OPERATIONS,
    *forwarding.OPERATIONS,
    *conflicts.OPERATIONS,
)
