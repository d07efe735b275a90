"""Services above pynetdicom's associations: a request with its caller, and the answers to it.

pynetdicom's own service classes decode whole objects to send them and know one handler per kind of message. A `Service`
here is chosen by its SOP class, reads the request itself, and sends its answers itself: `Services.attach` puts the table
in front of an association, and whatever is not in the table goes on to pynetdicom.
"""

from __future__ import annotations

import abc
import logging
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar, Protocol

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_RELEASE, P_DATA
from pynetdicom.presentation import PresentationContext

from dicom_node.services.status import PROCESSING_FAILURE, status_of
from dicom_node.upper_layer.messages import C_FIND_RQ, Command, answer_to
from telemed.kernel.errors import TelemedError

log = logging.getLogger(__name__)

#: What the services speak: PS3.5 10.1's default and explicit VRs. A deflated request could inflate without end.
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")

#: PS3.7 Annex C and PS3.4 C.4: what every service here may answer.
PENDING, CANCELLED = 0xFF00, 0xFE00
_MAX_COMMENT = 64  # VR LO of (0000,0902)
#: How many PDUs may wait for a slow reader before the service waits too, and for how long.
_MOST_WAITING = 64
_SECONDS_WITHOUT_READING = 60.0


@dataclass(frozen=True)
class Caller:
    """Who asks: the calling AE title, where from, and the institution that both are bound to."""

    aet: str
    address: str
    institution: str


class NobodyReadsError(Exception):
    """The peer has not read its answers for too long, and was hung up on."""


class Question(Protocol):
    """What a service that only answers C-FIND needs of a request: `Exchange`, or one of `upper_layer.questions`."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """The SOP class the request names."""
        ...

    @property
    def transfer_syntax(self) -> UID:
        """How its data sets are encoded."""
        ...

    @property
    def is_cancelled(self) -> bool:
        """Whether a C-CANCEL for it has come."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether anybody still waits for answers."""
        ...

    def received(self, field: str, /) -> BytesIO:
        """Return the encoded data set "Identifier"; empty when there is none."""
        ...

    def found(self, status: int, identifier: bytes | None = None) -> None:
        """Send one response, a match or the last."""
        ...

    def fail(self, error: Exception, status: int | None = None) -> None:
        """Answer with what went wrong."""
        ...


class Answering(abc.ABC):
    """A service class that only answers C-FIND, whatever carries the question."""

    sop_classes: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def answer(self, question: Question, /) -> None:
        """Answer one question to its last response; a TelemedError is answered for it."""


class Exchange:
    """One request on one association, and the way back."""

    def __init__(self, association: Association, request: Any, context: PresentationContext, caller: Caller) -> None:  # noqa: ANN401 - one of pynetdicom's primitives
        self.association = association
        self.request = request
        self.caller = caller
        self._context = context

    @property
    def sop_class_uid(self) -> str:
        """The SOP class the request names."""
        return _sop_class_of(self.request)

    @property
    def transfer_syntax(self) -> UID:
        """How data sets of this exchange are encoded."""
        return self._context.transfer_syntax[0]

    @property
    def is_cancelled(self) -> bool:
        """Whether a C-CANCEL for this request has come."""
        return self.request.MessageID in self.association.dimse.cancel_req

    @property
    def is_open(self) -> bool:
        """Whether anybody still waits for answers: neither aborted nor asked to release."""
        leaving = isinstance(self.association.dul.peek_next_pdu(), A_RELEASE)
        return self.association.is_established and not leaving and not self.association.acse.is_aborted()

    def received(self, field: str) -> BytesIO:
        """Return the encoded data set that the request carries in *field*; empty when it carries none."""
        return getattr(self.request, field, None) or BytesIO()

    def answer(
        self,
        status: int,
        *,
        comment: str = "",
        content: Mapping[str, bytes] | None = None,
        fields: Mapping[str, int | str] | None = None,
    ) -> None:
        """Send one response; *content* names encoded data sets by the primitive's attribute, *fields* its plain attributes.

        A peer that does not read holds up its own association, not our memory.
        """
        response = type(self.request)()
        response.MessageIDBeingRespondedTo = self.request.MessageID
        response.MessageID = self.request.MessageID
        response.AffectedSOPClassUID = self.sop_class_uid
        response.Status = status
        if comment:
            response.ErrorComment = comment.encode("ascii", "replace").decode()[:_MAX_COMMENT]
        for name, value in (fields or {}).items():
            setattr(response, name, value)
        for name, data_set in (content or {}).items():
            setattr(response, name, BytesIO(data_set))
        self._wait_for_reader()
        self.association.dimse.send_msg(response, self._context.context_id or 0)

    def found(self, status: int, identifier: bytes | None = None) -> None:
        """Send one response of a C-FIND, a match or the last: what `answer` does, in a fraction of the time."""
        message_id = struct.pack("<H", self.request.MessageID)
        request = Command(C_FIND_RQ, message_id, self.sop_class_uid.encode("ascii"), b"")
        command = answer_to(request, status, with_data=identifier is not None)
        # PS3.8 E.2: the last fragment of the command, the last of the data; both in one PDU, as section 9.3.5 allows.
        fragments = [b"\x03" + command, *([] if identifier is None else [b"\x02" + identifier])]
        most = self.association.dimse.maximum_pdu_size
        if most and sum(len(fragment) + 5 for fragment in fragments) > most:
            self.answer(status, content={} if identifier is None else {"Identifier": identifier})
            return
        self._wait_for_reader()
        values: Any = [[self._context.context_id, fragment] for fragment in fragments]
        data = P_DATA()
        data.presentation_data_value_list = values  # annotated as tuples, and refused unless lists
        self.association.dul.send_pdu(data)

    def fail(self, error: Exception, status: int | None = None) -> None:
        """Answer with what went wrong, in DICOM's words."""
        self.answer(status_of(error) if status is None else status, comment=getattr(error, "sentence", ""))

    def _wait_for_reader(self) -> None:
        waiting = self.association.dul.to_provider_queue
        deadline = time.monotonic() + _SECONDS_WITHOUT_READING
        while waiting.qsize() > _MOST_WAITING and self.is_open:
            if time.monotonic() > deadline:
                self._hang_up()
                raise NobodyReadsError
            time.sleep(0.001)

    def _hang_up(self) -> None:
        """End the connection below pynetdicom, which would first wait for what it is sending."""
        connection = self.association.dul.socket
        if connection is not None and connection.socket is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)


