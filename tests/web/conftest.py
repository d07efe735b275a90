"""A running site, and browsers in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import Cluster, Copies
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
    return file, _populated(f"sqlite:///{file}")


@pytest.fixture(scope="session")
def peopled_postgres(postgres: Cluster, empty_postgres: Copies) -> Iterator[tuple[Copies, Population]]:
    """PostgreSQL databases with the same."""
    template = postgres.new_database(empty_postgres.template)
    population = _populated(postgres.url(template))
    copies = Copies(postgres, template)
    yield copies, population
    copies.close()


def _populated(url: str) -> Population:
    database, clock = Database(url), StandingClock()
    population = populate(database, Chronicle(clock, EventLog(database, clock), AuditTrail(clock)))
    database.close()
    return population


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of a peopled one for a test that asks for a `site`; once on each kind."""
    peopled = "site" in request.fixturenames
    if request.param == "sqlite":
        source = request.getfixturevalue("peopled_sqlite")[0] if peopled else request.getfixturevalue("empty_sqlite")
        file = shutil.copy(source, tmp_path / "telemed.sqlite")
        yield f"sqlite:///{file}"
    else:
        copies = request.getfixturevalue("peopled_postgres")[0] if peopled else request.getfixturevalue("empty_postgres")
        with copies.url() as url:
            yield url


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
    _, population = request.getfixturevalue("peopled_sqlite" if database.is_sqlite else "peopled_postgres")
    site = Site(database, chronicle, tmp_path, population, shared_confinement)
    site.start()
    yield site
    site.stop()
