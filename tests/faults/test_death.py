"""The power goes, or a process dies, while objects arrive: what was acknowledged is there, unaltered and once."""

from __future__ import annotations

import os
import signal
import time

import pytest
from faults.account import Promises
from faults.clinic import Clinic
from faults.conftest import RUNS
from support.server import until

#: Small ones, the size of a CT, and now and then one that gets a file of its own in the journal.
SIZES = (2_000,) * 6 + (40_000,) * 6 + (525_000,) * 2 + (5 << 20,)


def start(node, account, promises):
    """Start *node*; balance what a former end has left, before and after."""
    if account.runs:
        account.verify(node.folder, node.database_url)
    assert node.start()
    account.ready_s = max(account.ready_s, node.ready_s)
    return account.balance(promises, node.folder, node.database_url)


@pytest.fixture(params=["sqlite on it", "postgresql elsewhere"])
def url(request, disk):
    if request.param == "sqlite on it":
        yield f"sqlite:///{disk.folder / 'data' / 'telemed.sqlite'}"
    else:
        cluster = request.getfixturevalue("postgres")
        name = cluster.new_database()
        yield cluster.url(name)
        cluster.drop(name)


def test_the_power_goes(disk, url, node_of, account, chance):
    folder, promises = disk.folder / "data", Promises()
    for run in range(RUNS or 2):
        folder.mkdir(exist_ok=True)
        node = node_of(folder, url)
        start(node, account, promises)
        with Clinic(node.port, promises, chance, sizes=SIZES).sending():
            time.sleep(chance.uniform(0.05, 1.5))
            disk.cut()
            node.kill()
        disk.power_up()
        account.runs = run + 1
    node = node_of(folder, url)
    assert start(node, account, promises) <= len(promises.offered)
    node.kill()


@pytest.mark.parametrize("victim", ["every process", "a receiving process", "the main process"])
def test_death_of(victim, tmp_path, node_of, account, chance):
    promises, folder = Promises(), tmp_path / "data"
    folder.mkdir()
    for run in range(RUNS or 1):
        node = node_of(folder)
        start(node, account, promises)
        with Clinic(node.port, promises, chance, sizes=SIZES).sending():
            time.sleep(chance.uniform(0.05, 1.2))
            main, *receivers = node.processes()
            if victim == "a receiving process":
                os.kill(chance.choice(receivers), signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.8))
            elif victim == "the main process":
                os.kill(main, signal.SIGKILL)
                until(lambda node=node: not node.processes(), 5)
        node.kill()
        account.runs = run + 1
    node = node_of(folder)
    start(node, account, promises)
    node.kill()
