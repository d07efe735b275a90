"""A running site, and browsers in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.site import Population, Site, populate
from support.time import StandingClock

from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.events import EventLog


@pytest.fixture(scope="session")
def peopled_sqlite(empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Population]:
    """A SQLite file with people and no patients, to be copied: writing them costs more than most tests."""
    file = tmp_path_factory.mktemp("peopled") / "telemed.sqlite"
    shutil.copy(empty_sqlite, file)
    database, clock = Database(f"sqlite:///{file}"), StandingClock()
    population = populate(database, Chronicle(clock, EventLog(database, clock), AuditTrail(clock)))
    database.close()
    return file, population


@pytest.fixture(scope="session")
def shared_confinement() -> Iterator[Confinement]:
    """One worker for every site: loading the ECG engine costs more than most tests."""
    confinement = Confinement(processes=1, seconds=60)
    yield confinement
    confinement.close()


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    database: Database,
    chronicle: Chronicle,
    tmp_path: Path,
    shared_confinement: Confinement,
) -> Iterator[Site]:
    if database.is_sqlite:
        file, population = request.getfixturevalue("peopled_sqlite")
        shutil.copy(file, database.url.database)  # nothing has opened it yet
    else:
        population = populate(database, chronicle)
    site = Site(database, chronicle, tmp_path, population, shared_confinement)
    site.start()
    yield site
    site.stop()
