"""The database stops while objects arrive: they are acknowledged as long as the journal has room, and found when it is back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest
from faults.account import Promises
from faults.clinic import Clinic
from faults.conftest import RUNS
from support.postgres import Cluster
from support.server import until

SIZES = (2_000, 40_000, 525_000)
#: Eight segments of 6 MB for each of two processes: enough for the moments in which the database goes.
JOURNAL_BYTES = 48 << 20


class Postgres:
    """A cluster of this test's own: to stop the common one would disturb others."""

    def __init__(self):
        self._cluster = Cluster.start()
        self.url = self._cluster.url(self._cluster.new_database())
        self.go, self.come, self.close = self._cluster.pause, self._cluster.resume, self._cluster.stop


class Sqlite:
    """Another program holds the only right to write."""

    def __init__(self, file):
        self.url = f"sqlite:///{file}"
        self._other = sqlite3.connect(file, isolation_level=None, timeout=10)

    def go(self):
        self._other.execute("BEGIN IMMEDIATE")

    def come(self):
        self._other.execute("ROLLBACK")

    def close(self):
        self._other.close()


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_the_database_stops(kind, tmp_path, node_of, account, chance):
    folder, promises = tmp_path / "data", Promises()
    folder.mkdir()
    with closing(Postgres() if kind == "postgresql" else Sqlite(folder / "telemed.sqlite")) as away:
        node = node_of(folder, away.url, journal_bytes=JOURNAL_BYTES)
        assert node.start()
        for run in range(RUNS or 2):
            before = len(promises.acknowledged)
            with Clinic(node.port, promises, chance, sizes=SIZES).sending():
                until(lambda before=before: len(promises.acknowledged) > before + 5)
                away.go()
                try:
                    meanwhile = len(promises.acknowledged)
                    if run % 10 == 1:  # beyond the bound it refuses
                        until(lambda: promises.refused, 60)
                    else:
                        until(lambda meanwhile=meanwhile: len(promises.acknowledged) > meanwhile + 5)
                        time.sleep(chance.uniform(0, 0.3))
                finally:
                    away.come()
                back = len(promises.acknowledged)
                until(lambda back=back: len(promises.acknowledged) > back + 5)
            until(lambda: account.is_filed(promises, node.database_url))
            account.balance(promises, folder, node.database_url)
            account.runs = run + 1
        node.kill()
        account.balance(promises, folder, node.database_url)
