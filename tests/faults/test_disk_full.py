"""A disk without room: what cannot be kept is refused at once, and taken again when there is room."""

from __future__ import annotations

import shutil

from faults.clinic import Clinic
from faults.conftest import RUNS
from faults.disks import Disk
from support.server import until

SIZES = (40_000, 525_000, 2 << 20)


def test_the_disk_is_full(disk: Disk, node_of, account, chance):
    for turn in account.turns(RUNS or 2):
        kept = account.keep(disk.folder / "data")
        promises = kept.promises
        node = node_of(kept, journal_bytes=8 << 20)
        assert node.start()
        for _ in turn:
            before = len(promises.acknowledged)
            with Clinic(node.port, promises, chance, sizes=SIZES).sending():
                until(lambda before=before: len(promises.acknowledged) > before)
                disk.fill()
                refused = len(promises.refused)
                until(lambda refused=refused: len(promises.refused) > refused + 3)
                disk.make_room()
                taken = len(promises.acknowledged)
                until(lambda taken=taken: len(promises.acknowledged) > taken + 3, 5)
            account.ran()
        until(kept.is_filed)
        kept.balance()
        node.kill()
        kept.verify()
        shutil.rmtree(kept.folder)
