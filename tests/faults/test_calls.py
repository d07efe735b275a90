"""Death before, and failure of, each call to the system that durability stands on, by strace's injection."""

from __future__ import annotations

import itertools
import shutil
import time

import pytest
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
def keep(account, tmp_path, empty_sqlite):
    """Return a function that begins an archive whose database has its tables: their making is not what is cut short here."""

    def begin():
        kept = account.keep(tmp_path / "data")
        shutil.copy(empty_sqlite, kept.folder / "telemed.sqlite")
        return kept

    return begin


def put_away(kept, node):
    """Start *node*, which nothing is done to; all is well then."""
    assert node.start()
    kept.balance()
    node.kill()
    shutil.rmtree(kept.folder)


def test_a_process_dies_before_a_call(keep, node_of, account, chance):
    """Every process dies before its Nth call: thus between any two durable steps."""
    every = list(itertools.islice(((call, number) for number in itertools.count(1) for call in CALLS), RUNS))
    every = every or [("pwritev2", 4), ("rename", 3), ("unlink", 1)]
    for turn in account.turns(len(every)):
        kept = keep()
        for call, number in every[turn.start : turn.stop]:
            node = node_of(kept, journal_bytes=JOURNAL_BYTES, under=injecting(call, f"signal=KILL:when={number}"))
            if node.start():
                with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                    until(lambda node=node: len(node.processes()) < 3, 1.5, fails=False)
            node.kill()
            kept.verify()
            account.ran()
        put_away(kept, node_of(kept))


FAILING = [(call, number) for call in CALLS[:-2] for number in ("EIO", "ENOSPC") if RUNS or (call, number) in FEW]


@pytest.mark.parametrize("failing", FAILING, ids=" with ".join)
def test_a_call_fails(keep, node_of, account, chance, failing):
    """For a while each thread's calls fail; nothing is lost, and without anybody's help all is well again."""
    call, number = failing
    for turn in account.turns(max(RUNS // 14, 1)):
        kept = keep()
        for _ in turn:
            first = 6 + chance.randrange(20)
            fault = f"error={number}:when={first}..{first + 8}"
            node = node_of(kept, journal_bytes=JOURNAL_BYTES, under=injecting(call, fault))
            if node.start():
                with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                    time.sleep(1)
                before, after = len(kept.promises.acknowledged), Clinic(node.port, kept.promises, chance, sizes=SIZES, modalities=1)
                with after.sending():
                    until(lambda before=before, kept=kept: len(kept.promises.acknowledged) > before + 3, 20)
            node.kill()
            kept.verify()
            account.ran()
        put_away(kept, node_of(kept))
