"""The power goes, or a process dies, while objects arrive: what was acknowledged is there, unaltered and once."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
from faults.clinic import Clinic
from faults.conftest import RUNS
from support.server import until

#: Small ones, the size of a CT, and now and then one that gets a file of its own in the journal.
SIZES = (2_000,) * 12 + (40_000,) * 14 + (525_000,) * 3 + (5 << 20,)


def start(node, kept):
    """Start *node*; balance what a former end has left."""
    assert node.start()
    kept.account.ready_s = max(kept.account.ready_s, node.ready_s)
    return kept.balance()


@pytest.fixture(params=["sqlite on it", "postgresql elsewhere"])
def new_url(request):
    """Return a context in which there is a new database: its URL, empty for one in the archive's own folder."""

    @contextmanager
    def new():
        if request.param == "sqlite on it":
            yield ""
        else:
            cluster = request.getfixturevalue("postgres")
            name = cluster.new_database()
            yield cluster.url(name)
            cluster.drop(name)

    return new


def test_the_power_goes(disk, new_url, node_of, account, chance):
    for turn in account.turns(RUNS or 2):
        with new_url() as url:
            kept = account.keep(disk.folder / "data", url)
            for _ in turn:
                node = node_of(kept)
                start(node, kept)
                with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                    time.sleep(chance.uniform(0.05, 1.2))
                    disk.cut()
                    node.kill()
                disk.power_up()
                kept.folder.mkdir(exist_ok=True)
                kept.verify()
                account.ran()
            node = node_of(kept)
            assert start(node, kept) <= len(kept.promises.offered)
            node.kill()
            shutil.rmtree(kept.folder)


@pytest.mark.parametrize("victim", ["every process", "a receiving process", "the main process"])
def test_death_of(victim, tmp_path, node_of, account, chance):
    for turn in account.turns(RUNS or 1):
        kept = account.keep(tmp_path / "data")
        for _ in turn:
            node = node_of(kept)
            start(node, kept)
            with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                time.sleep(chance.uniform(0.05, 1.2))
                main, *receivers = node.processes()
                if victim == "a receiving process":
                    os.kill(chance.choice(receivers), signal.SIGKILL)
                    time.sleep(chance.uniform(0, 0.8))
                elif victim == "the main process":
                    os.kill(main, signal.SIGKILL)
                    until(lambda node=node: not node.processes(), 5)
                else:
                    node.kill()
            node.kill()
            kept.verify()
            account.ran()
        node = node_of(kept)
        start(node, kept)
        node.kill()
        shutil.rmtree(kept.folder)
