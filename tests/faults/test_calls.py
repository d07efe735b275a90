"""Death before, and failure of, each call to the system that durability stands on, by strace's injection."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from pathlib import Path

import pytest
from faults.clinic import Clinic
from faults.conftest import RUNS
from support.server import until

#: What a store does to the disk, in receiving and main process: the journal, the plain files, the database; and about how often
#: a thread of theirs does it in a second.
CALLS = {
    "pwritev2": 60,
    "pwrite64": 300,
    "fdatasync": 20,
    "fsync": 10,
    "syncfs": 8,
    "rename": 150,
    "unlink": 8,
    "fallocate": 4,
    "mkdir": 150,
    "write": 120,
}
#: Which of them kill, and fail, in a short run.
FEW_DEATHS = (("pwritev2", 20), ("rename", 40), ("unlink", 4))
FEW_FAILURES = (("pwritev2", "EIO"), ("syncfs", "EIO"))
FAILING = [(call, error) for call in tuple(CALLS)[:-2] for error in ("EIO", "ENOSPC")] if RUNS else FEW_FAILURES
SIZES = (2_000,) * 8 + (40_000,) * 6 + (525_000, 2 << 20)
#: Eight segments of 1 MB a process: they are closed and freed again and again.
JOURNAL_BYTES = 8 << 20


def injecting(call: str, fault: str, calls: Path) -> tuple[str, ...]:
    quietly = (
        "/usr/bin/strace",
        "-f",
        "-qqq",
        "-o",
        str(calls),
    )  # not --seccomp-bpf: with it no signal comes but before the first
    return *quietly, "-e", f"trace={call}", "-e", f"inject={call}:{fault}"


def some_number_of(call: str, chance: random.Random) -> int:
    """Return a number of a call: the first ones as often as all the later ones."""
    return int(CALLS[call] ** chance.random())


@pytest.fixture
def keep(account, tmp_path, empty_sqlite):
    """Return a function that begins an archive whose database has its tables: their making is not what is cut short here."""

    def begin():
        kept = account.keep(tmp_path / "data")
        shutil.copy(empty_sqlite, kept.folder / "telemed.sqlite")
        return kept

    return begin


@pytest.fixture
def node_under(node_of, tmp_path):
    """Return a function that makes a Node whose calls meet a fault; the file `calls` says which."""

    def make(kept, call, fault):
        return node_of(kept, journal_bytes=JOURNAL_BYTES, under=injecting(call, fault, tmp_path / "calls"))

    return make


def put_away(kept, node):
    """Start *node*, which nothing is done to; all is well then."""
    assert node.start()
    kept.balance()
    node.kill()
    shutil.rmtree(kept.folder)


def test_a_process_dies_before_a_call(keep, node_of, node_under, account, chance):
    """Every process dies before its Nth call: thus between any two durable steps. Where nobody died was no run."""
    runs = RUNS or len(FEW_DEATHS)
    each = ((call, some_number_of(call, chance)) for call in itertools.cycle(CALLS)) if RUNS else itertools.cycle(FEW_DEATHS)
    trials = itertools.islice(each, 3 * runs)
    for turn in account.turns(runs):
        kept = keep()
        while account.runs < turn.stop:
            call, number = next(trials)
            node = node_under(kept, call, f"signal=KILL:when={number}")
            died = not node.start()
            if not died:
                with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                    died = until(lambda node=node: len(node.processes()) < 3, 1.5, every=0.05, fails=False)
            node.kill()
            kept.verify()
            if died:
                account.ran()
        put_away(kept, node_of(kept))


@pytest.fixture(params=FAILING, ids=" with ".join)
def failing(request):
    """Return a call and the error it returns for a while."""
    return request.param


def test_a_call_fails(keep, node_of, node_under, account, chance, failing, tmp_path):  # noqa: PLR0917 - each a fixture
    """For a while each thread's calls fail; nothing is lost, and without anybody's help all is well again."""
    call, error = failing
    runs = max(RUNS // 14, 1)
    trials = iter(range(3 * runs + 5))
    for turn in account.turns(runs):
        kept = keep()
        while account.runs < turn.stop:
            next(trials)
            first = some_number_of(call, chance)
            node = node_under(kept, call, f"error={error}:when={first}..{first + 8}")
            if node.start():
                with Clinic(node.port, kept.promises, chance, sizes=SIZES).sending():
                    time.sleep(1)
                until_it_stores_again(node, kept, chance)
            node.kill()
            kept.verify()
            if "INJECTED" in (tmp_path / "calls").read_text(encoding="utf-8", errors="replace"):
                account.ran()
        put_away(kept, node_of(kept))


def until_it_stores_again(node, kept, chance):
    promises = kept.promises
    before = len(promises.acknowledged)
    with Clinic(node.port, promises, chance, sizes=SIZES, modalities=1).sending():
        until(lambda: len(promises.acknowledged) > before + 3, 20)
