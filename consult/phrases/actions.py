"""What may be done with a phrase: keep one, change it, remove it, and take any of that back.

Every change writes a further version; a version that was is brought back by writing it once more.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from consult.phrases.model import MOST_KEPT, PhraseKind, PhraseWording, checked
from consult.phrases.tables import phrase_table, version_table
from consult.phrases.views import wording_from
from consult.practitioners.model import Role, Viewer
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, NotFound, Refused

#: Who words what a whole hospital uses.
WRITERS = frozenset({Role.RADIOLOGIST, Role.CARDIOLOGIST, Role.COORDINATOR})

_PHRASE, _VERSION = phrase_table.c, version_table.c


def add(
    db: Connection,
    chronicle: Chronicle,
    kind: PhraseKind,
    wording: PhraseWording,
    *,
    shared: bool,
    based_on: str | None = None,
    by: Viewer,
) -> str:
    """Keep a phrase, one's own or *shared* with one's hospital, and return its id.

    Raises Invalid for a wording it cannot have, Refused for somebody who writes no reports, Conflict when there are too many.
    """
    if not by.roles & WRITERS:
        raise Refused("only who writes reports keeps phrases for them", code="role")
    wording, id_ = checked(kind, wording), new_id()
    owner = None if shared else by.practitioner_id
    beside = (_PHRASE.institution_id == by.institution_id) & _PHRASE.practitioner_id.is_not_distinct_from(owner)
    if db.execute(select(func.count()).where(beside, _PHRASE.removed_at.is_(None))).scalar_one() >= MOST_KEPT:
        raise Conflict(f"there are {MOST_KEPT} phrases already: remove one first", code="phrase-too-many")
    row = {"kind": kind, "institution_id": by.institution_id, "practitioner_id": owner, "based_on": based_on, "version": 1}
    db.execute(insert(phrase_table).values(id=id_, **row))
    _keep(db, chronicle, id_, 1, wording, by)
    _enter(db, chronicle, "PhraseAdded", id_, by, version=1, phrase=kind, shared=shared)
    return id_


def change(
    db: Connection, chronicle: Chronicle, phrase_id: str, wording: PhraseWording, expected_version: int | None, *, by: Viewer
) -> None:
    """Let a phrase say *wording* from now on; Conflict when it was changed since *expected_version* (None: whatever it was)."""
    found = _mine(db, phrase_id, by)
    if expected_version is not None and expected_version != found.version:
        raise Conflict(f"this phrase was changed meanwhile (version {found.version}): load it again", code="phrase-stale")
    wording = checked(PhraseKind(found.kind), wording)
    _change(db, found, version=found.version + 1)
    _keep(db, chronicle, phrase_id, found.version + 1, wording, by)
    _enter(db, chronicle, "PhraseChanged", phrase_id, by, version=found.version + 1)


def remove(db: Connection, chronicle: Chronicle, phrase_id: str, *, by: Viewer) -> None:
    """Offer a phrase no more; it can be brought back. Removing it again changes nothing."""
    found = _mine(db, phrase_id, by)
    if found.removed_at is None:
        _change(db, found, removed_at=chronicle.clock.now())
        _enter(db, chronicle, "PhraseRemoved", phrase_id, by, version=found.version)


def restore(db: Connection, chronicle: Chronicle, phrase_id: str, version: int, *, by: Viewer) -> None:
    """Let a phrase say again what it said in *version*, and offer it again where it was removed; NotFound for no such version."""
    found = _mine(db, phrase_id, by)
    then = (_VERSION.phrase_id == phrase_id) & (_VERSION.version == version)
    wording = db.scalar(select(_VERSION.wording).where(then))
    if wording is None:
        raise NotFound("there is no such version of this phrase", code="phrase")
    now = found.version + (version != found.version)
    _change(db, found, version=now, removed_at=None)
    if now != found.version:
        _keep(db, chronicle, phrase_id, now, wording_from(wording), by)
    _enter(db, chronicle, "PhraseRestored", phrase_id, by, version=now, restored=version)


def _mine(db: Connection, phrase_id: str, by: Viewer) -> Row[Any]:
    mine = (_PHRASE.id == phrase_id) & (_PHRASE.institution_id == by.institution_id)
    found = db.execute(select(phrase_table).where(mine).with_for_update()).first()
    if found is None or found.practitioner_id not in (None, by.practitioner_id) or not by.roles & WRITERS:
        raise NotFound("there is no such phrase of yours, or of your hospital", code="phrase")
    return found


def _change(db: Connection, found: Row[Any], **values: object) -> None:
    as_found = (_PHRASE.id == found.id) & (_PHRASE.version == found.version)
    if db.execute(update(phrase_table).where(as_found).values(values)).rowcount == 0:
        raise Conflict("this phrase was changed at the same moment: load it again", code="phrase-stale")


def _keep(db: Connection, chronicle: Chronicle, phrase_id: str, version: int, wording: PhraseWording, by: Viewer) -> None:  # noqa: PLR0917 - a row
    row = {"wording": asdict(wording), "changed_at": chronicle.clock.now(), "changed_by": by.practitioner_id}
    db.execute(insert(version_table).values(phrase_id=phrase_id, version=version, **row))


def _enter(db: Connection, chronicle: Chronicle, type_: str, phrase_id: str, by: Viewer, **news: object) -> None:
    data = {"phrase_id": phrase_id, "institution": by.institution_id, **news}
    chronicle.enter(db, type_, phrase_id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Phrase")
