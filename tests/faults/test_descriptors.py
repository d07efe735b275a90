"""A machine that gives no more descriptors: a flood of connections anywhere in the process takes the last. It passes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest
from conformance.bad_files import identified
from conformance.raw_scu import VERIFICATION, RawAssociation, is_answering
from support.limits import no_descriptor
from support.server import until

#: Served by pynetdicom: a storage class nobody knows.
PRIVATE = "1.2.3.4.5"


@pytest.fixture
def node(tmp_path, node_of, account):
    node = node_of(account.keep(tmp_path / "data"))
    assert node.start()
    account.ran()
    return node


@pytest.mark.parametrize("sop_class", [VERIFICATION, PRIVATE])
def test_callers_are_sent_away_while_there_is_no_descriptor_and_served_afterwards(node, sop_class):
    main, *receivers = node.processes()
    with no_descriptor(main):
        for _ in range(10):
            with suppress(AssertionError, ConnectionError):  # sent away; one that is kept waiting is a TimeoutError
                RawAssociation(node.port, sop_class=sop_class).socket.close()
    for _ in range(20):
        assert is_answering(node.port)
        with RawAssociation(node.port) as association:
            assert association.store(identified("1.2.3.4"), "1.2.3.4").status == 0
    assert node.processes() == [main, *receivers]


def test_a_receiver_that_dies_while_there_is_no_descriptor_is_replaced_once_there_is_one(node):
    main, *receivers = node.processes()
    with no_descriptor(main):
        for pid in receivers:
            os.kill(pid, signal.SIGKILL)
        until(lambda: node.said().count("cannot begin yet") >= len(receivers), 30)
    until(lambda: len(node.processes()) == 1 + len(receivers), 30)
    for _ in range(10):
        assert is_answering(node.port)
