"""Remote AEs: verification and storage SCU, PS3.4 Annexes A and B."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import AddressInformation

from dicom_node.archive.header import read_header
from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, read_preface
from dicom_node.connections import ClosingSocket, guard
from dicom_node.services.verification import VERIFICATION
from dicom_node.tls import certificate_of
from telemed.kernel.errors import Invalid, TelemedError, Unavailable

_PEER = re.compile(r"(?P<aet>[^@\\]{1,16})@(?P<host>\[[0-9a-fA-F:.]+\]|[^:@]+):(?P<port>\d{1,5})\Z")
#: Seconds a peer has for its answer, and the slowest line that a large object is waited for on top of them.
ANSWER_S, SLOWEST_BYTES_PER_S = 120, 16 << 10
#: What pydicom encodes anew without touching the pixels, and up to which size we let it.
_UNCOMPRESSED = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian})
MOST_ENCODED_ANEW = 256 << 20
_MAX_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255
#: SOP class and transfer syntaxes of each presentation context, in the order they are proposed.
_Contexts = dict[tuple[str, tuple[str, ...]], None]

#: done, total, and the file that was just answered for.
OnProgress = Callable[[int, int, Path], None]


@dataclass(frozen=True)
class Peer:
    """A remote AE, written AET@HOST:PORT; *tls* is how it is spoken to, None in the clear.

    *certificate_sha256* is then the certificate it has to show (hexadecimal), empty for any that its authority signed.
    """

    aet: str
    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, compare=False, repr=False)
    certificate_sha256: str = ""

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Understand AET@HOST:PORT, or raise Invalid."""
        match = _PEER.match(text)
        if match is None or not 0 < int(match["port"]) < 1 << 16:
            raise Invalid(
                f"{text!r} is not a DICOM peer: write it AET@HOST:PORT, for instance TELEMED@10.0.0.5:11112", code="peer"
            )
        return cls(match["aet"], match["host"].strip("[]"), int(match["port"]))

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Failure:
    """One file that did not arrive, and why, in a sentence."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Outcome:
    """How many files the peer acknowledged, and the others."""

    sent: int
    failures: tuple[Failure, ...]


class Unreached(str):
    """Why an object failed that the peer never answered for: it was not refused, and may be tried again as it is."""

    __slots__ = ()


class RefusedForGood(str):
    """Why an object failed that the peer will refuse whenever it is sent as it is."""

    __slots__ = ()


class NotTaken(Unavailable):
    """The peer is there and takes nothing of what it was offered: what else it is to get need not wait."""


_LOST = Unreached("the connection was lost before the peer answered")


@dataclass(frozen=True)
class Parcel:
    """One Part 10 file to send, and what a proposal needs to know of it."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    sop_instance_uid: str
    #: What an archive knows the file by; empty for any other file.
    digest: str = ""


#: Gives an object in an uncompressed transfer syntax as a file, for as long as the context lasts; or a TelemedError, why not.
Rewrite = Callable[[Parcel, str], AbstractContextManager[Path]]


@dataclass(frozen=True)
class Origin:
    """Whose C-MOVE a C-STORE belongs to: PS3.7 9.1.1.1, Move Originator."""

    aet: str
    message_id: int


def echo(peer: Peer, *, calling_aet: str = "TELEMED") -> None:
    """Return when *peer* has answered a C-ECHO; raise Unavailable, saying what went wrong, when it has not."""
    association = associate(peer, [build_context(VERIFICATION)], calling_aet)
    try:
        status = association.send_c_echo()
    finally:
        association.release()
    if "Status" not in status or status.Status != 0:
        raise Unavailable(f"{peer} did not answer the C-ECHO", code="peer")


def send(files: Iterable[Path], peer: Peer, on_progress: OnProgress | None = None, *, calling_aet: str = "TELEMED") -> Outcome:
    """Send *files* (Part 10) by C-STORE as they are, without transcoding and without loading them.

    Each file is proposed in its own transfer syntax; more than 128 pairs of class and syntax take several associations.
    A connection lost on the way is opened again for the rest, once per file that made progress.
    """
    listed = list(files)
    failures: list[Failure] = []
    done = 0

    def progress(path: Path) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, len(listed), path)

    parcels: list[Parcel] = []
    for path in listed:
        try:
            parcels.append(parcel_of(path))
        except (Invalid, OSError) as error:
            failures.append(Failure(path, getattr(error, "sentence", "") or f"it cannot be read: {error}"))
            progress(path)
    for parcel, reason in deliver(parcels, peer, calling_aet):
        if reason:
            failures.append(Failure(parcel.path, reason))
        progress(parcel.path)
    return Outcome(len(listed) - len(failures), tuple(failures))


def parcel_of(path: Path) -> Parcel:
    """Read the little that a proposal needs; the file itself stays on disk. Invalid when it is not DICOM of Part 10."""
    data = memoryview(path.read_bytes())
    before = read_preface(data)
    if before.length == 0:
        raise Invalid("it has no File Meta Information; upload it instead of sending it", code="unreadable")
    header = read_header(data[before.length :], before.transfer_syntax_uid)
    return Parcel(path, header.sop_class_uid, before.transfer_syntax_uid, header.sop_instance_uid)


