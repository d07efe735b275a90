"""The application entity: associations in, services out, an ordered start and stop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from dicom_node.access import Access, Reject
from dicom_node.archive.archive import Archive
from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.connections import GuardedHandler, GuardedSocket, NodeServer
from dicom_node.services.commitment_request import PUSH_MODEL
from dicom_node.services.exchange import SYNTAXES, Caller, Service, Services
from dicom_node.services.storage import store
from dicom_node.services.verification import VERIFICATION, echoed
from dicom_node.tls import TlsNodeServer, TlsSettings, certificate_of, context_of
from dicom_node.upper_layer.negotiation import Negotiation, Proposal, rejection
from dicom_node.upper_layer.processes import Limits, Processes
from dicom_node.upper_layer.questions import Questions
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

MAXIMUM_PDU = 1 << 20
_SEGMENTS = 8
#: How long a caller who may ask for what has just come waits until it can be found.
_SECONDS_TO_CATCH_UP = 1.0
ACSE_TIMEOUT_S, DIMSE_TIMEOUT_S, NETWORK_TIMEOUT_S = 30, 60, 60


class DicomNode:
    """A storage and verification SCP before *archive*; *access* says who may come and whose they are.

    *services* are the further service classes, each chosen by the SOP class of a request. *tls* adds a second listener, on
    which a caller's certificate must name its AE title.

    Plain storage is received by *processes* of their own (`upper_layer`), which hold at most *journal_bytes* each that
    are durable and not yet in the archive; every other association is served here, by pynetdicom.

    Every storage SOP class is accepted, unknown and private ones too, in the first transfer syntax proposed for it: what
    we cannot decode we can still keep, and a modality's own syntax is the one that loses nothing.
    """

    def __init__(
        self,
        archive: Archive,
        access: Access,
        *,
        aet: str = "TELEMED",
        host: str = "0.0.0.0",  # noqa: S104 - modalities are other machines
        port: int = 11112,
        maximum_associations: int = 128,
        maximum_object_bytes: int = 4 << 30,
        services: Iterable[Service] = (),
        tls: TlsSettings | None = None,
        processes: int = 1,
        journal_bytes: int = 512 << 20,
    ) -> None:
        self.aet = aet
        self._archive = archive
        self._access = access
        self._asked_for = (host, port)
        self._maximum_associations = maximum_associations
        self._maximum_object_bytes = maximum_object_bytes
        self._services = Services(services)
        self._limits = Limits(
            processes=processes,
            associations=maximum_associations,
            associations_per_address=max(1, maximum_associations * 3 // 4),
            object_bytes=maximum_object_bytes,
            segment_bytes=journal_bytes // _SEGMENTS,
            segments=_SEGMENTS,
        )
        self._processes: Processes | None = None
        self._questions: Questions | None = None
        self._institutions: WeakKeyDictionary[Association, str] = WeakKeyDictionary()
        self._tls = tls
        self._server: NodeServer | None = None
        self._tls_server: NodeServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: the port that was bound, if 0 was asked for."""
        return self._asked_for if self._server is None else self._server.server_address[:2]

    @property
    def tls_address(self) -> tuple[str, int] | None:
        """Where it listens for TLS, None when it does not."""
        return None if self._tls_server is None else self._tls_server.server_address[:2]

    @property
    def is_listening(self) -> bool:
        """Whether it accepts associations."""
        return self._server is not None

    def start(self) -> None:
        """Bind, and begin to accept; on return a C-ECHO is answered.

        Raises
        ------
        Unavailable
            when a port is taken.
        Invalid
            when a certificate or key cannot be used.
        """
        secured = None if self._tls is None else context_of(self._tls)
        # pynetdicom's only switches for it, and the process's: accept any storage class; log no PDUs; send files from disk.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        _config.LOG_HANDLER_LEVEL = "none"
        _config.STORE_SEND_CHUNKED_DATASET = True
        ae = AE(self.aet)
        ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_associations = self._maximum_associations
        ae.maximum_pdu_size = MAXIMUM_PDU
        ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = ACSE_TIMEOUT_S, DIMSE_TIMEOUT_S, NETWORK_TIMEOUT_S
        for sop_class in (VERIFICATION, *self._services.sop_classes):
            # Who reports a storage commitment that we have asked for calls as its SCP, PS3.4 J.3.3.
            either = True if sop_class == PUSH_MODEL else None
            ae.add_supported_context(sop_class, list(SYNTAXES), scu_role=either, scp_role=either)
        handlers: Any = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_DIMSE_RECV, _message_ended),
            (evt.EVT_C_ECHO, lambda _event: echoed()),
            (evt.EVT_C_STORE, self._store),
        ]
        plain = self._listen(ae, self._asked_for, handlers, NodeServer)
        journal = self._archive.blobs.folder / "journal"
        self._questions = questions = Questions(
            self._services.answering,
            self._archive.arrivals,
            associations=self._limits.associations,
            per_address=self._limits.associations_per_address,
        )
        negotiation = Negotiation(MAXIMUM_PDU, questions.sop_classes)
        self._processes = Processes(
            self._archive,
            self._access,
            journal,
            limits=self._limits,
            negotiation=negotiation,
            questions=questions,
            hand_over=plain.take,
        )
        over_tls: Any = None
        try:
            if self._tls is not None:
                over_tls = self._listen(ae, (self._tls.host, self._tls.port), handlers, TlsNodeServer)
                over_tls.tls, over_tls.negotiation, over_tls.ask = secured, negotiation, self._ask
                over_tls.refused = self._access.refused
            self._processes.start(plain.socket)
        except BaseException:
            plain.close()
            if over_tls is not None:
                over_tls.close()
            raise
        self._server, self._tls_server = plain, over_tls
        if over_tls is not None:
            threading.Thread(target=over_tls.serve_forever, args=(0.1,), name="dicom-node-tls", daemon=True).start()

    def _listen(self, ae: AE, address: tuple[str, int], handlers: Any, kind: type[NodeServer]) -> Any:  # noqa: ANN401 - pynetdicom's own types
        try:
            server: Any = ae.make_server(address, evt_handlers=handlers, server_class=kind, request_handler=GuardedHandler)
        except OSError as error:
            host, port = address
            raise Unavailable(
                f"the DICOM port {host}:{port} cannot be used ({error.strerror}): choose another", code="port"
            ) from error
        server.maximum_object_bytes = self._maximum_object_bytes
        ae._servers.append(server)  # noqa: SLF001 - as AE.start_server does, which takes no request_handler
        return server

    def stop(self, seconds: float = 10) -> None:
        """Accept no more, let the open associations end within *seconds*, then abort what is left."""
        server, secured, self._server, self._tls_server = self._server, self._tls_server, None, None
        if server is None or self._processes is None or self._questions is None:
            return
        self._asked_for = server.server_address[:2]
        deadline = time.monotonic() + seconds
        server.close()
        if secured is not None:
            secured.shutdown()
        ending = threading.Thread(target=self._processes.stop, args=(seconds,), name="dicom-node-stop", daemon=True)
        ending.start()
        self._questions.stop(seconds)
        servers = [one for one in (server, secured) if one is not None]
        while (left := [one for each in servers for one in each.active_associations]) and time.monotonic() < deadline:
            time.sleep(0.05)
        for association in left:
            association.abort()
        ending.join()

    def _requested(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's Event, untyped
        """Answer an A-ASSOCIATE-RQ: remember whose it is, or turn it away."""
        association = event.assoc
        request = association.requestor.primitive
        calling, called = str(request.calling_ae_title).strip(), str(request.called_ae_title).strip()
        address = association.requestor.address
        admitted = self._access.admit(calling, called, address, certificate_of(association.dul.socket.socket))
        if isinstance(admitted, Reject):
            association.acse.send_reject(*admitted.value)
            association.kill()
        else:
            self._archive.arrivals.wait(_SECONDS_TO_CATCH_UP)
            self._institutions[association] = admitted
            self._services.attach(association, Caller(calling, address, admitted))

    def _ask(self, connection: socket.socket, address: str, proposal: Proposal) -> None:
        """Serve an association over TLS that only asks, or turn it away."""
        assert self._questions is not None
        calling, called = proposal.calling_aet, proposal.called_aet
        admitted = self._access.admit(calling, called, address, certificate_of(connection))
        if not isinstance(admitted, Reject):
            if self._questions.take(connection, Caller(calling, address, admitted), proposal):
                return
            admitted = Reject.TEMPORARILY_CONGESTED
            log.warning("%r from %s was sent away: there are as many associations as may be", calling, address)
        with suppress(OSError):
            connection.sendall(rejection(admitted))
        connection.close()

    def _store(self, event: Any) -> Dataset:  # noqa: ANN401 - pynetdicom's Event, untyped
        return store(
            self._archive,
            event.request,
            institution=self._institutions[event.assoc],
            transfer_syntax_uid=str(event.context.transfer_syntax),
            source=str(event.assoc.requestor.ae_title).strip(),
        )


def _message_ended(event: Any) -> None:  # noqa: ANN401 - pynetdicom's Event, untyped
    connection = event.assoc.dul.socket
    if isinstance(connection, GuardedSocket):
        connection.message_ended()