class Service(Protocol):
    """One service class as SCP."""

    #: The SOP classes it answers for, as they are negotiated.
    sop_classes: ClassVar[tuple[str, ...]]

    def answer(self, exchange: Exchange, /) -> None:
        """Answer one request; a TelemedError is answered for it."""
        ...


class Services:
    """The table of services: SOP class to who answers."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        self._by_class = {uid: service for service in services for uid in service.sop_classes}

    @property
    def answering(self) -> tuple[Answering, ...]:
        """Those that only answer questions."""
        return tuple({id(one): one for one in self._by_class.values() if isinstance(one, Answering)}.values())

    @property
    def sop_classes(self) -> tuple[str, ...]:
        """Everything that may be negotiated beside storage and verification."""
        return tuple(self._by_class)

    def attach(self, association: Association, caller: Caller) -> None:
        """Answer the requests of an association that was admitted; call it before its first message."""
        further = association._serve_request  # noqa: SLF001 - pynetdicom has no other place between a message and its service

        def serve(message: Any, context_id: int) -> None:  # noqa: ANN401 - pynetdicom's primitive
            service = self._by_class.get(_sop_class_of(message))
            if service is not None and message.is_valid_request:
                for context in association.accepted_contexts:
                    if context.context_id == context_id:
                        _served(service, Exchange(association, message, context, caller))
                        return
            further(message, context_id)

        association.__dict__["_serve_request"] = serve


def _served(service: Service, exchange: Exchange) -> None:
    association = exchange.association
    association.dimse.cancel_req = {}
    association._is_paused = True  # noqa: SLF001 - as pynetdicom does around a service that sends requests of its own
    try:
        service.answer(exchange)
    except NobodyReadsError:
        log.warning("%s did not read its answers: the connection was ended", exchange.caller.aet)
    except TelemedError as error:
        log.warning("a request of %s was refused: %s", exchange.caller.aet, error.sentence)
        exchange.fail(error)
    except Exception:
        log.exception("a request of %s failed", exchange.caller.aet)
        if association.is_established:
            exchange.answer(PROCESSING_FAILURE, comment="the server failed; its log says why")
    finally:
        association._is_paused = False  # noqa: SLF001 - see above
        # It counts from the last PDU that came; a peer that was answered for an hour was not idle.
        association.dul._idle_timer.restart()  # noqa: SLF001 - pynetdicom restarts it only itself
        association.dimse.cancel_req = {}


def _sop_class_of(message: Any) -> str:  # noqa: ANN401 - pynetdicom's primitive
    return str(getattr(message, "AffectedSOPClassUID", None) or getattr(message, "RequestedSOPClassUID", None) or "")