def _batches(parcels: Iterable[Parcel], proposed: Callable[[Parcel], _Contexts]) -> Iterator[tuple[list[Parcel], _Contexts]]:
    """Part the files, in order, so that each part needs at most 128 presentation contexts; yield it with them."""
    batch: list[Parcel] = []
    needed: _Contexts = {}
    for parcel in parcels:
        with_it = needed | proposed(parcel)
        if len(with_it) > _MAX_CONTEXTS:
            yield batch, needed
            batch, with_it = [], proposed(parcel)
        batch.append(parcel)
        needed = with_it
    if batch:
        yield batch, needed


class Line:
    """The connection that a `deliver` has at the moment, for another thread to end: a peer may hang for minutes."""

    def __init__(self) -> None:
        self._held: tuple[Association, socket.socket | None] | None = None

    def hold(self, association: Association, connection: socket.socket | None) -> None:
        """Remember what is open."""
        self._held = association, connection

    def hang_up(self) -> None:
        """End it; whoever waits on it learns that it is lost."""
        if self._held is not None:
            _abandon(*self._held)


def deliver(
    parcels: Iterable[Parcel],
    peer: Peer,
    calling_aet: str,
    *,
    origin: Origin | None = None,
    line: Line | None = None,
    rewrite: Rewrite | None = None,
) -> Generator[tuple[Parcel, str]]:
    """Send *parcels* in their order and yield each with why it failed, an empty text when the peer has it.

    What failed because the peer could not be reached, or left, is `Unreached`; what it cannot understand, `RefusedForGood`.
    One association serves as long as it lasts and its 128 contexts suffice. Whoever stops asking ends the sending. With
    *rewrite* a compressed object is offered uncompressed, too, and goes so where the peer refuses it as it is.
    """
    for batch, needed in _batches(parcels, partial(_proposed, rewritable=rewrite is not None)):
        contexts = [build_context(UID(sop_class), list(syntaxes)) for sop_class, syntaxes in needed]
        opening, storing = partial(associate, peer, contexts, calling_aet), partial(store, origin=origin, rewrite=rewrite)
        yield from _sent(batch, opening, storing, line or Line())


def _sent(
    batch: list[Parcel], opening: Callable[[], Association], storing: Callable[..., str], line: Line
) -> Generator[tuple[Parcel, str]]:
    association: Association | None = None
    connection: socket.socket | None = None
    try:
        for number, parcel in enumerate(batch):
            if association is None or not association.is_established:
                try:
                    association = opening()
                    connection = None if association.dul.socket is None else association.dul.socket.socket
                    line.hold(association, connection)
                except NotTaken:
                    yield from ((left, _not_taken(left)) for left in batch[number:])
                    return
                except Unavailable as error:
                    yield from ((left, Unreached(error.sentence)) for left in batch[number:])
                    return
            reason = storing(association, parcel, message_id=number % 65_535 + 1)
            if reason == _LOST:
                _abandon(association, connection)
                association = None
            yield parcel, reason
    finally:
        if association is not None and association.is_established:
            association.release()


def _abandon(association: Association, connection: socket.socket | None) -> None:
    """End what is lost: pynetdicom may not have noticed, would wait for the next answer, and leaves a reset socket open."""
    if connection is not None:
        with suppress(OSError):  # ends a send that the peer does not read, too
            connection.shutdown(socket.SHUT_RDWR)
    association.abort()
    if connection is not None:
        connection.close()


def store(
    association: Association,
    parcel: Parcel,
    *,
    message_id: int = 1,
    origin: Origin | None = None,
    rewrite: Rewrite | None = None,
) -> str:
    """Send one file by C-STORE and return why it failed, an empty text when the peer has it.

    It goes as it is where the peer took its transfer syntax, else as *rewrite* gives it in an uncompressed one that the peer
    did take. Without *rewrite* only an uncompressed one is encoded anew, for which it has to fit into memory.
    """
    title, number = (None, None) if origin is None else (origin.aet, origin.message_id)
    with suppress(OSError):  # pynetdicom counts from before the object is sent
        association.dimse_timeout = ANSWER_S + parcel.path.stat().st_size / SLOWEST_BYTES_PER_S

    def sent(what: Path | Dataset) -> Dataset:
        return association.send_c_store(what, msg_id=message_id, originator_aet=title, originator_id=number)

    taken, own = _taken(association, parcel.sop_class_uid), parcel.transfer_syntax_uid
    plain = next((syntax for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian) if syntax in taken), "")
    try:
        if own in taken:
            status = sent(parcel.path)
        elif plain and rewrite is not None:
            with rewrite(parcel, plain) as path:
                status = sent(path)
        elif plain and own in _UNCOMPRESSED and parcel.path.stat().st_size <= MOST_ENCODED_ANEW:
            status = sent(dcmread(parcel.path))
        else:
            return _not_taken(parcel)
    except TelemedError as error:
        return f"it had to be sent uncompressed: {error.sentence}"
    except (RuntimeError, ValueError, AttributeError, OSError, KeyError, NotImplementedError) as error:
        return f"it could not be sent: {error}"
    if "Status" not in status:
        return _LOST
    if status.Status == 0 or status.Status & 0xF000 == 0xB000:  # PS3.4 Table B.2-1: a warning says it is stored
        return ""
    reason = f"the peer refused it with status {status.Status:04X}: {status.get('ErrorComment', '') or 'no comment'}"
    return RefusedForGood(reason) if is_for_good(status.Status) else reason


