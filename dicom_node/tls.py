"""DICOM over TLS, PS3.15 Annex B: both sides show a certificate, and a caller's certificate must name its AE title."""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from dicom_node.access import Certificate
from dicom_node.connections import NodeServer
from dicom_node.refusals import Refusal
from dicom_node.upper_layer.lobby import SECONDS_TO_ASK, wanted
from dicom_node.upper_layer.messages import ABORTED, Malformed
from dicom_node.upper_layer.negotiation import Negotiation, Proposal
from telemed.kernel.errors import Invalid

log = logging.getLogger(__name__)

#: How long a stranger may take to shake hands; each does so in a thread of its own.
HANDSHAKE_S = 10.0


@dataclass(frozen=True)
class TlsSettings:
    """Where TLS is listened for, our certificate and key (PEM), and the authority that signs the callers' certificates."""

    host: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context that takes TLS 1.2 (BCP 195) and newer, and only callers with a certificate.

    Raises
    ------
    Invalid
        naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"the certificate {settings.certificate} or its key {settings.key} cannot be used: {error}") from error
    try:
        context.load_verify_locations(settings.client_ca)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"the authority for callers' certificates {settings.client_ca} cannot be used: {error}") from error
    return context


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return a context that calls a peer whose certificate *ca* signed, and shows ours when there is one.

    The host's name is not looked for in it: a DICOM node's certificate names its AE title, and its authority is the house's.
    Invalid names the file that cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"the authority for the peer's certificate {ca} cannot be used: {error}") from error
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"the certificate {certificate} or its key {key} cannot be used: {error}") from error
    return context


def certificate_of(connection: socket.socket | None) -> Certificate | None:
    """Return the certificate that the other side has shown, with its common and DNS names; None without TLS."""
    if not isinstance(connection, ssl.SSLSocket):
        return None
    certificate: dict[str, Any] = connection.getpeercert() or {}
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    names = {value for kind, value in subject if kind == "commonName"}
    names |= {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    return Certificate(frozenset(names), hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest())


def fingerprint_of(file: Path) -> str:
    """Return the SHA-256 of the certificate in *file* (PEM or DER) in hexadecimal; Invalid when it holds none."""
    try:
        content = file.read_bytes()
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
        return load(content).fingerprint(hashes.SHA256()).hex()
    except (OSError, ValueError) as error:
        raise Invalid(f"{file} cannot be read as a certificate: give it as PEM or DER", code="certificate") from error


def fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as it is kept, however it was written (with colons, in capitals); Invalid when it is none."""
    digits = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise Invalid(f"{text!r} is no SHA-256 fingerprint: write its 64 hexadecimal digits", code="certificate")
    return digits


class TlsNodeServer(NodeServer):
    """A listening socket whose callers shake hands and ask in their own threads: a silent one holds up nobody else."""

    tls: ssl.SSLContext
    negotiation: Negotiation
    #: Is told of who gets no further than the handshake.
    refused: Callable[[Refusal], None]
    #: Serves a request that only asks, and may turn it away.
    ask: Callable[[socket.socket, str, Proposal], None]

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own
        """Shake hands and read what is asked; then go on as without TLS, but only with what can be understood."""
        request.settimeout(HANDSHAKE_S)
        try:
            wrapped = self.tls.wrap_socket(request, server_side=True)
        except OSError as error:
            if isinstance(error, ssl.SSLError):  # no certificate, the wrong one, somebody who does not speak TLS
                self.refused(Refusal("", "", client_address[0], f"TLS: {error.reason or 'no handshake'}"))
            self.shutdown_request(request)
            return
        try:
            asked = _asked(wrapped)
            proposal = self.negotiation.read(asked)
        except OSError:
            self.shutdown_request(wrapped)
        except (ValueError, Malformed) as error:
            log.warning("a connection from %s over TLS was ended: %s", client_address[0], error)
            with suppress(OSError):
                wrapped.send(ABORTED)
            self.shutdown_request(wrapped)
        else:
            if proposal is not None and proposal.asks:
                self.ask(wrapped, client_address[0], proposal)
                return
            self.requests[wrapped] = asked
            super().finish_request(wrapped, client_address)


def _asked(connection: ssl.SSLSocket) -> bytes:
    """Read an A-ASSOCIATE-RQ; OSError when none comes in time, ValueError when what comes is none."""
    request, deadline = bytearray(), time.monotonic() + SECONDS_TO_ASK
    while (left := wanted(request)) > 0:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        some = connection.recv(left)
        if not some:
            raise ConnectionResetError
        request += some
    connection.settimeout(None)
    return bytes(request)
