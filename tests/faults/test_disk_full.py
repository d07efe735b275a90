"""A disk without room: what cannot be kept is refused at once, and taken again when there is room."""

from __future__ import annotations

from conformance.raw_scu import is_answering
from faults.account import Promises
from faults.clinic import Clinic
from faults.conftest import RUNS
from faults.disks import Disk
from support.server import until

SIZES = (40_000, 525_000, 2 << 20)


def test_the_disk_is_full(disk: Disk, node_of, account, chance):
    folder, promises = disk.folder / "data", Promises()
    folder.mkdir()
    node = node_of(folder, journal_bytes=8 << 20)
    assert node.start()
    for run in range(RUNS or 2):
        with Clinic(node.port, promises, chance, sizes=SIZES).sending():
            until(lambda: promises.acknowledged)
            disk.fill()
            refused = len(promises.refused)
            until(lambda refused=refused: len(promises.refused) > refused + 3)
            disk.make_room()
            taken = len(promises.acknowledged)
            until(lambda taken=taken: len(promises.acknowledged) > taken + 3, 5)
        account.runs = run + 1
        if run % 10 == 9:  # room for the next ones
            until(lambda: account.is_filed(promises, node.database_url))
    until(lambda: account.is_filed(promises, node.database_url))
    account.balance(promises, folder, node.database_url)
    node.kill()
    account.verify(folder, node.database_url)


def test_a_start_without_room_refuses_stores_and_files_the_journal_once_there_is_room(disk: Disk, node_of, account, chance):
    folder, promises = disk.folder / "data", Promises()
    folder.mkdir()
    node = node_of(folder, journal_bytes=8 << 20)
    assert node.start()
    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(lambda: promises.acknowledged)
        disk.fill()
        until(lambda: len(promises.refused) > 3)
        node.kill()
    assert not account.is_filed(promises, node.database_url)
    assert node.start()
    assert "filed later" in node.said()
    assert is_answering(node.port)
    refused, taken = len(promises.refused), len(promises.acknowledged)
    with Clinic(node.port, promises, chance, sizes=SIZES).sending():
        until(lambda: len(promises.refused) > refused + 3)
        assert len(promises.acknowledged) == taken
        disk.make_room()
        until(lambda: len(promises.acknowledged) > taken + 3, 10)
    account.runs = 1
    until(lambda: account.is_filed(promises, node.database_url))
    account.balance(promises, folder, node.database_url)
    node.kill()
    account.verify(folder, node.database_url)
