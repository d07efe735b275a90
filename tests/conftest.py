"""What every test may ask for: a database of either kind, a chronicle over it, a clock that stands still."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.postgres import Cluster
from support.time import StandingClock

from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.database import Database, metadata
from telemed.kernel.events import EventLog

ROOT = Path(__file__).parent.parent


def import_every_table() -> None:
    for package in ("dicom_node", "consult", "web"):
        for module in sorted((ROOT / package).rglob("tables.py")):
            importlib.import_module(".".join(module.relative_to(ROOT).with_suffix("").parts))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    cluster = Cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table and no row, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "telemed.sqlite"
    _create_every_table(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def one_postgres(postgres: Cluster) -> str:
    """The name of a PostgreSQL database with every table, to be left without a row."""
    name = postgres.new_database()
    _create_every_table(postgres.url(name))
    return name


def _create_every_table(url: str) -> None:
    import_every_table()
    database = Database(url)
    metadata.create_all(database.engine)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database with every table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "telemed.sqlite"
        shutil.copy(request.getfixturevalue("empty_sqlite"), file)
        yield f"sqlite:///{file}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        name = request.getfixturevalue("one_postgres")
        yield cluster.url(name)
        cluster.clear(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def chronicle(database: Database, clock: StandingClock) -> Chronicle:
    return Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
