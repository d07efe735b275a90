"""A real association with bytes flipped, cut, doubled and moved: each is answered or ended, and the node goes on."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from conformance.bad_files import identified
from conformance.mutations import mutate, recorded
from conformance.raw_scu import RawAssociation, is_answering
from faults.conftest import RUNS

MUTATED = RUNS * 200 or 300
AT_ONCE = 8


def seconds_until_ended(port: int, pdus: list[bytes]) -> float:
    """Send all of it, and nothing more; return how long it took until the node had ended the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        begun = time.monotonic()
        try:
            connection.sendall(b"".join(pdus))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
        except OSError:  # it has hung up on us, or kept us waiting
            pass
        return time.monotonic() - begun


def test_no_mutated_association_does_harm(tmp_path, node_of, account, chance):
    kept = account.keep(tmp_path / "data")
    node = node_of(kept)
    assert node.start()
    before = sorted(tmp_path.iterdir())

    def suffer(seed: int) -> None:
        own = random.Random(seed)
        pdus = mutate(recorded(own), own)
        assert seconds_until_ended(node.port, pdus) < 10, pdus

    with ThreadPoolExecutor(AT_ONCE) as senders:
        for number, _ in enumerate(senders.map(suffer, [chance.getrandbits(64) for _ in range(MUTATED)])):
            assert number % 1000 or is_answering(node.port)
            account.ran()
    with RawAssociation(node.port) as association:
        assert association.store(identified("1.2.3.4"), "1.2.3.4").status == 0
    assert len(node.processes()) == 3
    assert "receiver-0 ended" not in node.said()
    assert node.peak_bytes() < 512 << 20
    assert sorted(tmp_path.iterdir()) == before
    node.kill()
    kept.verify()
