"""The threads of an association, and who sends on it meanwhile."""

from __future__ import annotations

import socket
import threading

from support.server import until

from dicom_node.connections import ClosingSocket, Halt


def test_a_thread_halts_also_for_one_who_begins_to_send_just_as_it_goes_on():
    class Halted:
        """What pynetdicom's association says of its thread; a sender comes while it says for the first time that it goes on."""

        said = ()

        def __setattr__(self, name, value):
            if name == "_is_paused":
                object.__setattr__(self, "said", (*self.said, value))
                if self.said == (False,):
                    halt.clear()

    halted = Halted()
    halt = Halt(halted)
    thread = threading.Thread(target=halt.wait, daemon=True)
    thread.start()
    until(lambda: halted.said == (False, True))
    assert thread.is_alive()
    halt.set()
    thread.join(30)
    assert not thread.is_alive()
    assert halted.said == (False, True, False)


def test_a_connection_that_another_thread_ends_at_the_same_moment_is_closed_all_the_same():
    """A peer that rejects ends it while whoever was rejected does: without this the reason was lost."""
    here, there = socket.socketpair()

    class Ended(ClosingSocket):
        def __init__(self):
            self.socket = self

        def shutdown(self, how):
            here.shutdown(how)
            self.socket = None  # as the other thread's close() leaves it

        def close(self):
            here.close()

    with there:
        Ended()._shutdown_socket()
        assert here.fileno() == -1
