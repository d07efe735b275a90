from __future__ import annotations

import importlib
import os
import threading
import time

import pytest

from telemed.kernel import confinement as confinement_module
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid, NotFound, Unavailable


@pytest.fixture(scope="module")
def confinement():
    made = Confinement(processes=2, memory_bytes=400 << 20, seconds=3)
    yield made
    made.close()


def test_work_is_done_elsewhere_and_its_answer_comes_back(confinement):
    assert confinement.run(sum, [1, 2, 3]) == 6


def test_too_much_memory_is_the_inputs_fault_and_the_next_call_works(confinement):
    with pytest.raises(Invalid, match="too much memory"):
        confinement.run(bytearray, 1 << 30)
    assert confinement.run(len, b"four") == 4


def test_too_much_time_is_the_inputs_fault_and_the_next_call_works(confinement):
    begun = time.monotonic()
    with pytest.raises(Invalid, match="too long"):
        confinement.run(time.sleep, 60)
    assert time.monotonic() - begun < 30
    assert confinement.run(len, b"four") == 4


@pytest.fixture
def slow_to_load(tmp_path, monkeypatch):
    """A function whose module takes longer to load than a call may."""
    (tmp_path / "slow_to_load.py").write_text("import time\n\ntime.sleep(2)\n\ndef read():\n    return 'read'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("slow_to_load").read


def test_what_a_worker_takes_to_begin_is_no_inputs_fault(slow_to_load):
    impatient = Confinement(processes=1, seconds=1)
    assert impatient.run(slow_to_load) == "read"
    impatient.close()


def test_one_that_does_not_come_to_begin_is_replaced(slow_to_load, monkeypatch):
    monkeypatch.setattr(confinement_module, "STARTS_WITHIN_S", 0.01)
    busy = Confinement(processes=1)
    with pytest.raises(Unavailable, match="too busy"):
        busy.run(slow_to_load)
    monkeypatch.undo()
    assert busy.run(len, b"four") == 4
    busy.close()


def test_an_exception_becomes_a_sentence_without_a_traceback(confinement):
    with pytest.raises(Invalid) as caught:
        confinement.run(int, "no number")
    assert caught.value.code == "unreadable"
    assert "Traceback" not in caught.value.sentence


def test_our_own_errors_come_back_as_they_are(confinement):
    with pytest.raises(NotFound) as caught:
        confinement.run(_refuse)
    assert (caught.value.sentence, caught.value.code) == ("it is not there", "gone")


def _refuse():
    raise NotFound("it is not there", code="gone")


def test_a_worker_that_dies_is_replaced(confinement):
    with pytest.raises(Invalid):
        confinement.run(_die)
    assert confinement.run(len, b"four") == 4


def _die():
    os._exit(9)


def test_when_every_worker_is_busy_for_too_long_it_says_so():
    busy = Confinement(processes=1, seconds=1)
    outcomes = []

    def wait_for_a_place():
        try:
            busy.run(time.sleep, 30)
        except (Invalid, Unavailable) as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=wait_for_a_place) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {Invalid, Unavailable}
    busy.close()


def test_work_that_may_wait_is_done_when_nobody_else_needs_the_processor():
    patient = Confinement(processes=1, niceness=1)
    try:
        assert patient.run(os.nice, 0) == min(os.nice(0) + 1, 19)
    finally:
        patient.close()
