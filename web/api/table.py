"""Every operation of the API, module by module."""

from __future__ import annotations

from web.api import figures, people, recordings, reports, requests, rounds, session, studies, tasks

OPERATIONS = (
    *session.OPERATIONS,
    *people.OPERATIONS,
    *studies.OPERATIONS,
    *requests.OPERATIONS,
    *tasks.OPERATIONS,
    *reports.OPERATIONS,
    *recordings.OPERATIONS,
    *rounds.OPERATIONS,
    *figures.OPERATIONS,
)
