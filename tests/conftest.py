"""What every test may ask for: a database of either kind, a chronicle over it, a clock that stands still."""

from __future__ import annotations

import importlib
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with every table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/telemed.sqlite"
    else:
        url = request.getfixturevalue("postgres").new_database()
    import_every_table()
    database = Database(url)
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def chronicle(database: Database, clock: StandingClock) -> Chronicle:
    return Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
