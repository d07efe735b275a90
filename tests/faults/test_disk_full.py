"""A disk without room: what cannot be kept is refused at once, and taken again when there is room."""

from __future__ import annotations

import shutil

from conformance.raw_scu import is_answering
from faults.clinic import Clinic
from faults.conftest import RUNS
from faults.disks import Disk
from support.server import until

SIZES = (40_000, 525_000, 2 << 20)


def test_the_disk_is_full(disk: Disk, node_of, account, chance):
    for turn in account.turns(RUNS or 2):
        kept = account.keep(disk.folder / "data")
        node = node_of(kept, journal_bytes=8 << 20)
        assert node.start()
        for _ in turn:
            fill_once(disk, node, kept, chance)
            account.ran()
        until(kept.is_filed)
        kept.balance()
        node.kill()
        kept.verify()
        shutil.rmtree(kept.folder)


def fill_once(disk, node, kept, chance):
    promises = kept.promises

    def more(answers, than):
        before = len(answers)
        return lambda: len(answers) > before + than

    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(more(promises.acknowledged, 0))
        disk.fill()
        until(more(promises.refused, 3))
        disk.make_room()
        until(more(promises.acknowledged, 3), 20)


def test_a_start_without_room_refuses_stores_and_files_the_journal_once_there_is_room(disk: Disk, node_of, account, chance):
    kept = account.keep(disk.folder / "data")
    promises = kept.promises
    node = node_of(kept, journal_bytes=8 << 20)
    assert node.start()
    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(lambda: promises.acknowledged)
        disk.fill()
        until(lambda: len(promises.refused) > 3)
        node.kill()
    disk.fill()  # what it had begun to write went with it
    assert not kept.is_filed()
    assert node.start()
    assert "filed later" in node.said()
    assert is_answering(node.port)
    refused, taken = len(promises.refused), len(promises.acknowledged)
    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(lambda: len(promises.refused) > refused + 3)
        assert len(promises.acknowledged) == taken
        disk.make_room()
        until(lambda: len(promises.acknowledged) > taken + 3, 30)
    account.ran()
    until(kept.is_filed)
    kept.balance()
    node.kill()
    kept.verify()
