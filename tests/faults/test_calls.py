"""Death before, and failure of, each call to the system that durability stands on, by strace's injection."""

from __future__ import annotations

import itertools
import shutil
import time

import pytest
from faults.account import Promises
from faults.clinic import Clinic
from faults.conftest import RUNS
from support.server import until

#: What a store does to the disk, in receiving and main process: the journal, the plain files, the database.
CALLS = ("pwritev2", "pwrite64", "fdatasync", "fsync", "syncfs", "rename", "unlink", "fallocate", "mkdir", "write")
#: Which of them fail in a short run.
FEW = (("pwritev2", "EIO"), ("syncfs", "EIO"))
SIZES = (2_000,) * 8 + (40_000,) * 6 + (525_000, 2 << 20)
#: Eight segments of 1 MB a process: they are closed and freed again and again.
JOURNAL_BYTES = 8 << 20


def injecting(call: str, fault: str) -> tuple[str, ...]:
    quietly = ("/usr/bin/strace", "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null")
    return *quietly, "-e", f"trace={call}", "-e", f"inject={call}:{fault}"


@pytest.fixture
def folder(tmp_path, empty_sqlite):
    """A data folder whose database has its tables: their making is not what is cut short here."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(empty_sqlite, folder / "telemed.sqlite")
    return folder


def test_a_process_dies_before_a_call(folder, node_of, account, chance):
    """Every process dies before its Nth call: thus between any two durable steps."""
    every = list(itertools.islice(((call, number) for number in itertools.count(1) for call in CALLS), RUNS))
    promises = Promises()
    for call, number in every or (("pwritev2", 4), ("rename", 3), ("unlink", 1)):
        node = node_of(folder, journal_bytes=JOURNAL_BYTES, under=injecting(call, f"signal=KILL:when={number}"))
        if node.start():
            account.balance(promises, folder, node.database_url)
            with Clinic(node.port, promises, chance, sizes=SIZES).sending():
                until(lambda node=node: len(node.processes()) < 3, 1.5, fails=False)
        node.kill()
        account.runs += 1
    node = node_of(folder)
    assert node.start()
    account.balance(promises, folder, node.database_url)


FAILING = [(call, number) for call in CALLS[:-2] for number in ("EIO", "ENOSPC") if RUNS or (call, number) in FEW]


@pytest.mark.parametrize("failing", FAILING, ids=" with ".join)
def test_a_call_fails(folder, node_of, account, chance, failing):
    """For a while each thread's calls fail; nothing is lost, and without anybody's help all is well again."""
    call, number = failing
    promises = Promises()
    for run in range(max(RUNS // 14, 1)):
        first = 6 + chance.randrange(20)
        fault = f"error={number}:when={first}..{first + 8}"
        node = node_of(folder, journal_bytes=JOURNAL_BYTES, under=injecting(call, fault))
        if node.start():
            with Clinic(node.port, promises, chance, sizes=SIZES).sending():
                time.sleep(1.5)
            before, after = len(promises.acknowledged), Clinic(node.port, promises, chance, sizes=SIZES, modalities=1)
            with after.sending():
                until(lambda before=before: len(promises.acknowledged) > before + 3, 20)
        node.kill()
        account.runs = run + 1
        account.verify(folder, node.database_url)
    node = node_of(folder)
    assert node.start()
    account.balance(promises, folder, node.database_url)
