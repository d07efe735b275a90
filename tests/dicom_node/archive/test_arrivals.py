import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.archive.arrivals import Arrivals, Tally


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def arrivals(tally):
    arrivals = Arrivals()
    arrivals.follow(tally)
    return arrivals


def waited(arrivals, seconds):
    began = time.monotonic()
    arrivals.wait(seconds)
    return time.monotonic() - began


def test_what_is_durable_and_not_announced_yet_is_waited_for(arrivals, tally):
    assert waited(arrivals, 5) < 1
    tally.add()
    assert arrivals.pending == 1
    assert waited(arrivals, 0.1) >= 0.1
    threading.Timer(0.1, arrivals.filed, [1]).start()
    assert waited(arrivals, 20) < 10
    assert arrivals.pending == 0


def test_what_a_dead_process_never_announced_keeps_nobody_waiting(arrivals, tally):
    for _ in range(3):
        tally.add()
    arrivals.filed(2)
    threading.Timer(0.1, arrivals.ended, [tally, 2]).start()
    assert waited(arrivals, 20) < 10
    assert arrivals.pending == 0


def test_a_tally_is_read_behind_its_descriptor(tally):
    tally.add()
    other = Tally(os.dup(tally.descriptor))
    other.add()
    assert tally.value == other.value == 2


def test_filing_that_is_behind_says_until_when_all_can_be_found(arrivals, tally):
    now, second = datetime(2026, 3, 2, tzinfo=UTC), timedelta(seconds=1)
    assert arrivals.filed_until(now) == now
    tally.add()
    tally.add()
    assert arrivals.filed_until(now) == now - 60 * second
    arrivals.filed(1, now - 5 * second)
    assert arrivals.filed_until(now) == now - 5 * second
    assert arrivals.filed_until(now + 300 * second) == now + 240 * second
    arrivals.filed(1, now - 4 * second)
    assert arrivals.filed_until(now) == now
