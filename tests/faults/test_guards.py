"""Hundreds of connections that only take up room: a clinic that has something to send does not notice them."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest
from conformance.bad_files import identified
from conformance.raw_scu import (
    ASSOCIATE_RQ,
    COMMAND,
    CT_IMAGE,
    EXPLICIT,
    LAST,
    P_DATA,
    VERIFICATION,
    RawAssociation,
    associate_rq,
    pdu,
    pdv,
    store_rq,
)
from faults.conftest import RUNS
from support.server import until

EACH = 200
#: What a clinic may wait; the short run, which a busy machine makes beside others, only asks that it is served.
ECHO_S, STORE_S = (1, 3) if RUNS else (15, 15)
REQUEST = pdu(ASSOCIATE_RQ, associate_rq("TELEMED", "LIANHUA", CT_IMAGE, EXPLICIT))
#: What a dripping one has sent before it begins to drip: an association, a command, and the promise of a megabyte.
BEGUN = pdu(P_DATA, pdv(store_rq(CT_IMAGE, "1.2.3"), COMMAND | LAST)) + pdu(P_DATA, b"", 1 << 20)


def connected(stack: ExitStack, port: int, said: bytes = b"") -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
    connection.sendall(said)
    return connection


def drip(dripping: list[socket.socket]) -> list[socket.socket]:
    """Send a byte on each; return those that are still held."""
    held = []
    for connection in dripping:
        try:
            connection.sendall(b"\0")
        except OSError:
            continue
        held.append(connection)
    return held


def attacked(stack: ExitStack, port: int) -> list[socket.socket]:
    """Hold silent, half-open and dripping connections, *EACH* of a kind, all from 127.0.0.1; return the dripping ones."""
    for _ in range(EACH):
        connected(stack, port)
        connected(stack, port, REQUEST[:100])
    dripping = [connected(stack, port, REQUEST) for _ in range(EACH)]
    for connection in dripping:
        if connection.recv(1 << 16)[:1] == b"\2":
            connection.sendall(BEGUN)
    return dripping


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"] if RUNS else ["127.0.0.1"])
def test_a_clinic_echoes_and_stores_beside_six_hundred_idle_connections(tmp_path, node_of, account, address):
    kept = account.keep(tmp_path / "data")
    node = node_of(kept)
    assert node.start()
    with ExitStack() as stack:
        dripping = drip(attacked(stack, node.port))
        assert len(dripping) > 50
        for _ in range(3):
            time.sleep(1)
            dripping = drip(dripping)
        begun = time.monotonic()
        with RawAssociation(node.port, sop_class=VERIFICATION, address=address) as association:
            assert association.echo().status == 0
        assert time.monotonic() - begun < ECHO_S
        begun = time.monotonic()
        with RawAssociation(node.port, address=address) as association:
            assert association.store(identified("1.2.3.4"), "1.2.3.4").status == 0
        assert time.monotonic() - begun < STORE_S
        assert node.peak_bytes() < 512 << 20
        account.ran()
        if RUNS:  # and those who drip are not borne for long
            until(lambda: not _held(dripping), 30, every=1)


def _held(dripping: list[socket.socket]) -> int:
    dripping[:] = drip(dripping)
    return len(dripping)
