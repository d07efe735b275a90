"""The database stops while objects arrive: they are acknowledged as long as the journal has room, and found when it is back."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest
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
        self.close = self._cluster.stop

    def new_url(self):
        return self._cluster.url(self._cluster.new_database())

    @contextmanager
    def away(self, _kept):
        self._cluster.pause()
        try:
            yield
        finally:
            self._cluster.resume()


class Sqlite:
    """Another program holds the only right to write."""

    def new_url(self):
        return ""

    @contextmanager
    def away(self, kept):
        with closing(sqlite3.connect(kept.folder / "telemed.sqlite", isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def close(self):
        """Nothing of it is left."""


@pytest.mark.parametrize("kind", [Postgres, Sqlite])
def test_the_database_stops(kind, tmp_path, node_of, account, chance):
    with closing(kind()) as database:
        for turn in account.turns(RUNS or 2):
            kept = account.keep(tmp_path / "data", database.new_url())
            node = node_of(kept, journal_bytes=JOURNAL_BYTES)
            assert node.start()
            for run in turn:
                stop_once(database, node, kept, chance, until_it_refuses=run % 10 == 1)
                account.ran()
            node.kill()
            kept.balance()
            shutil.rmtree(kept.folder)


def stop_once(database, node, kept, chance, *, until_it_refuses):
    promises = kept.promises

    def more(answers):
        before = len(answers)
        return lambda: len(answers) > before + 5

    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(more(promises.acknowledged))
        with database.away(kept):
            if until_it_refuses:  # beyond the bound of the journal
                until(more(promises.refused), 60)
            else:
                until(more(promises.acknowledged))
                time.sleep(chance.uniform(0, 0.3))
        until(more(promises.acknowledged))
    until(kept.is_filed)
    kept.balance()
