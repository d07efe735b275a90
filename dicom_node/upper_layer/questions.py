"""Associations on which only questions are asked, C-FIND and C-ECHO: from socket to service and back, one thread each.

pynetdicom takes 10 ms of a processor for such an association and 3 ms for each question; who asks one question after the
other, each on an association of its own, waits for little else.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

from pydicom.uid import UID

from dicom_node.archive.arrivals import Arrivals
from dicom_node.services.exchange import Answering, Caller, NobodyReadsError
from dicom_node.services.status import PROCESSING_FAILURE, SUCCESS, status_of
from dicom_node.upper_layer.link import Link, Message
from dicom_node.upper_layer.messages import ABORTED, C_ECHO_RQ, C_FIND_RQ, Malformed, answer_to, p_data, response
from dicom_node.upper_layer.negotiation import Proposal
from telemed.kernel.errors import TelemedError

log = logging.getLogger(__name__)

#: Who has been silent for so long gives way when there are too many.
_LAG_S = 2.0
#: A caller who asks for what has just come waits so long until it can be found.
_SECONDS_TO_CATCH_UP = 1.0
#: PS3.7 C.5.
_NO_SUCH_CLASS = 0x0122


class Asked:
    """One C-FIND request on *link*, and the way back: a `services.exchange.Question`."""

    def __init__(self, link: Link, message: Message) -> None:
        self._link = link
        self._context, self._command, self._identifier = message.context, message.command, bytes(message.data_set)
        self.caller = link.caller
        self.sop_class_uid = self._command.sop_class_uid.decode("ascii", "replace").strip("\0 ")
        self.transfer_syntax = UID(link.proposal.contexts[self._context])
        self._answers: dict[tuple[int, bool], bytes] = {}

    @property
    def is_cancelled(self) -> bool:
        """Whether a C-CANCEL for it has come."""
        return self._link.cancelled() == self._command.message_id

    @property
    def is_open(self) -> bool:
        """Whether anybody still waits for answers: neither aborted nor asked to release."""
        return not self._link.leaving

    def received(self, field: str) -> BytesIO:  # noqa: ARG002 - a C-FIND carries one data set
        """Return the encoded identifier; empty when there is none."""
        return BytesIO(self._identifier)

    def found(self, status: int, identifier: bytes | None = None) -> None:
        """Send one response, a match or the last; matches go together, the last at once."""
        kind = status, identifier is not None
        command = self._answers.get(kind)
        if command is None:  # the same before each match
            command = self._answers[kind] = answer_to(self._command, status, with_data=identifier is not None)
        self._link.send(
            p_data(self._context, command, identifier or b"", self._link.proposal.maximum_pdu), at_once=identifier is None
        )

    def fail(self, error: Exception, status: int | None = None) -> None:
        """Answer with what went wrong, in DICOM's words."""
        self.end(status_of(error) if status is None else status, getattr(error, "sentence", ""))

    def end(self, status: int, comment: str = "") -> None:
        """Answer with *status*, and say why where that is not plain."""
        self._link.send(response(self._context, self._command, status, comment))


class Questions:
    """Lets *answering* answer on up to *associations* at once, and on up to *per_address* of one address."""

    def __init__(self, answering: Iterable[Answering], arrivals: Arrivals, *, associations: int, per_address: int) -> None:
        self._by_class = {uid: service for service in answering for uid in service.sop_classes}
        self._arrivals = arrivals
        self._most, self._most_per_address = associations, per_address
        self._threads = ThreadPoolExecutor(associations, thread_name_prefix="question")
        self._links: set[Link] = set()
        self._changed = threading.Condition()

    @property
    def sop_classes(self) -> tuple[str, ...]:
        """What is asked by."""
        return tuple(self._by_class)

    @property
    def associations(self) -> int:
        """How many there are now."""
        with self._changed:
            return len(self._links)

    def take(self, connection: socket.socket, caller: Caller, proposal: Proposal) -> bool:
        """Serve an association that was admitted; False, and nothing is done, when there are too many."""
        link = Link(connection, caller, proposal)
        with self._changed:
            if not self._has_room(caller.address):
                return False
            self._links.add(link)
        try:
            with suppress(OSError, NobodyReadsError):  # who is gone is found gone by the thread that serves it
                link.send(proposal.acceptance)  # here: the peer reads it while that thread wakes
            self._threads.submit(self._serve, link)
        except BaseException:
            self._leave(link)
            raise
        return True

    def stop(self, seconds: float) -> None:
        """Let the associations end within *seconds*, and hang up on what is left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._links, seconds)
            for link in self._links:
                link.hang_up()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _has_room(self, address: str) -> bool:
        """Whether one more may come, if need be in place of the one that has been silent longest."""
        counts = Counter(link.caller.address for link in self._links)
        if counts.total() < self._most and counts[address] < self._most_per_address:
            return True
        whose = address if counts[address] >= self._most_per_address else None
        now = time.monotonic()
        silent = [
            (now - link.silent_since, link)
            for link in self._links
            if link.silent_since is not None and whose in (None, link.caller.address)
        ]
        lag_s, link = max(silent, key=lambda one: one[0], default=(0.0, None))
        if link is None or lag_s < _LAG_S:
            return False
        self._links.discard(link)
        link.hang_up()
        log.warning("an association that was silent for %.0f s gave way to another", lag_s)
        return True

    def _serve(self, link: Link) -> None:
        try:
            for message in link.messages():
                self._answer(link, message)
        except Malformed as error:
            log.warning("the association of %s was aborted: %s", link.caller.aet, error)
            with suppress(OSError, NobodyReadsError):
                link.send(ABORTED)
        except NobodyReadsError:
            log.warning("%s did not read its answers: the connection was ended", link.caller.aet)
        except OSError as error:
            log.info("the association of %s ended: %s", link.caller.aet, error)
        except Exception:
            log.exception("the association of %s failed", link.caller.aet)
        finally:
            self._leave(link)

    def _leave(self, link: Link) -> None:
        link.close()
        with self._changed:
            self._links.discard(link)
            self._changed.notify_all()

    def _answer(self, link: Link, message: Message) -> None:
        asked = Asked(link, message)
        if message.command.field == C_ECHO_RQ:
            asked.end(SUCCESS)
            return
        if message.command.field != C_FIND_RQ:
            raise Malformed(f"a command {message.command.field:#06x}, which was not agreed")
        service = self._by_class.get(asked.sop_class_uid)
        if service is None:
            asked.end(_NO_SUCH_CLASS)
            return
        self._arrivals.wait(_SECONDS_TO_CATCH_UP)
        try:
            service.answer(asked)
        except TelemedError as error:
            log.warning("a question of %s was refused: %s", link.caller.aet, error.sentence)
            asked.fail(error)
        except (Malformed, NobodyReadsError, OSError):
            raise
        except Exception:
            log.exception("a question of %s failed", link.caller.aet)
            asked.end(PROCESSING_FAILURE, "the server failed; its log says why")