def is_for_good(status: int) -> bool:
    """Tell whether a C-STORE status speaks of the object itself (PS3.4 Table B.2-1): A9xx does not match its class, Cxxx."""
    return status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000


def _not_taken(parcel: Parcel) -> str:
    return f"the peer does not take {UID(parcel.sop_class_uid).name} in {UID(parcel.transfer_syntax_uid).name}"


def _proposed(parcel: Parcel, *, rewritable: bool) -> _Contexts:
    """Return what to propose for an object: its own transfer syntax, and the default of PS3.5 10.1 where it can be had."""
    own, sop_class = parcel.transfer_syntax_uid, parcel.sop_class_uid
    if own in _UNCOMPRESSED:
        return {(sop_class, tuple(dict.fromkeys((own, ImplicitVRLittleEndian)))): None}
    contexts: _Contexts = {(sop_class, (own,)): None}
    return contexts | ({(sop_class, (ExplicitVRLittleEndian, ImplicitVRLittleEndian)): None} if rewritable else {})


def _taken(association: Association, sop_class_uid: str) -> set[str]:
    """Return the transfer syntaxes in which the peer takes objects of a class."""
    return {
        str(context.transfer_syntax[0])
        for context in association.accepted_contexts
        if context.abstract_syntax == sop_class_uid and context.as_scu
    }


class _Caller(AE):
    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> ClosingSocket:
        guard(assoc)
        connection = ClosingSocket(assoc, address=address)
        connection.tls_args = tls_args
        return connection


def associate(
    peer: Peer,
    contexts: list[PresentationContext],
    calling_aet: str,
    *,
    negotiation: list[SCP_SCU_RoleSelectionNegotiation] | None = None,
) -> Association:
    """Associate with *peer*, or raise Unavailable, saying why it could not be; NotTaken where it accepts none of *contexts*."""
    try:  # pynetdicom does not say why a connection failed
        socket.create_connection((peer.host, peer.port), timeout=10).close()
    except OSError as error:
        why = error.strerror or "no answer"
        raise Unavailable(f"{peer} cannot be reached ({why}): is it running, and is the address right?", code="peer") from error
    # pynetdicom's only switch for it, and the process's: a file is sent from disk, its data set never decoded.
    _config.STORE_SEND_CHUNKED_DATASET = True
    ae = _Caller(calling_aet)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout, ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = 10, 30, ANSWER_S, ANSWER_S
    rejections: list[A_ASSOCIATE_RJ] = []

    def note_rejection(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejections.append(event.pdu)

    association = ae.associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.aet,
        ext_neg=list(negotiation or []),
        tls_args=None if peer.tls is None else (peer.tls, peer.host),
        # A rejection that comes before pynetdicom looks whether it is connected is an abort to it.
        evt_handlers=[(evt.EVT_PDU_RECV, note_rejection)],
    )
    if association.is_established:
        association.unbind(evt.EVT_PDU_RECV, note_rejection)
        if not peer.certificate_sha256 or _shown(association) == peer.certificate_sha256:
            return association
        association.abort()
        raise Unavailable(f"{peer} shows another certificate than it was entered with", code="peer")
    if association.dul.socket is not None:  # pynetdicom leaves it open where the peer was the first to close
        association.dul.socket.close()
    for rejection in rejections:
        raise Unavailable(f"{peer} rejected the association: {_reason(rejection, peer, calling_aet)}", code="peer")
    if association.rejected_contexts:
        raise NotTaken(f"{peer} takes nothing of what it was offered", code="peer")
    raise Unavailable(f"{peer} ended the association before it began", code="peer")


def _reason(rejection: A_ASSOCIATE_RJ, peer: Peer, calling_aet: str) -> str:
    """Return what the source and reason of *rejection* mean (PS3.8 9.3.4)."""
    match rejection.source, rejection.reason_diagnostic:
        case 1, 3:
            return f"it does not know {calling_aet}"
        case 1, 7:
            return f"it does not answer to {peer.aet}"
        case 3, 1 | 2:
            return "it has too many associations now"
        case source, reason:
            return f"source {source}, reason {reason}"


def _shown(association: Association) -> str:
    """Return the SHA-256 of the certificate that the other side has shown, empty when it has shown none."""
    shown = certificate_of(None if association.dul.socket is None else association.dul.socket.socket)
    return "" if shown is None else shown.sha256
