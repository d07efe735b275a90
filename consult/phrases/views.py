"""Phrases as a viewer is offered them: all of them, those that fit a task, and what one said before."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from consult.phrases.built_in import built_in
from consult.phrases.matching import fits, in_order, regions_in
from consult.phrases.model import Keeper, Phrase, PhraseKind, PhraseVersion, PhraseWording, Region
from consult.phrases.tables import phrase_table, version_table
from consult.practitioners.model import Viewer
from consult.practitioners.views import people_by_id
from consult.queue.views import task as task_of
from consult.requests.model import Lane
from dicom_node.archive import index
from telemed.kernel.errors import NotFound

_PHRASE, _VERSION = phrase_table.c, version_table.c


@dataclass(frozen=True)
class PhraseOffer:
    """What a writer is offered for one task: the templates that *fit* it, the best first, the *others*, and the macros."""

    fit: tuple[Phrase, ...]
    others: tuple[Phrase, ...]
    macros: tuple[Phrase, ...]


def phrases(db: Connection, viewer: Viewer, language: str) -> tuple[Phrase, ...]:
    """Return the viewer's own phrases, their hospital's and what is built in, in *language*; the removed ones too."""
    theirs = (_PHRASE.institution_id == viewer.institution_id) & (
        _PHRASE.practitioner_id.is_(None) | (_PHRASE.practitioner_id == viewer.practitioner_id)
    )
    newest = (_VERSION.phrase_id == _PHRASE.id) & (_VERSION.version == _PHRASE.version)
    columns = (*phrase_table.c, _VERSION.wording, _VERSION.changed_at, _VERSION.changed_by)
    query = select(*columns).join(version_table, newest).where(theirs).order_by(_VERSION.changed_at, _PHRASE.id)
    rows = db.execute(query).all()
    people = people_by_id(db, {row.changed_by for row in rows})
    kept = [
        Phrase(
            id=row.id,
            kind=PhraseKind(row.kind),
            keeper=Keeper.PERSON if row.practitioner_id else Keeper.HOSPITAL,
            wording=wording_from(row.wording),
            based_on=row.based_on,
            version=row.version,
            changed_at=row.changed_at,
            changed_by=people.get(row.changed_by),
            removed_at=row.removed_at,
        )
        for row in rows
    ]
    return (*kept, *built_in(language))


def offered(db: Connection, viewer: Viewer, task_id: str, language: str) -> PhraseOffer:
    """Return what the viewer is offered for a task; NotFound as `queue.views.task`.

    What was examined is read from BodyPartExamined and the descriptions of the study and its series. Where nobody said it,
    no template of a region fits, lest one key write of another part of the body; macros, asked for by name, are offered all.
    """
    task = task_of(db, viewer, task_id)
    named = [task.description]
    with suppress(NotFound):  # the archive may hold the study no more
        study = index.study(db, task.institution.id, task.study_instance_uid)
        named += [words for series in index.series_of(db, study.id) for words in (series.body_part, series.description)]
    regions = regions_in(named)
    offers = in_order(one for one in phrases(db, viewer, language) if one.removed_at is None)
    templates = [one for one in offers if one.kind is PhraseKind.TEMPLATE]
    fit = [one for one in templates if fits(one, task.modalities, regions, task.lane)]
    macros = [
        one
        for one in offers
        if one.kind is PhraseKind.MACRO and fits(one, task.modalities, regions or frozenset(Region), task.lane)
    ]
    return PhraseOffer(tuple(fit), tuple(one for one in templates if one not in fit), tuple(macros))


def versions(db: Connection, viewer: Viewer, phrase_id: str) -> tuple[PhraseVersion, ...]:
    """Return what a phrase said, the newest first; NotFound for what is not the viewer's, nor their hospital's."""
    mine = (_PHRASE.id == phrase_id) & (_PHRASE.institution_id == viewer.institution_id)
    found = db.execute(select(_PHRASE.practitioner_id).where(mine)).first()
    if found is None or found.practitioner_id not in (None, viewer.practitioner_id):
        raise NotFound("there is no such phrase of yours, or of your hospital", code="phrase")
    query = select(version_table).where(_VERSION.phrase_id == phrase_id).order_by(_VERSION.version.desc())
    rows = db.execute(query).all()
    people = people_by_id(db, {row.changed_by for row in rows})
    return tuple(PhraseVersion(row.version, wording_from(row.wording), row.changed_at, people[row.changed_by]) for row in rows)


def wording_from(kept: Mapping[str, Any]) -> PhraseWording:
    """Build a PhraseWording from its JSON."""
    tags = {
        "modalities": tuple(kept["modalities"]),
        "regions": tuple(Region(one) for one in kept["regions"]),
        "lanes": tuple(Lane(one) for one in kept["lanes"]),
    }
    return PhraseWording(**{**kept, **tags})
