"""What goes where."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, delete, func, insert, select

from dicom_node.archive.tables import WRITTEN_HERE
from dicom_node.tables import forwarding_destination_table, forwarding_rule_table, peer_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound

#: Each destination has a thread of its own.
MOST_DESTINATIONS = 64
#: Whose cursor of the event log it is that the rules are applied from.
FOLLOWER = "forwarding"


@dataclass(frozen=True)
class Rule:
    """Objects of *institution* and *modality* (DICOM 0008,0060), empty for any, go to the peer *ae_title*.

    With *reports* only what the house has written itself: the signed reports about the institution's studies.
    """

    ae_title: str
    institution: str = ""
    modality: str = ""
    reports: bool = False

    def fits(self, institution: str, modality: str, source: str) -> bool:
        """Tell whether an object of these goes there."""
        fits = self.institution in ("", institution) and self.modality in ("", modality)
        return fits and (source == WRITTEN_HERE or not self.reports)


def rules(db: Connection) -> list[Rule]:
    """Return every rule, by destination."""
    columns = [forwarding_rule_table.c[one.name] for one in fields(Rule)]
    return [Rule(*row) for row in db.execute(select(*columns).order_by(*columns))]


def add_rule(db: Connection, chronicle: Chronicle, rule: Rule, *, actor: str) -> None:
    """Let *rule* hold for whatever arrives from now on.

    Raises
    ------
    NotFound
        when the destination is no peer.
    Invalid
        when the destination is for one institution's objects only, and the rule names another, or any.
    Conflict
        when the rule is there already, or there are too many destinations.
    """
    peer = db.execute(select(peer_table).where(peer_table.c.ae_title == rule.ae_title)).first()
    if peer is None:
        raise NotFound(f"there is no peer {rule.ae_title!r}; `telemed peer add` enters it", code="peer")
    if peer.institution not in ("", rule.institution):
        raise Invalid(f"{rule.ae_title} is one institution's own: name that institution in the rule", code="institution")
    known = rules(db)
    if rule in known:
        raise Conflict("this rule is there already", code="rule")
    if len({one.ae_title for one in known} | {rule.ae_title}) > MOST_DESTINATIONS:
        raise Conflict(f"at most {MOST_DESTINATIONS} destinations can be forwarded to", code="destinations")
    if not known:  # nobody has followed the log so far
        chronicle.events.advance(db, FOLLOWER, chronicle.events.latest())
    db.execute(insert(forwarding_rule_table).values(id=new_id(), **asdict(rule)))
    destination = forwarding_destination_table
    if db.execute(select(func.count()).where(destination.c.ae_title == rule.ae_title)).scalar_one() == 0:
        begun = {"failures": 0, "try_at": chronicle.clock.now(), "error": "", "sent": 0}
        db.execute(insert(destination).values(ae_title=rule.ae_title, **begun))
    _enter(db, chronicle, "ForwardingRuleAdded", rule, actor)


def remove_rule(db: Connection, chronicle: Chronicle, rule: Rule, *, actor: str) -> None:
    """Let *rule* hold no more; what it has queued is still sent. NotFound when there is none like it."""
    table = forwarding_rule_table
    same = (table.c[name] == value for name, value in vars(rule).items())
    if db.execute(delete(table).where(*same)).rowcount == 0:
        raise NotFound("there is no such rule; `telemed forward list` names them", code="rule")
    _enter(db, chronicle, "ForwardingRuleRemoved", rule, actor)


def _enter(db: Connection, chronicle: Chronicle, type_: str, rule: Rule, actor: str) -> None:
    chronicle.enter(db, type_, rule.ae_title, asdict(rule), actor=actor, institution=rule.institution, entity="Device")
