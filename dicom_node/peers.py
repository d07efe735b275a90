"""Remote AEs: verification and storage SCU, PS3.4 Annexes A and B."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from dicom_node.archive.header import read_header
from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, read_preface
from dicom_node.services.verification import VERIFICATION
from telemed.kernel.errors import Invalid, Unavailable

_PEER = re.compile(r"(?P<aet>[^@\\]{1,16})@(?P<host>\[[0-9a-fA-F:.]+\]|[^:@]+):(?P<port>\d{1,5})\Z")
_LOST = "the connection was lost before the peer answered"
_MAX_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255

#: done, total, and the file that was just answered for.
OnProgress = Callable[[int, int, Path], None]


@dataclass(frozen=True)
class Peer:
    """A remote AE, written AET@HOST:PORT."""

    aet: str
    host: str
    port: int

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


@dataclass(frozen=True)
class _Parcel:
    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str


def echo(peer: Peer, *, calling_aet: str = "TELEMED") -> None:
    """Return when *peer* has answered a C-ECHO; raise Unavailable, saying what went wrong, when it has not."""
    association = _associate(peer, [build_context(VERIFICATION)], calling_aet)
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

    parcels: list[_Parcel] = []
    for path in listed:
        try:
            parcels.append(_parcel(path))
        except (Invalid, OSError) as error:
            failures.append(Failure(path, getattr(error, "sentence", "") or f"it cannot be read: {error}"))
            progress(path)
    for batch in _batches(parcels):
        for path, reason in _sent(batch, peer, calling_aet):
            if reason:
                failures.append(Failure(path, reason))
            progress(path)
    return Outcome(len(listed) - len(failures), tuple(failures))


def _parcel(path: Path) -> _Parcel:
    """Read the little that a proposal needs; the file itself stays on disk."""
    data = memoryview(path.read_bytes())
    before = read_preface(data)
    if before.length == 0:
        raise Invalid("it has no File Meta Information; upload it instead of sending it", code="unreadable")
    header = read_header(data[before.length :], before.transfer_syntax_uid)
    return _Parcel(path, header.sop_class_uid, before.transfer_syntax_uid)


def _batches(parcels: Iterable[_Parcel]) -> Iterator[list[_Parcel]]:
    """Part the files, in order, so that each part needs at most 128 presentation contexts."""
    batch: list[_Parcel] = []
    pairs: set[tuple[str, str]] = set()
    for parcel in parcels:
        pair = (parcel.sop_class_uid, parcel.transfer_syntax_uid)
        if len(pairs | {pair}) > _MAX_CONTEXTS:
            yield batch
            batch, pairs = [], set()
        batch.append(parcel)
        pairs.add(pair)
    if batch:
        yield batch


def _sent(batch: list[_Parcel], peer: Peer, calling_aet: str) -> Iterator[tuple[Path, str]]:
    """Yield each file with why it failed, an empty text when the peer has it."""
    pairs = dict.fromkeys((parcel.sop_class_uid, parcel.transfer_syntax_uid) for parcel in batch)
    contexts = [build_context(UID(sop_class), UID(syntax)) for sop_class, syntax in pairs]
    association: Association | None = None
    connection: socket.socket | None = None
    try:
        for number, parcel in enumerate(batch):
            if association is None or not association.is_established:
                try:
                    association = _associate(peer, contexts, calling_aet)
                    connection = None if association.dul.socket is None else association.dul.socket.socket
                except Unavailable as error:
                    yield from ((left.path, error.sentence) for left in batch[number:])
                    return
            reason = _stored(association, parcel)
            if reason == _LOST:
                _abandon(association, connection)
                association = None
            yield parcel.path, reason
    finally:
        if association is not None and association.is_established:
            association.release()


def _abandon(association: Association, connection: socket.socket | None) -> None:
    """End what is lost: pynetdicom may not have noticed, would wait for the next answer, and leaves a reset socket open."""
    association.abort()
    if connection is not None:
        connection.close()


def _stored(association: Association, parcel: _Parcel) -> str:
    try:
        status = association.send_c_store(parcel.path)
    except ValueError:
        return f"the peer does not take {UID(parcel.sop_class_uid).name} in {UID(parcel.transfer_syntax_uid).name}"
    except (RuntimeError, AttributeError, OSError) as error:
        return f"it could not be sent: {error}"
    if "Status" not in status:
        return _LOST
    if status.Status == 0 or status.Status & 0xF000 == 0xB000:  # PS3.4 Table B.2-1: a warning says it is stored
        return ""
    return f"the peer refused it with status {status.Status:04X}: {status.get('ErrorComment', '') or 'no comment'}"


def _associate(peer: Peer, contexts: list[PresentationContext], calling_aet: str) -> Association:
    try:  # pynetdicom does not say why a connection failed, and leaves its socket open
        socket.create_connection((peer.host, peer.port), timeout=10).close()
    except OSError as error:
        why = error.strerror or "no answer"
        raise Unavailable(f"{peer} cannot be reached ({why}): is it running, and is the address right?", code="peer") from error
    # pynetdicom's only switch for it, and the process's: a file is sent from disk, its data set never decoded.
    _config.STORE_SEND_CHUNKED_DATASET = True
    ae = AE(calling_aet)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout, ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = 10, 30, 120, 120
    association = ae.associate(peer.host, peer.port, contexts=contexts, ae_title=peer.aet)
    if association.is_established:
        return association
    if association.is_rejected:
        raise Unavailable(f"{peer} rejected the association: it does not know {calling_aet} or its own name", code="peer")
    raise Unavailable(f"{peer} ended the association before it began", code="peer")
