"""The directory of remote AEs: the destinations of C-MOVE, of forwarding and of storage commitment reports."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from dicom_node.peers import Peer
from dicom_node.tables import forwarding_rule_table, forwarding_table, peer_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, NotFound, Unavailable


@dataclass(frozen=True)
class Entry:
    """One remote AE; an empty *institution* makes it a destination for everybody's equipment.

    *tls*: it is spoken to over TLS, and shows the certificate with this SHA-256, or any that our authority signed where
    that is empty. *commits*: what is forwarded to it is done once it has committed to keep it.
    """

    ae_title: str
    host: str
    port: int
    institution: str = ""
    tls: bool = False
    certificate_sha256: str = ""
    commits: bool = False

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"{self.host}:{self.port}"


def add_peer(db: Connection, chronicle: Chronicle, entry: Entry, *, actor: str) -> None:
    """Enter a remote AE; Conflict when its AE title is already entered."""
    if entry_of(db, entry.ae_title) is not None:
        raise Conflict(f"there is already a peer {entry.ae_title}; remove it first", code="peer")
    row = vars(entry)
    db.execute(insert(peer_table).values(id=new_id(), **row))
    chronicle.enter(db, "PeerAdded", entry.ae_title, row, actor=actor, institution=entry.institution, entity="Device")


def remove_peer(db: Connection, chronicle: Chronicle, ae_title: str, *, actor: str) -> None:
    """Strike a peer out; NotFound when it is not entered, Conflict while anything is forwarded to it."""
    entry = entry_of(db, ae_title)
    if entry is None:
        raise NotFound(f"there is no peer {ae_title!r}; `telemed peer list` names them", code="peer")
    for table in (forwarding_rule_table, forwarding_table):
        if db.execute(select(table.c.ae_title).where(table.c.ae_title == ae_title).limit(1)).first() is not None:
            raise Conflict(f"objects are forwarded to {ae_title}: remove its rules and cancel its queue first", code="forwarding")
    db.execute(delete(peer_table).where(peer_table.c.ae_title == ae_title))
    chronicle.enter(
        db, "PeerRemoved", ae_title, {"ae_title": ae_title}, actor=actor, institution=entry.institution, entity="Device"
    )


def entries(db: Connection) -> list[Entry]:
    """Return every entry by AE title."""
    return [_entry(row) for row in db.execute(select(peer_table).order_by(peer_table.c.ae_title))]


def entry_of(db: Connection, ae_title: str) -> Entry | None:
    """Return one entry, None when there is none."""
    row = db.execute(select(peer_table).where(peer_table.c.ae_title == ae_title)).first()
    return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.ae_title, row.host, row.port, row.institution, row.tls, row.certificate_sha256, row.commits)


@dataclass(frozen=True)
class Directory:
    """How remote AEs are reached; *tls* is how those are spoken to that want it, None where that is not set up."""

    tls: ssl.SSLContext | None = None

    def peer_of(self, db: Connection, ae_title: str, institution: str) -> Peer | None:
        """Return how *ae_title* is reached, None when it is unknown or not for *institution*'s equipment.

        Unavailable when it wants TLS and we have no certificate.
        """
        entry = entry_of(db, ae_title)
        return self.peer(entry) if entry is not None and entry.institution in ("", institution) else None

    def peer(self, entry: Entry) -> Peer:
        """Return how *entry* is reached; Unavailable as in `peer_of`."""
        if not entry.tls:
            return Peer(entry.ae_title, entry.host, entry.port)
        if self.tls is None:
            raise Unavailable(
                f"{entry.ae_title} is spoken to over TLS: set dicom_tls_certificate, dicom_tls_key and dicom_tls_client_ca",
                code="peer",
            )
        return Peer(entry.ae_title, entry.host, entry.port, tls=self.tls, certificate_sha256=entry.certificate_sha256)
