"""The directory of remote AEs: where the destinations of C-MOVE and of storage commitment reports are reached."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from dicom_node.peers import Peer
from dicom_node.tables import forwarding_rule_table, forwarding_table, peer_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, NotFound


@dataclass(frozen=True)
class Entry:
    """One remote AE; an empty *institution* makes it a destination for everybody's equipment."""

    peer: Peer
    institution: str


def add_peer(db: Connection, chronicle: Chronicle, peer: Peer, *, institution: str, actor: str) -> None:
    """Enter *peer*; Conflict when its AE title is already entered."""
    if _entry(db, peer.aet) is not None:
        raise Conflict(f"there is already a peer {peer.aet}; remove it first", code="peer")
    row = {"ae_title": peer.aet, "host": peer.host, "port": peer.port, "institution": institution}
    db.execute(insert(peer_table).values(id=new_id(), **row))
    chronicle.enter(db, "PeerAdded", peer.aet, row, actor=actor, institution=institution, entity="Device")


def remove_peer(db: Connection, chronicle: Chronicle, ae_title: str, *, actor: str) -> None:
    """Strike a peer out; NotFound when it is not entered, Conflict while anything is forwarded to it."""
    entry = _entry(db, ae_title)
    if entry is None:
        raise NotFound(f"there is no peer {ae_title!r}; `telemed peer list` names them", code="peer")
    for table in (forwarding_rule_table, forwarding_table):
        if db.execute(select(table.c.ae_title).where(table.c.ae_title == ae_title).limit(1)).first() is not None:
            raise Conflict(f"objects are forwarded to {ae_title}: remove its rules and cancel its queue first", code="forwarding")
    db.execute(delete(peer_table).where(peer_table.c.ae_title == ae_title))
    chronicle.enter(
        db, "PeerRemoved", ae_title, {"ae_title": ae_title}, actor=actor, institution=entry.institution, entity="Device"
    )


def peers(db: Connection) -> list[Entry]:
    """Return every entry by AE title."""
    rows = db.execute(select(peer_table).order_by(peer_table.c.ae_title))
    return [Entry(Peer(row.ae_title, row.host, row.port), row.institution) for row in rows]


def peer_of(db: Connection, ae_title: str, institution: str) -> Peer | None:
    """Return where *ae_title* is reached, None when it is unknown or not for *institution*'s equipment."""
    entry = _entry(db, ae_title)
    return entry.peer if entry is not None and entry.institution in ("", institution) else None


def _entry(db: Connection, ae_title: str) -> Entry | None:
    row = db.execute(select(peer_table).where(peer_table.c.ae_title == ae_title)).first()
    return None if row is None else Entry(Peer(row.ae_title, row.host, row.port), row.institution)
